"""Rows that become one, and answers that come apart."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pytest

from inferplane import InferInput, InferOutput, InferRequest, InferResponse
from inferplane.dataplane.server.batching.join import PayloadJoining, part_of, split
from inferplane.inference.errors import InferenceError
from inferplane.inference.tensors import Array


def test_arrays_of_one_type_and_trailing_shape_have_one_kind() -> None:
    kinds = [
        part_of(np.zeros(shape, dtype)).kind
        for shape, dtype in [((2, 3), "f8"), ((5, 3), "f8"), ((2, 4), "f8"), ((2, 3), "f4"), ((2, 3, 1), "f8")]
    ]
    assert kinds[0] == kinds[1]
    assert len(set(kinds)) == 4


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros(3),
        np.array([["a"]]),
        np.array([[None]]),
        [[1.0]],
        {},
        {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))},
        {"a": np.zeros(())},
        {"a": [1.0]},
    ],
)
def test_what_is_no_table_of_numbers_has_no_kind(rows: object) -> None:
    assert part_of(rows).kind is None


def test_several_inputs_with_as_many_rows_each_have_a_kind() -> None:
    one, other = ({"a": np.zeros((n, 2)), "b": np.zeros(n)} for n in (2, 5))
    assert part_of(one).kind == part_of(other).kind
    assert (part_of(one).rows, part_of(other).rows) == (2, 5)


def test_an_answer_is_split_by_rows() -> None:
    assert [piece.tolist() for piece in cast(list[Array], split(np.arange(6), [1, 0, 3, 2]))] == [
        [0],
        [],
        [1, 2, 3],
        [4, 5],
    ]
    named = cast(list[Mapping[str, Array]], split({"x": np.arange(4).reshape(2, 2), "y": np.arange(2)}, [1, 1]))
    assert [{name: values.tolist() for name, values in piece.items()} for piece in named] == [
        {"x": [[0, 1]], "y": [0]},
        {"x": [[2, 3]], "y": [1]},
    ]


@pytest.mark.parametrize("predicted", [np.arange(3), np.float64(1.0), {"x": np.arange(2), "y": np.arange(3)}])
def test_an_answer_without_one_value_a_row_is_refused(predicted: Array) -> None:
    with pytest.raises(InferenceError, match="expected one answer for each of 2 rows"):
        split(predicted, [1, 1])


def together(joining: PayloadJoining, payloads: list[object]) -> list[object]:
    return joining.together(payloads, [joining.part(payload) for payload in payloads], {})


def test_v1_payloads_become_one_list_of_rows() -> None:
    seen: list[object] = []

    def predict(payload: object, headers: dict[str, str]) -> object:
        seen.append(payload)
        return {"predictions": [row * 2 for row in cast(dict[str, list[int]], payload)["instances"]]}

    assert together(PayloadJoining(predict), [{"instances": [1, 2]}, {"instances": [3]}]) == [
        {"predictions": [2, 4]},
        {"predictions": [6]},
    ]
    assert seen == [{"instances": [1, 2, 3]}]


def request(*values: float, **parameters: int) -> InferRequest:
    tensor = InferInput.decoded("x", "FP64", np.array(values))
    return InferRequest("m", [tensor], parameters=parameters or None)


def test_v2_requests_become_one_and_the_response_comes_apart() -> None:
    def predict(payload: object, headers: dict[str, str]) -> object:
        values = cast(InferRequest, payload).inputs[0].as_numpy()
        return InferResponse(None, "m", [InferOutput.decoded("y", "FP64", values * 2)])

    answers = cast(list[InferResponse], together(PayloadJoining(predict), [request(1, 2), request(3)]))
    assert [answer.outputs[0].as_numpy().tolist() for answer in answers] == [[2.0, 4.0], [6.0]]
    assert [list(answer.outputs[0].shape) for answer in answers] == [[2], [1]]


@pytest.mark.parametrize(
    "payload",
    [{"instances": [1], "more": 1}, {"rows": [1]}, {"instances": "x"}, [1], b"x", request(1.0, top_k=3)],
)
def test_payloads_with_more_than_rows_run_alone(payload: object) -> None:
    assert PayloadJoining(lambda payload, headers: payload).part(payload).kind is None


@pytest.mark.parametrize("result", [{"predictions": [1], "more": 1}, [1, 2], {"predictions": [1]}])
def test_an_answer_that_cannot_be_split_fails_the_batch(result: object) -> None:
    with pytest.raises(InferenceError):
        together(PayloadJoining(lambda payload, headers: result), [{"instances": [1]}, {"instances": [2]}])
