"""The quick reader of small bodies gives what the full decoders give, or leaves the body to them."""

import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference import arrays, small, v2, v2_client
from inferplane.inference.errors import InferenceFailure
from inferplane.inference.tensors import Array

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), st.text()
)
PLAIN = st.one_of(st.integers(-1000, 1000), st.floats(allow_nan=False, allow_infinity=False))
NESTED = st.recursive(st.lists(NUMBERS, max_size=4), lambda inner: st.lists(inner, max_size=3), max_leaves=12)


@st.composite
def tables(draw: st.DrawFn) -> list[object]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(PLAIN, min_size=width, max_size=width), min_size=1, max_size=4))


def as_decoded(body: bytes, key: str) -> object:
    """What the full decoder makes of a V1 body."""
    root = arrays.parse(body)
    assert arrays.is_object(root)
    value = root[key]
    return arrays.rows(value, key) if arrays.is_array(value) else arrays.plain(value)


def same(one: Array, other: object) -> bool:
    return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)


@given(st.one_of(NESTED, tables()), st.sampled_from(["instances", "inputs"]))
def test_v1_rows_are_those_of_the_full_decoder(values: list[object], key: str) -> None:
    body = json.dumps({key: values}).encode()
    found = small.rows(body)
    if found is not None:
        assert same(found[key], as_decoded(body, key))


@given(st.one_of(NESTED, tables()), st.sampled_from(["FP64", "FP32", "INT64", "INT32", "BOOL", "BYTES", "fp64"]))
def test_v2_requests_are_those_of_the_full_decoder(values: list[object], datatype: str) -> None:
    shape = list(np.array(values, dtype=object).shape) if values else [0]
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "data": values}
    body = json.dumps({"id": "7", "inputs": [tensor]}).encode()
    found = small.request(body, "m")
    if found is not None:
        # The white space makes the body too large for the quick reader.
        assert found == v2.read(body + b" " * small.SMALL, "m")


@given(st.one_of(NESTED, tables()), st.sampled_from(["FP64", "FP32", "INT64", "INT32", "BOOL", "BYTES", "fp64"]))
def test_v2_answers_are_those_of_the_full_decoder(values: list[object], datatype: str) -> None:
    shape = list(np.array(values, dtype=object).shape) if values else [0]
    tensor = {"name": "y", "shape": shape, "datatype": datatype, "parameters": None, "data": values}
    body = json.dumps({"model_name": "m", "model_version": None, "id": "7", "outputs": [tensor]}).encode()
    found = small.response(body)
    if found is not None:
        padded = body + b" " * small.SMALL
        assert found == v2_client.read_response(padded, len(padded))


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": None},
        {"outputs": [{"name": "y"}]},
        {"parameters": {"a": 1}},
        {"id": 7},
        {"model_name": None},
        {"more": 1},
        {"outputs": [{"name": "y", "shape": [1], "datatype": "FP64", "data": [1.5], "parameters": {"a": 1}}]},
    ],
)
def test_an_unusual_answer_is_left_to_the_full_decoder(change: Mapping[str, object]) -> None:
    tensor = {"name": "y", "shape": [1], "datatype": "FP64", "data": [1.5]}
    usual = {"model_name": "m", "id": "7", "outputs": [tensor]}
    assert small.response(json.dumps(usual).encode()) is not None
    assert small.response(json.dumps({**usual, **change}).encode()) is None


def test_the_name_of_a_model_that_kserves_clients_send_changes_nothing() -> None:
    tensor = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5]}
    found = small.request(json.dumps({"id": "7", "model_name": "other", "inputs": [tensor]}).encode(), "m")
    assert found is not None
    assert (found.model_name, found.id) == ("m", "7")


@given(tables())
def test_tables_of_numbers_are_read_quickly(values: list[list[float]]) -> None:
    body = json.dumps({"instances": values}).encode()
    point = b"." in body or all(isinstance(value, int) for row in values for value in row)
    assert (small.rows(body) is not None) == (point and len(body) <= small.SMALL)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[[1.5]]",
        b'{"instances":[[1.5]],"signature_name":"x"}',
        b'{"instances":[[1.5],[2.5,3.5]]}',
        b'{"instances":[[true,1.5]]}',
        b'{"instances":[[null,1.5]]}',
        b'{"instances":[["1.5"]]}',
        b'{"instances":[]}',
        b'{"instances":{}}',
        b'{"instances":[123456789012345678901234567890]}',
        b'{"rows":[[1.5]]}',
    ],
)
def test_what_is_not_plain_is_left_to_the_full_decoder(body: bytes) -> None:
    assert small.rows(body) is None


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [3]},
        {"shape": [-1]},
        {"shape": [True]},
        {"shape": "2"},
        {"datatype": "FP16"},
        {"datatype": ["FP64"]},
        {"datatype": "INT64"},
        {"data": [[1.5], 2.5]},
        {"data": "x"},
        {"data": [1e300, 1.5], "datatype": "FP32"},
        {"parameters": {"a": 1}},
        {"name": 3},
    ],
)
def test_an_unusual_tensor_is_left_to_the_full_decoder(change: Mapping[str, object]) -> None:
    tensor = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5]}
    assert small.request(json.dumps({"inputs": [tensor]}).encode(), "m") is not None
    assert small.request(json.dumps({"inputs": [{**tensor, **change}]}).encode(), "m") is None


def test_both_decoders_refuse_what_is_wrong() -> None:
    for body in (b'{"inputs":[]}', b'{"inputs":[{}]}', b'{"inputs":{}}', b"[]", b"{"):
        assert small.request(body, "m") is None
        with pytest.raises(InferenceFailure):
            v2.read(body, "m")
