import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.grpc import requests
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest
from inferplane.inference.tensors import InferInput, InferRequest, RequestedOutput

VALUES: dict[str, list[object]] = {
    "BOOL": [True, False],
    "UINT8": [0, 255],
    "UINT16": [0, 65535],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "INT8": [-128, 127],
    "INT16": [-32768, 32767],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "FP16": [0.5, -2.0],
    "BF16": [0.5, -2.0],
    "FP32": [0.5, -2.0],
    "FP64": [1e300, 0.1],
    "BYTES": [b"a", b"\xff\x00"],
}
TYPED = sorted(set(VALUES) - {"FP16", "BF16"})


def tensor(datatype: str, values: list[object] | None = None, shape: list[int] | None = None) -> InferInput:
    found = VALUES[datatype] if values is None else values
    return InferInput("x", shape or [len(found)], datatype, found)


def request(*inputs: InferInput) -> InferRequest:
    return InferRequest("m", list(inputs), "id")


def test_every_datatype_has_a_sample() -> None:
    assert set(VALUES) == set(Datatype)


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_contents_come_back_as_they_were(datatype: str) -> None:
    found = requests.read(requests.write(request(tensor(datatype)), raw=False))
    assert found.inputs[0].view().tolist() == VALUES[datatype]
    assert not found.use_binary_outputs


@pytest.mark.parametrize("datatype", sorted(VALUES))
def test_raw_contents_come_back_as_they_were(datatype: str) -> None:
    found = requests.read(requests.write(request(tensor(datatype)), raw=True))
    assert found.inputs[0].view().tolist() == VALUES[datatype]
    assert found.use_binary_outputs


def test_names_versions_ids_parameters_and_outputs_come_back_as_they_were() -> None:
    sent = InferRequest(
        "m",
        [InferInput("x", [1], "INT32", [1], {"scale": 0.5})],
        "seven",
        parameters={"on": True, "n": -1, "big": 2**63, "text": "é", "part": 1.5},
        request_outputs=[RequestedOutput("b", {"classification": 2}), RequestedOutput("a")],
        model_version="3",
    )
    found = requests.read(requests.write(sent, raw=False))
    assert (found.model_name, found.id, found.model_version) == ("m", "seven", "3")
    assert found.parameters == sent.parameters
    assert found.inputs[0].parameters == {"scale": 0.5}
    assert found.request_outputs == sent.request_outputs
    assert found.from_grpc


def test_a_type_without_typed_contents_makes_a_request_raw() -> None:
    assert requests.to_message(request(tensor("FP16"))).raw_input_contents
    assert not requests.to_message(request(tensor("INT32"))).raw_input_contents


def test_one_minus_one_in_a_shape_stands_for_what_is_left() -> None:
    found = requests.read(requests.write(request(tensor("INT32", [1, 2, 3, 4])), raw=False))
    message = requests.to_message(found, raw=False)
    message.inputs[0].shape[:] = [2, -1]
    assert requests.from_message(message).inputs[0].view().shape == (2, 2)


def broken(raw: bool, **changes: object) -> ModelInferRequest:
    message = requests.to_message(request(tensor("INT32", [1, 2])), raw=raw)
    for field, value in changes.items():
        if field == "shape":
            assert isinstance(value, list)
            message.inputs[0].shape[:] = value
        else:
            setattr(message.inputs[0], field, value)
    return message


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (broken(False, shape=[3]), "int_contents does not fill the shape: expected 3 values for [3], got 2"),
        (broken(False, shape=[-2]), "inputs[0].shape: sizes are 0 or more, and at most one is -1, got [-2]"),
        (broken(False, shape=[2**62, 2**62]), "expected 21267647932558653966460912964485513216 values"),
        (broken(False, datatype="FP32"), "expected fp32_contents for FP32, got int_contents"),
        (broken(False, datatype="FP16"), "FP16 travels in raw_input_contents only"),
        (broken(False, datatype="FLOAT"), "inputs[0].datatype: expected one of BOOL"),
        (broken(True, shape=[3]), "raw_input_contents[0]: binary data does not fill the shape [3]"),
        (broken(True, datatype="FP64", shape=[1, 2]), "raw_input_contents[0]"),
    ],
)
def test_what_does_not_fit_is_named(message: ModelInferRequest, complaint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        requests.read(message.SerializeToString())
    assert complaint in str(caught.value)


def test_a_number_outside_its_type_is_named() -> None:
    message = requests.to_message(request(tensor("INT32", [1, 300])), raw=False)
    message.inputs[0].datatype = "INT8"
    with pytest.raises(InvalidInput, match=r"inputs\[0\].contents.int_contents\[1\]: 300 does not fit INT8"):
        requests.from_message(message)


def test_as_many_raw_contents_as_inputs_are_needed() -> None:
    message = requests.to_message(request(tensor("INT32")), raw=True)
    message.raw_input_contents.append(b"")
    with pytest.raises(InvalidInput, match=r"the number of inputs \(1\) does not match .* raw input contents \(2\)"):
        requests.from_message(message)


def test_raw_and_typed_contents_do_not_mix() -> None:
    message = requests.to_message(request(tensor("INT32")), raw=True)
    message.inputs[0].contents.int_contents.append(1)
    with pytest.raises(InvalidInput, match="contents field must not be specified when using raw_input_contents"):
        requests.from_message(message)


def test_a_request_without_inputs_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at least one input"):
        requests.from_message(ModelInferRequest(model_name="m"))


def test_a_parameter_without_a_value_is_refused() -> None:
    message = requests.to_message(request(tensor("INT32")), raw=False)
    message.parameters["empty"].SetInParent()
    with pytest.raises(InvalidInput, match=r"parameters\[empty\]"):
        requests.from_message(message)


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05abc", b"{}"])
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match=r"inference\.ModelInferRequest"):
        requests.read(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        requests.read(body)
    except (InvalidInput, Malformed):
        pass


@given(st.integers(0, 40_000), st.sampled_from(["FP32", "FP64", "UINT8"]))
def test_large_messages_are_read_as_small_ones(size: int, datatype: str) -> None:
    values = np.arange(size) % 251
    sent = InferInput.decoded("x", datatype, values.astype({"FP32": "f4", "FP64": "f8", "UINT8": "u1"}[datatype]))
    body = requests.write(request(sent, tensor("BYTES")), raw=True)
    there, whole = requests.read(body), requests.from_message(requests.parsed(body))
    assert there == whole
    assert there.inputs[0].view().flags.aligned


def test_an_output_in_shared_memory_is_refused_by_name() -> None:
    message = ModelInferRequest(model_name="m")
    message.inputs.add(name="x", datatype="INT32", shape=[1]).contents.int_contents.append(1)
    message.outputs.add(name="y").parameters["shared_memory_region"].string_param = "r"
    with pytest.raises(InvalidInput, match="shared_memory_region: there is no shared memory here"):
        requests.read(message.SerializeToString())
