"""JSON bodies that become one, and the answer that comes apart: what goes out is what would have come alone."""

import json
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.dataplane.server.batching.bodies import V1, V2, Form, Rows, labelled
from inferplane.kernel.json import Json, JsonObject


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def v1(*instances: Json, **more: Json) -> bytes:
    return encoded({"instances": [*instances], **more})


def v2(data: Json, shape: Sequence[int], datatype: str = "FP64", id: str | None = None, **more: Json) -> bytes:
    tensor: JsonObject = {"name": "x", "shape": [*shape], "datatype": datatype, "data": data}
    return encoded({"inputs": [tensor], **({"id": id} if id else {}), **more})


def read(form: Form, body: bytes) -> Rows:
    found = form.read(body)
    assert found is not None
    return found


def kind(form: Form, body: bytes) -> object:
    return read(form, body).kind


def split(form: Form, answer: bytes, all_rows: Sequence[Rows]) -> list[Json] | None:
    ids = count(1)
    pieces = form.split(answer, all_rows, "b", lambda: f"new-{next(ids)}")
    return None if pieces is None else [json.loads(piece) for piece in pieces]


# --- V1 ---------------------------------------------------------------------------------------------------------------


def test_instances_are_put_one_behind_the_other_as_they_were_written() -> None:
    bodies = [b'{"instances": [[1.50, 2e3], [ 3.0,4.0 ]]}', b'{"instances":[[0.1,12345678901234567890.0]]}']
    joined = V1.join([read(V1, one) for one in bodies], "b")
    assert joined == b'{"instances":[[1.50, 2e3],[ 3.0,4.0 ],[0.1,12345678901234567890.0]]}'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (v1([1, 2]), v1([1, 2, 3])),
        (v1([1, 2]), v1([1.5, 2])),
        (v1([1, 2]), v1(["a", "b"])),
        (v1([[1], [2]]), v1([1, 2])),
        (v1({"a": 1}), v1({"b": 1})),
        (v1([1, None]), v1([1, 2])),
        (v1([True, 2]), v1([1, 2])),
        (v1([1, 2]), v1([1, 2], signature_name="other")),
        (v1([1, 2]), encoded({"inputs": [[1, 2]]})),
    ],
)
def test_rows_of_another_form_never_meet(one: bytes, other: bytes) -> None:
    assert kind(V1, one) != kind(V1, other)


def test_what_else_all_requests_say_goes_along_once() -> None:
    bodies = [v1([1], signature_name="s"), v1([2], signature_name="s")]
    joined = json.loads(V1.join([read(V1, one) for one in bodies], "b"))
    assert joined == {"instances": [[1], [2]], "signature_name": "s"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"\xff",
        b'{"instances": [1}',
        v1(),
        v1([1], [1, 2]),
        v1(1, "a"),
        encoded({"instances": {"a": 1}}),
        encoded({"instances": [[1]], "inputs": [[1]]}),
        encoded({"data": [[1]]}),
        b'{"instances": [[NaN]]}',
    ],
)
def test_a_body_that_is_no_table_of_like_rows_goes_on_as_it_is(body: bytes) -> None:
    assert V1.read(body) is None


def test_an_answer_has_kserves_form_and_each_gets_the_predictions_of_its_rows() -> None:
    all_rows = [read(V1, v1([1])), read(V1, v1([2], [3]))]
    assert split(V1, b'{"predictions":["a","b",{"c":0.10}]}', all_rows) == [
        {"message": "", "batchId": "b", "predictions": ["a"]},
        {"message": "", "batchId": "b", "predictions": ["b", {"c": 0.1}]},
    ]


@pytest.mark.parametrize(
    "answer", [b"", b"text", b"[1,2]", b'{"predictions":[1]}', b'{"predictions":{"a":1}}', b'{"outputs":[1,2]}']
)
def test_an_answer_that_is_not_one_a_row_does_not_come_apart(answer: bytes) -> None:
    assert split(V1, answer, [read(V1, v1([1])), read(V1, v1([2]))]) is None


def test_an_answer_without_members_is_labelled_too() -> None:
    assert labelled(b"{}", "b") == b'{"message":"","batchId":"b"}'


ROW = st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3)


@given(st.lists(st.lists(ROW, min_size=1, max_size=4), min_size=1, max_size=6))
def test_each_gets_from_a_batch_what_it_would_get_alone(requests: list[list[list[float]]]) -> None:
    def server(body: bytes) -> bytes:
        return encoded({"predictions": [[sum(row), row] for row in json.loads(body)["instances"]]})

    bodies = [encoded({"instances": rows}) for rows in requests]
    all_rows = [read(V1, body) for body in bodies]
    found = split(V1, server(V1.join(all_rows, "b")), all_rows)
    assert found is not None
    assert [one["predictions"] for one in found if isinstance(one, dict)] == [
        json.loads(server(body))["predictions"] for body in bodies
    ]


# --- V2 ---------------------------------------------------------------------------------------------------------------


