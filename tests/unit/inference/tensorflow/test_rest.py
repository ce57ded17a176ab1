import numpy as np
import pytest

from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensorflow.calls import Call, Method, Which
from inferplane.inference.tensorflow.rest import answer, call, named, strings
from inferplane.kernel.json import Json

ROWS = Call(Method.PREDICT, rows=[1])
COLUMNS = Call(Method.PREDICT, tensors={"": 1})


def test_a_body_says_rows_or_tensors() -> None:
    assert call({"instances": [1, 2]}, Which(3)) == Call(Method.PREDICT, Which(3), rows=[1, 2])
    assert call({"inputs": [1], "signature_name": "f"}, Which()).tensors == {"": [1]}
    assert call({"inputs": {"a": [1]}}, Which()).tensors == {"a": [1]}
    assert call({"inputs": {"b64": "YQ=="}}, Which()).tensors == {"": {"b64": "YQ=="}}


def test_rows_become_one_list_an_input() -> None:
    rows: list[Json] = [{"a": 1, "b": [2]}, {"b": [3], "a": 4}]
    assert named(rows, ["a", "b"]) == {"a": [1, 4], "b": [[2], [3]]}
    assert named([[1], [2]], ["x"]) == {"x": [[1], [2]]}
    assert named([{"b64": "YQ=="}], ["x"]) == {"x": [{"b64": "YQ=="}]}


@pytest.mark.parametrize(
    ("rows", "inputs", "words"),
    [
        ([1], ["a", "b"], "instances: the signature takes 2 inputs: a, b"),
        ([{"a": 1}, 2], ["a"], "instances[1]: expected an object"),
        ([1, {"a": 1}], ["a"], "instances[1]: expected a value"),
        ([{"a": 1, "c": 2}], ["a"], "instances[0]: expected a, got a, c"),
        ([{}], ["a"], "instances[0]: expected a, got nothing"),
    ],
)
def test_rows_that_do_not_fit_are_named(rows: list[Json], inputs: list[str], words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        named(rows, inputs)
    assert words in str(raised.value)


def test_texts_and_base64_become_bytes() -> None:
    assert strings([["ä", {"b64": "/wA="}]], "x").tolist() == [["ä".encode(), b"\xff\x00"]]
    assert strings("a", "x").item() == b"a"
    assert strings(np.array(["a", b"b"], dtype=object), "x").tolist() == [b"a", b"b"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1], "x: expected a text, got 1"),
        ([["a"], ["b", "c"]], "x: rows differ in length"),
        ([{"b64": "?"}], "x.b64: expected base64 text"),
        ({"text": "a"}, "x: expected a text"),
    ],
)
def test_what_is_no_text_is_named(values: Json, words: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        strings(values, "x")
    assert words in str(raised.value)


def test_deep_lists_are_refused() -> None:
    values: Json = "a"
    for _ in range(100):
        values = [values]
    with pytest.raises(InvalidInput, match="more than 64 deep"):
        strings(values, "x")


def test_one_output_is_told_without_its_name() -> None:
    values = np.array([[1.0], [2.0]])
    assert answer(ROWS, {"y": values}) == {"predictions": values}
    assert answer(COLUMNS, {"y": values}) == {"outputs": values}


def test_several_outputs_are_records_or_columns() -> None:
    outputs = {"a": np.array([1, 2]), "b": np.array([3, 4])}
    assert answer(ROWS, outputs) == {"predictions": [{"a": 1, "b": 3}, {"a": 2, "b": 4}]}
    assert answer(COLUMNS, outputs) == {"outputs": outputs}


def test_bytes_are_base64_by_name_or_where_they_are_no_text() -> None:
    values = np.array([b"ab", b"\xff"], dtype=object)
    found = answer(COLUMNS, {"t": values, "t_bytes": values})["outputs"]
    assert {name: one.tolist() for name, one in found.items()} == {  # type: ignore[attr-defined]  # arrays by name
        "t": ["ab", {"b64": "/w=="}],
        "t_bytes": [{"b64": "YWI="}, {"b64": "/w=="}],
    }


def test_outputs_that_are_no_rows_are_told() -> None:
    with pytest.raises(InvalidInput, match="a 2, b has none"):
        answer(ROWS, {"a": np.array([1, 2]), "b": np.array(3)})
