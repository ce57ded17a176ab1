import numpy as np
import pytest

from inferplane import InferInput, InferRequest, InferResponse
from inferplane.dataplane.explainers.payloads import answer, check_width, rows_of
from inferplane.inference.errors import InvalidInput

TENSOR = InferInput("x", [2, 2], "FP64", [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    "payload", [{"instances": [[1, 2], [3, 4]]}, {"inputs": [[1, 2], [3, 4]]}, InferRequest("m", [TENSOR])]
)
def test_rows_come_from_either_protocol(payload: object) -> None:
    assert rows_of(payload).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("rows", [[1, 2], [["a", "b"]], [], [[[1]]], [[1, 2], [3]]])
def test_what_is_no_table_of_numbers_is_refused(rows: list[object]) -> None:
    with pytest.raises(InvalidInput):
        rows_of({"instances": rows})


def test_rows_have_the_width_of_the_model() -> None:
    check_width(np.zeros((1, 2)), 2)
    with pytest.raises(InvalidInput, match="expected 3 numbers in each row, as the explainer's model has, got 2"):
        check_width(np.zeros((1, 2)), 3)


ROWS = [{"base": 0.5, "values": np.array([1.0, 2.0])}, {"base": 0.5, "values": np.array([3.0, 4.0])}]
COMMON = {"method": "tree", "feature_names": ["a", "b"]}


def test_v1_has_an_explanation_a_row_and_what_is_common_beside_them() -> None:
    assert answer({"instances": []}, "m", ROWS, COMMON) == {"explanations": ROWS, **COMMON}


def test_v2_has_an_output_a_key_rows_first() -> None:
    found = answer(InferRequest("m", [TENSOR], "7"), "m", ROWS, COMMON)
    assert isinstance(found, InferResponse)
    assert {one.name: one.as_numpy().tolist() for one in found.outputs} == {
        "base": [0.5, 0.5],
        "values": [[1.0, 2.0], [3.0, 4.0]],
    }
    assert (found.id, found.parameters) == ("7", {"method": "tree", "feature_names": "a,b"})
