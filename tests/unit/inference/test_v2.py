"""V2 in JSON: bytes → request, response → bytes."""

import json
import math

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inferplane.inference import v2
from inferplane.inference.datatypes import BINARY_ONLY, NUMPY, Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.tensors import (
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
    TensorMetadata,
    output,
)
from inferplane.kernel.json import Json

JSON_TYPES = [datatype for datatype in Datatype if datatype not in (*BINARY_ONLY, Datatype.BYTES)]


def body(data: Json, shape: list[int], datatype: str = "FP64", **more: Json) -> bytes:
    return orjson.dumps({"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}], **more})


def array(data: Json, shape: list[int], datatype: str = "FP64") -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    return v2.read(body(data, shape, datatype), "m").inputs[0].as_numpy()


@st.composite
def tensors(draw: st.DrawFn) -> tuple[Datatype, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]:
    datatype = draw(st.sampled_from(JSON_TYPES))
    finite = {"allow_nan": False, "allow_infinity": False} if NUMPY[datatype].kind == "f" else {}
    shape = draw(hnp.array_shapes(max_dims=4, min_side=1, max_side=4))
    elements = hnp.from_dtype(NUMPY[datatype], **finite)  # type: ignore[arg-type]  # the stub wants literal keywords
    return datatype, draw(hnp.arrays(NUMPY[datatype], shape, elements=elements))


@given(tensors(), st.booleans())
def test_every_array_survives_the_way_through_json_nested_or_flat(
    tensor: tuple[Datatype, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"], flat: bool
) -> None:
    datatype, values = tensor
    data = values.ravel().tolist() if flat else values.tolist()
    read = v2.read(body(data, list(values.shape), datatype), "m").inputs[0].as_numpy()
    assert read.dtype == NUMPY[datatype]
    np.testing.assert_array_equal(read, values)


@given(tensors())
def test_every_written_output_is_flat_and_reads_back_the_same(
    tensor: tuple[Datatype, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"],
) -> None:
    datatype, values = tensor
    written = json.loads(
        v2.write(InferResponse(None, "m", [output("y", values)]), InferRequest("m", [], request_id="1"), "")
    )["outputs"][0]
    assert (written["shape"], written["datatype"]) == (list(values.shape), datatype)
    np.testing.assert_array_equal(np.array(written["data"], dtype=NUMPY[datatype]), values.ravel())


def test_an_answer_has_kserves_keys_order_and_nulls() -> None:
    response = InferResponse(None, "m", [output("output-0", np.array([[0.1, 2.0]], dtype=np.float32))])
    assert v2.write(response, InferRequest("m", []), "made-up") == (
        b'{"model_name":"m","model_version":null,"id":"made-up","parameters":null,"outputs":'
        b'[{"name":"output-0","shape":[1,2],"datatype":"FP32","parameters":null,"data":[0.1,2.0]}]}'
    )


def test_not_a_number_and_infinity_are_written_as_null() -> None:
    response = InferResponse(None, "m", [output("y", np.array([math.nan, math.inf, 1.0]))])
    assert json.loads(v2.write(response, InferRequest("m", [], request_id="1"), ""))["outputs"][0]["data"] == [
        None,
        None,
        1.0,
    ]


def test_text_outputs_are_bytes_tensors_of_strings() -> None:
    response = InferResponse(None, "m", [output("y", np.array(["rot", "grün"]))])
    written = json.loads(v2.write(response, InferRequest("m", [], request_id="1"), ""))["outputs"][0]
    assert (written["datatype"], written["data"]) == ("BYTES", ["rot", "grün"])


def test_an_output_given_as_a_list_is_written_by_its_datatype() -> None:
    response = InferResponse(None, "m", [InferOutput("y", [2], "FP64", [1, 2])])
    assert json.loads(v2.write(response, InferRequest("m", [], request_id="1"), ""))["outputs"][0]["data"] == [1.0, 2.0]


def test_the_id_is_the_responses_then_the_requests_then_the_made_up_one() -> None:
    ids = [("a", "b"), ("", "b"), ("", "")]
    written = [
        json.loads(v2.write(InferResponse(ours, "m", []), InferRequest("m", [], request_id=theirs), "c"))["id"]
        for ours, theirs in ids
    ]
    assert written == ["a", "b", "c"]


def test_requested_outputs_select_and_order() -> None:
    response = InferResponse(None, "m", [output(name, np.array([1])) for name in ("a", "b", "c")])
    wanted = [RequestedOutput("c"), RequestedOutput("a")]
    assert [found.name for found in v2.select(response, wanted)] == ["c", "a"]
    with pytest.raises(InvalidInput, match=r"^Unexpected inference output 'zz' for model 'm'$"):
        v2.select(response, [RequestedOutput("zz")])


def test_the_whole_request_is_read() -> None:
    raw = body([1, 2], [2], "int64", id="7", parameters={"a": 1, "b": "x"}, outputs=[{"name": "y"}], model_name="other")
    request = v2.read(raw, "m")
    assert (request.id, request.model_name, request.parameters) == ("7", "m", {"a": 1, "b": "x"})
    assert request.request_outputs == [RequestedOutput("y")]
    assert request.inputs[0].datatype == Datatype.INT64


@pytest.mark.parametrize(
    ("data", "shape", "datatype", "expected"),
    [
        ([1, 2, 3, 4], [2, -1], "INT8", [[1, 2], [3, 4]]),
        ([1.0, 2.0], [2], "INT32", [1, 2]),
        ([18446744073709551615], [1], "UINT64", [18446744073709551615]),
        ([True, 0, 1], [3], "BOOL", [True, False, True]),
        ([["a", "b"]], [1, 2], "BYTES", [["a", "b"]]),
        ([], [0, 4], "FP32", []),
    ],
)
def test_what_is_accepted(data: Json, shape: list[int], datatype: str, expected: Json) -> None:
    assert array(data, shape, datatype).tolist() == expected


def test_null_among_floats_is_not_a_number() -> None:
    np.testing.assert_array_equal(array([1.5, None], [2], "FP32"), np.array([1.5, math.nan], dtype=np.float32))


@pytest.mark.parametrize(
    ("data", "shape", "datatype", "message"),
    [
        ([1, 2, 3, 4, 5], [2, 3], "FP32", "data does not fill the shape: expected 6 values for [2, 3], got 5"),
        (
            [1, 2, 3],
            [2, -1],
            "FP32",
            "data does not fill the shape: expected a multiple of 2 values for [2, -1], got 3",
        ),
        ([[1, 2], [3]], [3], "FP32", "rows differ in length: row 0 has 2 values, row 1 has 1"),
        ([[1, 2], 3], [3], "FP32", "row 0 is a list and row 1 is 3"),
        ([[[1], [2]], [[3, 4], [5]]], [5], "FP32", "lists inside the rows differ in length or depth"),
    ],
)
def test_data_that_does_not_fit_its_shape(data: Json, shape: list[int], datatype: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        array(data, shape, datatype)
    assert str(caught.value) == f"inputs[0].data: {message}"


@pytest.mark.parametrize(
    ("data", "datatype", "message"),
    [
        ([1.5], "INT32", "[0]: expected an integer for INT32, got 1.5"),
        ([1, -1], "UINT8", "[1]: expected an integer of 0 or more for UINT8, got -1"),
        ([1, 300], "UINT8", "[1]: 300 does not fit UINT8"),
        ([0, 40000], "INT16", "[1]: 40000 does not fit INT16"),
        ([1e39], "FP32", "[0]: 1e+39 does not fit FP32"),
        ([None, 1e39], "FP32", "[1]: 1e+39 does not fit FP32"),
        ([1, "a"], "FP64", '[1]: expected a number for FP64, got "a"'),
        ([True], "FP64", "[0]: expected a number for FP64, got true"),
        ([2], "BOOL", "[0]: expected true or false for BOOL, got 2"),
        (["a", 1], "BYTES", "[1]: expected a string for BYTES, got 1"),
        ([{"a": 1}], "INT8", '[0]: expected an integer for INT8, got {"a":1}'),
    ],
)
def test_an_element_of_the_wrong_kind_is_named(data: list[Json], datatype: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        array(data, [len(data)], datatype)
    assert str(caught.value) == f"inputs[0].data{message}"


def test_fp16_is_refused_in_json_both_ways() -> None:
    for datatype in BINARY_ONLY:
        with pytest.raises(InvalidInput, match=rf"{datatype} data via JSON is not supported.* for input x"):
            array([1.0], [1], datatype)
    half = InferResponse(None, "m", [output("y", np.array([1], dtype=np.float16))])
    with pytest.raises(InvalidInput, match=r"FP16 data via JSON is not supported.* for output y"):
        v2.write(half, InferRequest("m", []), "1")


def test_an_unknown_datatype_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"^inputs\[0\].datatype: expected one of BOOL, .*, got FP8$"):
        array([1], [1], "FP8")


GOOD: dict[str, Json] = {"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ([], "expected a JSON object"),
        ({}, "inputs: required field is missing"),
        ({"inputs": 3}, "inputs: expected an array of inputs"),
        ({"inputs": [3]}, "inputs[0]: expected an object"),
        ({"inputs": [{**GOOD, "name": 3}]}, "inputs[0].name: expected a string"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32"}]}, "inputs[0].data: required field is missing"),
        ({"inputs": [{**GOOD, "data": 1}]}, "inputs[0].data: expected an array"),
        ({"inputs": [{**GOOD, "shape": [1.5]}]}, "inputs[0].shape: expected an array of integers"),
        ({"inputs": [{**GOOD, "shape": "1"}]}, "inputs[0].shape: expected an array of integers"),
        (
            {"inputs": [{**GOOD, "parameters": {"a": []}}]},
            "inputs[0].parameters.a: expected a string, a number or a boolean",
        ),
        ({"inputs": [GOOD], "id": 3}, "id: expected a string"),
        ({"inputs": [GOOD], "parameters": [1]}, "parameters: expected an object"),
        ({"inputs": [GOOD], "outputs": {}}, "outputs: expected an array of outputs"),
        ({"inputs": [GOOD], "outputs": [1]}, "outputs[0]: expected an object"),
        ({"inputs": [GOOD], "outputs": [{}]}, "outputs[0].name: required field is missing"),
    ],
)
def test_a_body_without_the_protocols_form_says_where(request_body: Json, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        v2.read(orjson.dumps(request_body), "m")
    assert str(caught.value) == message


def test_no_inputs_and_impossible_shapes_are_invalid() -> None:
    with pytest.raises(InvalidInput, match="expected at least one input"):
        v2.read(b'{"inputs":[]}', "m")
    for shape in ([-2], [-1, -1]):
        with pytest.raises(InvalidInput, match="at most one is -1"):
            array([1], list(shape))


def test_null_where_a_field_is_optional_is_as_if_it_were_absent() -> None:
    request = v2.read(body([1], [1], id=None, parameters=None, outputs=None), "m")
    assert (request.id, request.parameters, request.request_outputs) == (None, None, None)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Unrecognized request format: "),
        (b'{"inputs":', "Unrecognized request format: "),
        (b'{"inputs":[NaN]}', "Unrecognized request format: "),
        (b'{"inputs":[1e999]}', "Unrecognized request format: "),
        (b'{"inputs":"\xff"}', "Unrecognized request format: "),
    ],
)
def test_what_is_not_json_is_malformed(raw: bytes, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        v2.read(raw, "m")
    assert str(caught.value).startswith(message)


@given(st.binary(max_size=60))
def test_no_body_whatever_raises_anything_but_our_errors(raw: bytes) -> None:
    try:
        v2.read(raw, "m")
    except (InvalidInput, Malformed):
        pass


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {"inputs": st.lists(st.fixed_dictionaries(dict.fromkeys(GOOD, JSON_VALUES)), max_size=2)},
        optional={"id": JSON_VALUES, "parameters": JSON_VALUES, "outputs": JSON_VALUES},
    ),
    JSON_VALUES,
    st.sampled_from(Datatype),
)
def test_no_json_whatever_raises_anything_but_our_errors(
    request_body: dict[str, object], data: object, datatype: Datatype
) -> None:
    well_typed = {"inputs": [{"name": "x", "shape": [2], "datatype": datatype, "data": [data]}]}
    for value in (request_body, well_typed):
        try:
            v2.read(json.dumps(value).encode("utf-8", "surrogatepass"), "m")
        except (InvalidInput, Malformed):
            pass


def test_metadata_has_kserves_form() -> None:
    written = v2.write_metadata("m", [TensorMetadata("x", "FP64", [-1, 4])], [])
    assert written == (
        b'{"name":"m","versions":null,"platform":"","inputs":[{"name":"x","datatype":"FP64","shape":[-1,4]}],"outputs":[]}'
    )


@pytest.mark.parametrize("tensors", ["inputs", "outputs"])
def test_a_tensor_in_shared_memory_is_refused_by_name(tensors: str) -> None:
    placed = {"parameters": {"shared_memory_region": "r", "shared_memory_byte_size": 8}}
    request = {"inputs": [GOOD], "outputs": [{"name": "y"}]} | {tensors: [{**GOOD, **placed}]}
    why = rf"^{tensors}\[0\].parameters.shared_memory_region: there is no shared memory"
    with pytest.raises(InvalidInput, match=why):
        v2.read(orjson.dumps(request), "m")
