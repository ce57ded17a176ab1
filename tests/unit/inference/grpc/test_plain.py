"""What is read and written by hand is what protobuf reads and writes."""

from itertools import chain

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.grpc import plain, requests, responses
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse
from inferplane.inference.tensors import InferInput, InferOutput, InferRequest, InferResponse

NUMBERS = [kind for kind in Datatype if kind not in (Datatype.BYTES, Datatype.FP16, Datatype.BF16)]
TEXTS = st.text(max_size=8)
SHAPES = st.lists(st.integers(0, 3), max_size=3)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Datatype, np.ndarray]:
    datatype = draw(st.sampled_from(NUMBERS))
    shape = draw(SHAPES)
    values = draw(st.lists(st.integers(0, 200), min_size=27, max_size=27))
    size = int(np.prod(shape, dtype=int))
    return datatype, np.array(values[:size]).astype(np.int8).astype(NUMPY[datatype]).reshape(shape)


TENSORS = st.lists(st.tuples(TEXTS, arrays()), min_size=1, max_size=3)


def message(name: str, version: str, id: str, tensors: list[InferInput], *, raw: bool) -> bytes:
    return requests.write(InferRequest(name, tensors, id, model_version=version), raw=raw)


def told(request: InferRequest) -> object:
    tensors = [
        (one.name, one.datatype, one.view().dtype, list(one.shape), one.view().tolist()) for one in request.inputs
    ]
    return request.model_name, request.model_version, request.id, request.use_binary_outputs, tensors


@given(TEXTS, TEXTS, TEXTS, TENSORS, st.booleans())
def test_a_request_is_read_as_protobuf_reads_it(
    name: str, version: str, id: str, tensors: list[tuple[str, tuple[Datatype, np.ndarray]]], raw: bool
) -> None:
    inputs = [InferInput.decoded(label, kind, values) for label, (kind, values) in tensors]
    body = message(name, version, id, inputs, raw=raw)
    assert told(requests.read(body)) == told(requests.from_message(requests.parsed(body)))


@given(st.data())
def test_what_is_not_as_it_should_be_is_left_to_protobuf_or_read_alike(data: st.DataObject) -> None:
    tensor = InferInput.decoded("x", "FP32", np.ones((1, 2), np.float32))
    body = bytearray(message("m", "", "i", [tensor], raw=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    found = plain.read(bytes(body))
    if found is not None:
        try:
            expected = requests.from_message(ModelInferRequest.FromString(bytes(body)))
        except (DecodeError, InvalidInput) as error:
            raise AssertionError(f"protobuf refuses what was read as {found}") from error
        assert repr(told(requests.read(bytes(body)))) == repr(told(expected))


@pytest.mark.parametrize("tag", [b"\x0a", b"\x12", b"\x1a"], ids=["model_name", "model_version", "id"])
def test_a_text_that_comes_twice_is_left_to_protobuf_which_reads_the_first_one_too(tag: bytes) -> None:
    tensor = InferInput.decoded("x", "FP32", np.ones((1, 2), np.float32))
    body = message("m", "1", "i", [tensor], raw=False)
    assert plain.read(body) is not None
    assert plain.read(tag + b"\x01\x80" + body) is None  # no UTF-8
    with pytest.raises(DecodeError):
        ModelInferRequest.FromString(tag + b"\x01\x80" + body)


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_typed_floats_are_plain_and_the_model_may_write_into_them(datatype: str) -> None:
    values = np.ones((2, 2), NUMPY[Datatype(datatype)])
    found = plain.read(message("m", "", "i", [InferInput.decoded("x", datatype, values)], raw=False))
    assert found is not None
    assert found.inputs[0].view().flags.writeable
    assert found.inputs[0].view().flags.aligned


def test_a_request_with_parameters_or_wanted_outputs_is_not_plain() -> None:
    for extra in (
        ModelInferRequest(outputs=[ModelInferRequest.InferRequestedOutputTensor(name="y")]),
        ModelInferRequest(inputs=[ModelInferRequest.InferInputTensor(name="x", datatype="BYTES")]),
    ):
        body = message("m", "", "", [InferInput.decoded("x", "FP32", np.ones(1, np.float32))], raw=False)
        assert plain.read(body + extra.SerializeToString()) is None


@given(TEXTS, TEXTS, TEXTS, TENSORS, st.booleans())
def test_a_response_is_written_as_protobuf_writes_it(
    name: str, version: str, id: str, tensors: list[tuple[str, tuple[Datatype, np.ndarray]]], raw: bool
) -> None:
    outputs = [InferOutput.decoded(label, kind, values) for label, (kind, values) in tensors]
    response = InferResponse(id, name, outputs, model_version=version)
    request = requests.read(
        message("m", "", "fallback", [InferInput.decoded("x", "FP32", np.ones(1, np.float32))], raw=raw)
    )
    pieces = responses.pieces(response, outputs, request, "")
    written = pieces if isinstance(pieces, bytes) else b"".join(pieces)
    expected = responses.to_message(InferResponse(id or "fallback", name, outputs, model_version=version), raw=raw)
    if raw:
        for entry, size in zip(expected.outputs, map(len, expected.raw_output_contents), strict=True):
            entry.parameters["binary_data_size"].int64_param = size
    assert ModelInferResponse.FromString(written) == expected


def test_the_bytes_of_a_typed_answer_are_protobufs_own() -> None:
    outputs = [
        InferOutput.decoded("a", "INT64", np.array([1, 127])),
        InferOutput.decoded("b", "FP32", np.array([[0.5], [1.5]], np.float32)),
    ]
    expected = responses.to_message(InferResponse("i", "m", outputs), raw=False).SerializeToString(deterministic=True)
    assert plain.write("m", "", "i", outputs, None) == expected


@pytest.mark.parametrize("values", [[-1], [128], list(range(100))])
def test_numbers_that_need_more_than_a_byte_or_are_many_are_left_to_protobuf(values: list[int]) -> None:
    assert plain.write("m", "", "i", [InferOutput.decoded("a", "INT64", np.array(values))], None) is None


def test_descriptions_are_remembered_up_to_a_number() -> None:
    for number in chain(range(600), range(5)):
        values = np.ones(1, np.float32)
        found = plain.read(message("m", "", "", [InferInput.decoded(f"x{number}", "FP32", values)], raw=False))
        assert found is not None
        assert found.inputs[0].name == f"x{number}"
    assert len(plain._descriptions) <= 512
