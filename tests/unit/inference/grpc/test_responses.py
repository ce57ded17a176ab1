import numpy as np
import pytest

from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.grpc import requests, responses
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferResponse
from inferplane.inference.tensors import InferInput, InferOutput, InferRequest, InferResponse


def asked(raw: bool, id: str = "asked") -> InferRequest:
    request = InferRequest("m", [InferInput("x", [1], "INT32", [1])], id)
    return requests.read(requests.write(request, raw=raw))


def response(*outputs: InferOutput, id: str | None = None) -> InferResponse:
    return InferResponse(id, "m", list(outputs))


NUMBERS = InferOutput.decoded("y", "FP32", np.array([[1.5, 2.5]], np.float32))


def written(answer: InferResponse, request: InferRequest, fallback_id: str = "") -> ModelInferResponse:
    pieces = responses.pieces(answer, answer.outputs, request, fallback_id)
    return ModelInferResponse.FromString(pieces if isinstance(pieces, bytes) else b"".join(pieces))


def test_a_typed_request_gets_typed_contents() -> None:
    message = written(response(NUMBERS), asked(raw=False))
    assert list(message.outputs[0].contents.fp32_contents) == [1.5, 2.5]
    assert not message.raw_output_contents


def test_a_raw_request_gets_raw_contents_with_their_size() -> None:
    message = written(response(NUMBERS), asked(raw=True))
    assert message.raw_output_contents[0] == np.array([1.5, 2.5], np.float32).tobytes()
    assert message.outputs[0].parameters["binary_data_size"].int64_param == 8


def test_one_output_without_typed_contents_makes_all_raw() -> None:
    half = InferOutput.decoded("h", "FP16", np.array([1], np.float16))
    message = written(response(NUMBERS, half), asked(raw=False))
    assert [len(raw) for raw in message.raw_output_contents] == [8, 2]


def test_a_large_answer_comes_in_pieces_that_are_one_message() -> None:
    values = np.arange(100_000, dtype=np.float32)
    answer = response(InferOutput.decoded("y", "FP32", values), NUMBERS)
    pieces = responses.pieces(answer, answer.outputs, asked(raw=True), "")
    assert isinstance(pieces, tuple)
    back = responses.read(b"".join(pieces))
    assert [output.name for output in back.outputs] == ["y", "y"]
    assert (back.outputs[0].view() == values).all()


@pytest.mark.parametrize(
    ("own", "requested", "id"), [("own", "asked", "own"), (None, "asked", "asked"), (None, "", "made up")]
)
def test_the_id_is_the_answers_the_requests_or_a_new_one(own: str | None, requested: str, id: str) -> None:
    assert written(response(NUMBERS, id=own), asked(False, requested), "made up").id == id


def test_names_parameters_and_versions_come_back_as_they_were() -> None:
    sent = InferResponse("seven", "m", [NUMBERS], "3", parameters={"took": 1.5})
    back = responses.read(responses.to_message(sent).SerializeToString())
    assert (back.id, back.model_name, back.model_version, back.parameters) == ("seven", "m", "3", {"took": 1.5})
    assert back.outputs[0].view().tolist() == [[1.5, 2.5]]


def test_text_and_bytes_become_bytes() -> None:
    text = InferOutput.decoded("t", "BYTES", np.array(["é", b"\xff"], dtype=object))
    assert list(written(response(text), asked(raw=False)).outputs[0].contents.bytes_contents) == [b"\xc3\xa9", b"\xff"]


def test_as_many_raw_contents_as_outputs_are_needed() -> None:
    message = responses.to_message(response(NUMBERS), raw=True)
    message.raw_output_contents.append(b"")
    with pytest.raises(InvalidInput, match="expected 1 entries, one an output, got 2"):
        responses.from_message(message)


def test_what_is_no_message_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"inference\.ModelInferResponse"):
        responses.read(b"\xff")