def test_tensors_are_joined_along_their_first_axis() -> None:
    bodies = [v2([1, 2, 3, 4], [2, 2], id="one"), v2([5, 6], [1, 2])]
    joined = json.loads(V2.join([read(V2, one) for one in bodies], "batch"))
    assert joined == {
        "id": "batch",
        "inputs": [{"name": "x", "shape": [3, 2], "datatype": "FP64", "data": [1, 2, 3, 4, 5, 6]}],
    }


@pytest.mark.parametrize(
    "other",
    [
        v2([1, 2, 3], [1, 3]),
        v2([1, 2], [1, 2], "FP32"),
        v2([[1, 2]], [1, 2]),
        v2([1, 2], [1, 2], outputs=[{"name": "y"}]),
        v2([1, 2], [1, 2], parameters={"content_type": "np"}),
    ],
)
def test_tensors_that_do_not_fit_never_meet(other: bytes) -> None:
    assert kind(V2, v2([1, 2], [1, 2])) != kind(V2, other)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        v2([1, 2, 3], [2, 2]),
        v2([], [0, 2]),
        v2([1, 2], [-1, 2]),
        v2(5, []),
        v2("abc", [1]),
        v2([1, 2], [1, 2], parameters={"sequence_id": 7}),
        v2([1, 2], [1, 2], parameters={"binary_data_output": True}),
        v2([1, 2], [1, 2], outputs=[{"name": "y", "parameters": {"binary_data": True}}]),
        v2([1, 2], [1, 2], more=1),
        encoded({"inputs": []}),
        encoded({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}]}),
    ],
)
def test_what_means_more_than_its_rows_goes_on_as_it_is(body: bytes) -> None:
    assert V2.read(body) is None


def test_inputs_of_different_lengths_are_not_rows() -> None:
    tensors = [
        {"name": "a", "shape": [1], "datatype": "INT32", "data": [0]},
        {"name": "b", "shape": [2], "datatype": "INT32", "data": [0, 0]},
    ]
    assert V2.read(encoded({"inputs": tensors})) is None


def test_each_answer_has_its_own_id_and_rows() -> None:
    all_rows = [read(V2, v2([1, 2], [1, 2], id="mine")), read(V2, v2([1, 2, 3, 4], [2, 2]))]
    outputs = [
        {"name": "y", "shape": [3, 2], "datatype": "FP64", "parameters": {"a": 1}, "data": [1, 2, 3, 4, 5, 6]},
        {"name": "z", "shape": [3], "datatype": "BYTES", "data": ["a", "b", "c"]},
        {"name": "n", "shape": [3, 1], "datatype": "INT32", "data": [[7], [8], [9]]},
    ]
    answer = encoded({"model_name": "m", "id": "batch", "outputs": outputs})
    first, second = split(V2, answer, all_rows) or [None, None]
    assert first == {
        "model_name": "m",
        "id": "mine",
        "outputs": [
            {"name": "y", "shape": [1, 2], "datatype": "FP64", "parameters": {"a": 1}, "data": [1, 2]},
            {"name": "z", "shape": [1], "datatype": "BYTES", "data": ["a"]},
            {"name": "n", "shape": [1, 1], "datatype": "INT32", "data": [[7]]},
        ],
    }
    assert isinstance(second, dict)
    assert second["id"] == "new-1"
    assert [one["data"] for one in second["outputs"] if isinstance(one, dict)] == [  # type: ignore[union-attr]  # a list
        [3, 4, 5, 6],
        ["b", "c"],
        [[8], [9]],
    ]


@pytest.mark.parametrize(
    "output",
    [
        {"name": "y", "shape": [1], "datatype": "FP64", "data": [1]},
        {"name": "y", "shape": [], "datatype": "FP64", "data": []},
        {"name": "y", "shape": [2], "datatype": "FP64", "data": [1]},
        {"name": "y", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}},
    ],
)
def test_an_output_that_is_not_one_a_row_does_not_come_apart(output: JsonObject) -> None:
    all_rows = [read(V2, v2([1], [1])), read(V2, v2([2], [1]))]
    assert split(V2, encoded({"outputs": [output]}), all_rows) is None


@given(st.lists(st.tuples(st.lists(ROW, min_size=1, max_size=4), st.text(max_size=3)), min_size=1, max_size=6))
def test_each_gets_from_a_batch_of_tensors_what_it_would_get_alone(
    requests: list[tuple[list[list[float]], str]],
) -> None:
    def server(body: bytes) -> bytes:
        request = json.loads(body)
        (tensor,) = request["inputs"]
        rows, width = tensor["shape"]
        flat = tensor["data"]
        outputs = [
            {"name": "same", "shape": [rows, width], "datatype": "FP64", "data": flat},
            {
                "name": "most",
                "shape": [rows],
                "datatype": "FP64",
                "data": [max(flat[a : a + 3]) for a in range(0, 3 * rows, 3)],
            },
        ]
        return encoded({"model_name": "m", "id": request.get("id", ""), "outputs": outputs})

    bodies = [v2([n for row in rows for n in row], [len(rows), 3], id=name or "none") for rows, name in requests]
    all_rows = [read(V2, body) for body in bodies]
    assert split(V2, server(V2.join(all_rows, "b")), all_rows) == [json.loads(server(body)) for body in bodies]
