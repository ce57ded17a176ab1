"""Filled-in forms read together give what the decoders give each of them, or are left to them."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference import forms, joint_answers, v1, v2
from inferplane.inference.errors import InferenceFailure
from inferplane.inference.forms import Filled, V2Forms
from inferplane.inference.tensors import Array, InferInput, InferRequest, InferResponse, output

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = st.one_of(FLOATS, st.integers(-(2**70), 2**70))


@st.composite
def tables(draw: st.DrawFn) -> list[list[list[float]]]:
    """The rows of several requests, all of one width."""
    width = draw(st.integers(1, 4))
    rows = st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1, max_size=4)
    return draw(st.lists(rows, min_size=1, max_size=5))


def v2_body(rows: Sequence[object], datatype: str = "FP64", own_id: str | None = None, shape: object = None) -> bytes:
    tensor = {"name": "x", "shape": shape or list(np.array(rows).shape), "datatype": datatype, "data": rows}
    return json.dumps(({"id": own_id} if own_id is not None else {}) | {"inputs": [tensor]}).encode()


def of_v2(known: V2Forms, body: bytes) -> Filled | None:
    """As the server does: what is not known is decoded, and known from then on."""
    if (found := known.read(body)) is not None:
        return found
    known.remember(body, v2.read(body, "m"))
    return known.read(body)


@given(tables(), st.sampled_from(["instances", "inputs"]))
def test_v1_rows_together_are_those_of_the_decoder(requests: list[list[list[float]]], key: str) -> None:
    bodies = [json.dumps({key: rows}).encode() for rows in requests]
    filled = [one for one in map(forms.v1, bodies) if one is not None]
    together = forms.stacked(filled) if len(filled) == len(bodies) else None
    if together is not None:
        alone = [v1.read_arrays(body)[key] for body in bodies]
        assert together.dtype == np.float64
        assert all(isinstance(one, np.ndarray) and one.dtype == np.float64 for one in alone)
        assert np.array_equal(together, np.concatenate(alone))  # type: ignore[arg-type]  # just seen
        assert [one.rows for one in filled] == [len(rows) for rows in requests]


@given(tables(), st.sampled_from(["FP64", "FP32", "INT64"]))
def test_v2_rows_together_are_those_of_the_decoder(requests: list[list[list[float]]], datatype: str) -> None:
    known = V2Forms()
    bodies = [v2_body(rows, datatype) for rows in requests]
    try:
        alone = [v2.read(body, "m") for body in bodies]
    except InferenceFailure:
        assert None in map(known.read, bodies)  # one that the decoder refuses was never remembered
        return
    filled = [one for body in bodies if (one := of_v2(known, body)) is not None]
    together = forms.stacked(filled) if len(filled) == len(bodies) else None
    if together is not None:
        expected = np.concatenate([one.inputs[0].view() for one in alone])
        assert together.dtype == expected.dtype
        assert np.array_equal(together, expected)


def test_plain_tables_are_read_together() -> None:
    bodies = [b'{"instances": [[1.5, 2]]}', b'{"instances":[[3, 4.25],\n [5e-1, 6]]}']
    filled = [forms.v1(body) for body in bodies]
    assert None not in filled
    together = forms.stacked([one for one in filled if one is not None])
    assert together is not None
    assert together.tolist() == [[1.5, 2], [3, 4.25], [0.5, 6]]


@pytest.mark.parametrize("rows", [[[1.5, 2.0]], [1.5, 2.0]], ids=["nested", "flat"])
def test_a_form_is_known_after_it_was_seen_once(rows: list[object]) -> None:
    known = V2Forms()
    first, other = v2_body(rows, shape=[1, 2]), v2_body(rows, shape=[1, 2]).replace(b"1.5", b"-7.25")
    assert known.read(first) is None
    known.remember(first, v2.read(first, "m"))
    found = known.read(other)
    assert found is not None
    numbers = forms.stacked([found, found])
    assert numbers is not None
    assert numbers.tolist() == [[-7.25, 2.0]] * 2
    assert found.form.payload(numbers[:1], "m") == v2.read(other, "m")


def test_ids_do_not_make_another_form() -> None:
    known = V2Forms()
    first = v2_body([[1.5]], own_id="a-1")
    known.remember(first, v2.read(first, "m"))
    found = known.read(v2_body([[2.5]], own_id="b_2"))
    assert found is not None
    assert found.id == b"b_2"
    assert known.read(v2_body([[2.5]], own_id='"quoted"')) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":{"id":"a"},"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]]}]}',
        b'{"id":"a","id":"b","inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]],"data":[[2.5]]}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]]}],"inputs":[]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]]}],"parameters":{"timeout":5}}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]]}],"outputs":[{"name":"y"}]}',
        b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1.5]],"parameters":{"a":1}}]}',
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"INT32","data":[1]}]}',
        b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1.5]},{"name":"y","shape":[1],"datatype":"FP64","data":[1]}]}',
    ],
)
def test_what_says_more_than_one_tensor_and_an_id_is_not_remembered(body: bytes) -> None:
    known = V2Forms()
    try:
        known.remember(body, v2.read(body, "m"))
    except InferenceFailure:
        return  # refused before it could be
    assert known.read(body) is None


@pytest.mark.parametrize(
    "texts",
    [
        ("[[1.5]],[[2.5]]", "[[3.5]]"),
        ("[[1.5],[2.5", "3.5]]"),
        ("[[1.5]", "[2.5]]"),
        ("[[1.5]]]", "[[[2.5]]"),
        ("[[1.5]],[[2.5]]", "[[3.5],[[0.5]", "[0.5],4.5]]"),
        ("[[1.5]", "[[2.5]],[3.5]]"),
        ("[[01.5]]", "[[2.5]]"),
        ("[[1.5e999]]", "[[2.5]]"),
        ("[[1.5,]]", "[[2.5]]"),
    ],
)
def test_texts_cannot_change_what_others_say(texts: tuple[str, ...]) -> None:
    filled = [forms.v1(b'{"instances":%b}' % text.encode()) for text in texts]
    known = [one for one in filled if one is not None]
    # One of them is not taken for a form at all, or all are to be read by themselves.
    assert len(known) < len(filled) or forms.stacked(known) is None


def test_widths_and_names_do_not_mix() -> None:
    wide, narrow = forms.v1(b'{"instances":[[1.5,2.5]]}'), forms.v1(b'{"instances":[[1.5]]}')
    assert wide is not None
    assert narrow is not None
    assert forms.stacked([wide, narrow]) is None


def test_only_so_many_forms_are_kept() -> None:
    known = V2Forms()
    for number in range(600):
        body = v2_body([[1.5]]).replace(b'"x"', b'"x%d"' % number)
        known.remember(body, v2.read(body, "m"))
    assert known.read(body) is not None
    assert len(known) <= 256


# Answers.


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 0, 2, 1, 7]),
        np.array([[0.1, 0.9], [0.5, 0.5], [1 / 3, 2 / 3], [1e-300, 1], [0, 1]]),
        np.array([1.5, np.nan, np.inf, -0.0, 1e22], dtype=np.float32),
        np.array([True, False, True, True, False]),
    ],
    ids=["labels", "probabilities", "odd numbers", "booleans"],
)
def test_answers_written_together_are_those_written_alone(values: Array) -> None:
    sizes, ids = [2, 1, 2], ["a", "b", "c"]
    pieces = [values[0:2], values[2:3], values[3:5]]
    assert joint_answers.v1({"predictions": values}, sizes) == [v1.write({"predictions": piece}) for piece in pieces]
    request = InferRequest("m", [InferInput("x", [1], "FP64", [1.0])])
    alone = [
        v2.write(InferResponse(None, "m", [output("output-0", piece), output("o", piece)]), request, own_id)
        for piece, own_id in zip(pieces, ids, strict=True)
    ]
    whole = InferResponse(None, "m", [output("output-0", values), output("o", values)])
    assert joint_answers.v2(whole, sizes, [own_id.encode() for own_id in ids]) == alone


@pytest.mark.parametrize(
    "values",
    [np.array(["a", "b"]), np.array([[[1.0]], [[2.0]]]), np.array([1.0]), np.zeros((2, 0)), [1, 2]],
    ids=["text", "three dimensions", "too few", "none", "a list"],
)
def test_other_answers_are_written_alone(values: object) -> None:
    assert joint_answers.v1({"predictions": values}, [1, 1]) is None
    assert joint_answers.v1({"predictions": np.array([1, 2]), "more": 1}, [1, 1]) is None
