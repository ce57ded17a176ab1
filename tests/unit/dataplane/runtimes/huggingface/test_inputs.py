"""Texts in payloads of V1 and V2, without the library that reads them."""

from typing import Any

import pytest

from inferplane.dataplane.runtimes.huggingface.inputs import texts_of
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferInput, InferRequest


def lists(payload: object) -> dict[str, list[str]]:
    return {name: column.tolist() for name, column in texts_of(payload).items()}


@pytest.mark.parametrize(
    "rows", [["a", "b"], [["a"], ["b"]], [{"text": "a"}, {"text": "b"}], [{"b64": "YQ=="}, "b"], ["a", ["b"]]]
)
def test_rows_are_texts_in_each_of_their_forms(rows: object) -> None:
    assert lists({"instances": rows}) == {"text": ["a", "b"]}


@pytest.mark.parametrize("rows", [[["a", "x"], ["b", "y"]], [{"text": "a", "text_pair": "x"}, ["b", "y"]]])
def test_rows_are_pairs_in_each_of_their_forms(rows: object) -> None:
    assert lists({"instances": rows}) == {"text": ["a", "b"], "text_pair": ["x", "y"]}


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_one_tensor_has_texts_as_bytes_or_as_text(shape: list[int]) -> None:
    assert lists(InferRequest("m", [InferInput("x", shape, "BYTES", [b"a", "\u00fc"])])) == {"text": ["a", "\u00fc"]}


def test_one_tensor_of_two_columns_and_two_tensors_have_pairs() -> None:
    one = InferRequest("m", [InferInput("x", [2, 2], "BYTES", ["a", "x", "b", "y"])])
    two = InferRequest(
        "m", [InferInput(name, [2], "BYTES", rows) for name, rows in (("p", ["a", "b"]), ("q", ["x", "y"]))]
    )
    assert lists(one) == lists(two) == {"text": ["a", "b"], "text_pair": ["x", "y"]}


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ([], "at least one"),
        ([7], r"instances\[0\]: expected a text, got the number 7"),
        (["a", None], r"instances\[1\]: expected a text, got null"),
        ([["a", "b", "c"]], r"instances\[0\]: expected a text or a pair of texts, got 3 values"),
        ([{"txt": "a"}], r"instances\[0\]: expected text, and for pairs text_pair, got txt"),
        ([{"text": ["a"]}], r"instances\[0\].text: expected a text, got a list"),
        (["a", ["a", "b"]], "expected single texts or pairs, got both"),
        ([{"b64": "/w=="}], r"instances\[0\]: expected UTF-8"),
    ],
)
def test_rows_that_are_no_texts_are_the_clients_mistake(instances: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        texts_of({"instances": instances})


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ([("x", [1], "FP32", [1.0])], r"input x: expected texts \(BYTES\), got FP32"),
        ([("x", [1, 3], "BYTES", ["a", "b", "c"])], r"input x: expected the shape \[n\], \[n, 1\] or \[n, 2\]"),
        ([("x", [0], "BYTES", [])], "input x: expected the shape"),
        ([("x", [1], "BYTES", ["a"]), ("y", [2], "BYTES", ["a", "b"])], "two tensors of one text a row"),
        ([("x", [1], "BYTES", ["a"])] * 3, "one of texts, or two for pairs"),
        ([], "got none"),
    ],
)
def test_tensors_that_are_no_texts_are_the_clients_mistake(tensors: list[Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        texts_of(InferRequest("m", [InferInput(*one) for one in tensors]))
