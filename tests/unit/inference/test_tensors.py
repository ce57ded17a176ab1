"""The InferRequest family: KServe's behaviour, and where ours is wider."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inferplane.inference import v2, v2_client
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensors import InferInput, InferOutput, InferRequest, InferResponse, RequestedOutput

BODY = b'{"inputs":[{"name":"i","shape":[1,2],"datatype":"INT32","parameters":{"binary_data_size":8,"k":1}}]}'
TAIL = bytes.fromhex("0100000002000000")


def filled(values: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]", datatype: str, binary: bool) -> InferInput:
    tensor = InferInput("x", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_the_values_of_a_body_may_be_changed_without_touching_the_body() -> None:
    tensor = v2.read(BODY + TAIL, "m", len(BODY)).inputs[0]
    values = tensor.as_numpy()
    values[0, 0] = 7
    assert tensor.view().tolist() == [[1, 2]]
    assert not tensor.view().flags.writeable


def test_data_is_a_list_nested_as_it_came_and_changing_it_changes_the_tensor() -> None:
    for data in ([[1, 2]], [1, 2]):
        body = orjson.dumps({"inputs": [{"name": "i", "shape": [1, 2], "datatype": "INT32", "data": data}]})
        tensor = v2.read(body, "m").inputs[0]
        assert tensor.data == data
    assert isinstance(tensor.data, list)
    tensor.data[0] = 7
    assert tensor.as_numpy().tolist() == [[7, 2]]


def test_set_data_as_bytes_says_how_many_and_as_json_forgets_it() -> None:
    tensor = filled(np.array([1.5], dtype=np.float32), "FP32", True)
    assert (tensor.data, tensor.parameters) == (None, {"binary_data_size": 4})
    tensor.set_data_from_numpy(np.array([2.5], dtype=np.float32), binary_data=False)
    assert (tensor.data, tensor.raw_data, tensor.parameters) == ([2.5], None, {})


def test_text_arrays_of_every_kind_can_be_set() -> None:
    for values in (np.array(["a", "é"]), np.array([b"a", "é".encode()]), np.array(["a", b"\xc3\xa9"], dtype=object)):
        assert filled(values, "BYTES", False).data == ["a", "é"]
        assert filled(values, "BYTES", True).as_numpy().tolist() == [b"a", "é".encode()]


def test_bytes_that_are_no_text_need_the_binary_form() -> None:
    with pytest.raises(InferenceError, match=r"using UTF-8\. Please use binary_data=True"):
        filled(np.array([b"\xff"], dtype=object), "BYTES", False)


def test_rows_of_text_as_strings() -> None:
    assert InferInput("x", [2, 1], "BYTES", [[b"a"], [b"b"]]).as_string() == [["a"], ["b"]]
    with pytest.raises(InvalidInput, match="invalid datatype INT8 in the input"):
        InferInput("x", [1], "INT8", [1]).as_string()


def test_a_shape_that_the_values_do_not_have_is_the_clients_mistake() -> None:
    with pytest.raises(InvalidInput, match="cannot reshape array of size 2 into shape"):
        InferInput("x", [3], "INT8", [1, 2]).as_numpy()


@given(st.sampled_from([d for d in Datatype if d not in (Datatype.BYTES, Datatype.BF16)]), st.data(), st.booleans())
def test_a_request_survives_rest_and_grpc(datatype: Datatype, data: st.DataObject, binary: bool) -> None:
    binary = binary or datatype == Datatype.FP16
    kind = NUMPY[datatype]
    finite = {"allow_nan": False, "allow_infinity": False} if kind.kind == "f" else {}
    elements = hnp.from_dtype(kind, **finite)  # type: ignore[arg-type]  # the stub wants literal keywords
    values = data.draw(hnp.arrays(kind, hnp.array_shapes(max_dims=3, max_side=3), elements=elements))
    request = InferRequest("m", [filled(values, datatype, binary)], "7", model_version="2")
    body, length = v2_client.write_request(request)
    over_rest = v2.read(body, "m", length)
    over_grpc = InferRequest.from_grpc(request.to_grpc())
    for read in (over_rest, over_grpc):
        assert (read.id, read.inputs[0].datatype) == ("7", datatype)
        np.testing.assert_array_equal(read.inputs[0].as_numpy(), values)
    assert (over_grpc.from_grpc, over_grpc.model_version, over_rest.from_grpc) == (True, "2", False)


def test_a_response_survives_grpc_with_its_parameters() -> None:
    response = InferResponse("7", "m", [InferOutput("y", [2], "BYTES", ["a", "b"], {"n": 1})], parameters={"f": 1.5})
    read = InferResponse.from_grpc(response.to_grpc())
    assert read.outputs[0].as_numpy().tolist() == [b"a", b"b"]
    assert read.outputs[0].parameters == {"n": 1}
    assert v2_client.plain_parameters(read.parameters) == {"f": 1.5}


@pytest.mark.parametrize("binary", [True, False])
def test_a_message_that_was_read_is_written_as_it_came(binary: bool) -> None:
    given = InferRequest("m", [filled(np.array([1, 2]), "INT64", binary)], "7", parameters={"n": 1, "s": "x"})
    message = given.to_grpc()
    assert InferRequest.from_grpc(message).to_grpc() == message


def test_one_output_that_has_no_typed_contents_makes_all_raw() -> None:
    half = InferOutput("h", [1], "FP16", np.array([0.5], dtype=np.float16))
    message = InferResponse("7", "m", [InferOutput("y", [1], "INT64", [5]), half]).to_grpc()
    assert list(message.raw_output_contents) == [bytes([5, 0, 0, 0, 0, 0, 0, 0]), b"\x00\x38"]
    assert message.outputs[0].parameters["binary_data_size"].int64_param == 8


def test_raw_contents_are_for_all_inputs_or_none() -> None:
    message = InferRequest("m", [filled(np.array([1]), "INT64", True)]).to_grpc()
    message.inputs[0].contents.int64_contents.append(1)
    with pytest.raises(InvalidInput, match="contents field must not be specified when using raw_input_contents"):
        InferRequest.from_grpc(message)
    message.inputs[0].ClearField("contents")
    message.raw_input_contents.append(b"")
    with pytest.raises(
        InvalidInput, match=r"the number of inputs \(1\) does not match .* contents \(2\) for model 'm'"
    ):
        InferRequest.from_grpc(message)


def test_an_outputs_own_choice_comes_before_the_requests() -> None:
    outputs = [InferOutput(name, [1], "INT8", np.array([1], dtype=np.int8)) for name in "abc"]
    wanted = [RequestedOutput("c", {"binary_data": False}), RequestedOutput("a")]
    request = InferRequest("m", [], "7", parameters={"binary_data_output": True}, request_outputs=wanted)
    head, *tail = v2.encode(InferResponse(None, "m", outputs), request, "")
    assert head == (
        b'{"id":"7","model_name":"m","model_version":null,"outputs":[{"name":"c","shape":[1],"datatype":"INT8",'
        b'"data":[1]},{"name":"a","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":1}}]}'
    )
    assert tail == [b"\1"]


@pytest.mark.parametrize(
    ("body", "length", "message"),
    [
        (
            BODY + TAIL,
            len(BODY) + 9,
            "Inference-Header-Content-Length: expected 0 to 108, the size of the body, got 109",
        ),
        (BODY + TAIL, -1, "Inference-Header-Content-Length: expected 0 to 108, the size of the body, got -1"),
        (BODY + TAIL[:4], len(BODY), "inputs[0].parameters.binary_data_size: 8 bytes, and 4 are left in the body"),
        (BODY + TAIL + b"!", len(BODY), "1 bytes follow the last binary tensor: see binary_data_size of each tensor"),
    ],
)
def test_sizes_that_lie_are_refused(body: bytes, length: int, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v2.read(body, "m", length)
    assert str(caught.value) == message


def test_the_parameter_of_the_size_is_taken_off() -> None:
    assert v2.read(BODY + TAIL, "m", len(BODY)).inputs[0].parameters == {"k": 1}


def test_equal_is_by_value() -> None:
    one, other = (InferInput("x", [2], "FP32", data) for data in ([1, 2], np.array([1, 2], dtype=np.float32)))
    assert one == other
    assert one != InferInput("x", [2], "FP32", [1, 3])
    assert one != InferOutput("x", [2], "FP32", [1, 2])
    assert InferRequest("m", [one]) == InferRequest("m", [other])
