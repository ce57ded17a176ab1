"""ModelInfer as a codec of the dispatch: message bytes → InferRequest, the model's result → message bytes."""

import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import cast

from google.protobuf.message import Message

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.batching.forms import JoiningForms
from inferplane.dataplane.server.calls import Codec, Headers, Joint
from inferplane.dataplane.server.grpc import status, versions
from inferplane.inference import v2
from inferplane.inference.errors import InferenceError, Unimplemented
from inferplane.inference.forms import Filled
from inferplane.inference.grpc import forms, requests, responses
from inferplane.inference.grpc.forms import MessageForm, MessageForms
from inferplane.inference.tensors import InferRequest, InferResponse


def _read(body: bytes, headers: Headers, model: Model) -> InferRequest:
    request = requests.read(body)
    versions.check(model.name, request.model_version)
    return request


def _write(result: object, payload: object) -> Answer:
    response = result if isinstance(result, InferResponse) else _response(result)
    if isinstance(response, Message):  # also one of kserve's or tritonclient's classes
        return Answer(200, response.SerializeToString(), status.CONTENT_TYPE)
    if not isinstance(payload, InferRequest):
        raise InferenceError("a gRPC answer needs a gRPC request")
    fallback_id = "" if response.id or payload.id else str(uuid.uuid4())
    wanted = payload.request_outputs
    outputs = v2.select(response, wanted) if wanted else response.outputs
    return Answer(200, responses.pieces(response, outputs, payload, fallback_id), status.CONTENT_TYPE)


def _response(result: object) -> InferResponse | Message:
    if isinstance(result, Message):
        return result
    if isinstance(result, dict):
        return InferResponse.from_rest(result)
    if isinstance(result, AsyncIterator | Iterator):
        raise Unimplemented("the model answers with a stream: call ModelStreamInfer on the gRPC port")
    raise InferenceError(f"expected an InferResponse, a message or a dict from the model, got {type(result).__name__}")


def _join(result: object, filled: Sequence[Filled]) -> list[bytes] | None:
    if not isinstance(result, InferResponse):
        return None
    form = cast(MessageForm, filled[0].form)
    ids = [one.id or str(uuid.uuid4()).encode("ascii") for one in filled]
    return forms.answers(result, [one.rows for one in filled], ids, raw=form.raw)


def _remember(body: bytes, payload: object, known: JoiningForms) -> None:
    if isinstance(payload, InferRequest):
        known.known(MessageForms).remember(body, payload)


_JOINT = Joint(lambda body, known: known.known(MessageForms).read(body), _remember, _join, status.CONTENT_TYPE)

GRPC = Codec("grpc", _read, _write, status.of_failure, _JOINT)


def joined(answer: Answer) -> bytes:
    """The message of an answer that is no stream."""
    if isinstance(answer.body, bytes):
        return answer.body
    if isinstance(answer.body, tuple):
        return answer.body[0] if len(answer.body) == 1 and type(answer.body[0]) is bytes else b"".join(answer.body)
    raise Unimplemented("the model answers with a stream", fix="call ModelStreamInfer on the gRPC port")
