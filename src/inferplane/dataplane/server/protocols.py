"""The REST protocols as codecs: how a body becomes a payload, a result an answer, and a failure one too."""

import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime

from inferplane.dataplane.model.metadata import described
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.parts import as_bytes
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer, with_headers
from inferplane.dataplane.server.batching import bodies
from inferplane.dataplane.server.batching.forms import JoiningForms
from inferplane.dataplane.server.calls import Codec, Headers, Joint
from inferplane.dataplane.server.ids import new_id
from inferplane.inference import cloudevents, codecs, forms, joint_answers, v1, v2
from inferplane.inference.binary import Buffer
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InferenceError, InvalidInput, Unimplemented, UnsupportedMedia
from inferplane.inference.forms import Filled, V2Forms
from inferplane.inference.tensors import InferRequest, InferResponse, TensorMetadata

# Content types that hold JSON. `curl -d` labels its body a form; nobody sends a model one.
_JSON_TYPES = {
    "",
    "application/json",
    "application/cloudevents+json",
    "application/ld+json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
}
_FOR_BINARY = "application/octet-stream"
_BINARY_LENGTH = "inference-header-content-length"


def media_type(headers: Mapping[str, str]) -> str:
    """Without parameters, in lower case; empty when there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def v1_codec(headers: Headers, events: cloudevents.Settings) -> Codec:
    """V1's, or, for a request that says to be a CloudEvent, one of its own."""
    if "ce-specversion" in headers and cloudevents.is_binary(headers):
        return _EventCodec(events, binary=True).codec()
    kind = headers.get("content-type")
    if kind is not None and kind != _JSON and media_type(headers) == cloudevents.STRUCTURED:
        return _EventCodec(events, binary=False).codec()
    return V1


_JSON = "application/json"


def _read_v1(body: bytes, headers: Headers, model: Model) -> object:
    kind = headers.get("content-type", _JSON)
    if kind != _JSON and media_type(headers) not in _JSON_TYPES:
        if model.takes_arrays:
            raise UnsupportedMedia(f"content type {kind[:80]} is not understood by this model", fix=f"send {_JSON}")
        return bytes(body)
    payload = v1.read_arrays(body) if model.takes_arrays else v1.read(body)
    if type(payload) is dict and "specversion" in payload and cloudevents.is_envelope(payload):
        return cloudevents.read_structured(v1.read(body)).data
    return payload


def _write_v1(result: object, payload: object) -> Answer:
    if isinstance(result, bytes | str):
        return Answer(200, result.encode() if isinstance(result, str) else result, content_type=None)
    if isinstance(result, AsyncIterator):
        return Answer(200, as_bytes(result), content_type=None)
    return Answer(200, v1.write(result))


def _labelled_v1(answer: Answer, batch: str) -> Answer:
    """Objects alone: a model's own bytes and streams are nobody's predictions."""
    body = answer.body
    if not isinstance(body, bytes) or body[:1] != b"{" or answer.content_type != answers.JSON:
        return answer
    return Answer(answer.status, bodies.labelled(body, batch), answer.content_type, answer.headers)


class _EventCodec:
    """Of one request: the event that it is has to be known when it is answered."""

    def __init__(self, settings: cloudevents.Settings, *, binary: bool) -> None:
        self._settings = settings
        self._binary = binary
        self._event: cloudevents.Event | None = None
        self._model = ""

    def codec(self) -> Codec:
        return Codec("v1", self._read, self._write, answers.of_error)

    def _read(self, body: bytes, headers: Headers, model: Model) -> object:
        self._model = model.name
        self._event = (
            cloudevents.read_binary(headers, body) if self._binary else cloudevents.read_structured(v1.read(body))
        )
        return self._event.data

    def _write(self, result: object, payload: object) -> Answer:
        if self._event is None or isinstance(result, bytes | str | AsyncIterator):
            return _write_v1(result, payload)
        now = datetime.now(UTC).isoformat()
        reply = cloudevents.reply(self._event, v1.write(result), self._model, self._settings, new_id(), now)
        return with_headers(Answer(200, reply.body, reply.content_type.encode()), reply.headers)


def _read_v2(body: bytes, headers: Headers, model: Model) -> object:
    length = headers.get(_BINARY_LENGTH)
    if length is None and headers.get("content-type", _JSON) != _JSON:
        _check_is_json(headers)
    if length is None:
        request = v2.read(body, model.name)
    else:
        size = _length(length)
        request = v2.read(body, model.name, size) if size else v2.read_raw(body, model.name, model_types(model))
    if model.takes_arrays and request.inputs[0].datatype == Datatype.BYTES:
        codecs.apply(request)
    return request


def _check_is_json(headers: Headers) -> None:
    kind = media_type(headers)
    if kind == _FOR_BINARY:
        raise InvalidInput("received byte inputs, but the 'inference-header-content-length' header is missing.")
    if kind not in _JSON_TYPES:
        raise UnsupportedMedia(
            f"content type {kind[:80]} is not understood",
            fix=f"send {_JSON}, or {_FOR_BINARY} with Inference-Header-Content-Length",
        )


def _length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise InvalidInput(f"Inference-Header-Content-Length: expected a number of bytes, got {text[:40]!r}")
    return int(text)


def model_types(model: Model) -> Sequence[TensorMetadata]:
    """The model's inputs as it tells them; InvalidInput when it takes an await to tell."""
    types = model.get_input_types()
    if inspect.isawaitable(types):
        raise InvalidInput("this model tells its inputs only asynchronously, and this request depends on them")
    return described(types)


def _write_v2(result: object, payload: object) -> Answer:
    if not isinstance(payload, InferRequest):
        raise InferenceError("a V2 answer needs a V2 request")
    if isinstance(result, InferResponse):
        return _encoded(v2.encode(result, payload, "" if result.id or payload.id else new_id()))
    if isinstance(result, dict):
        return Answer(200, v1.write(result))
    if isinstance(result, AsyncIterator):
        raise Unimplemented("the model answers in several parts", fix="use infer_stream or generate_stream")
    raise InferenceError(f"expected an InferResponse or a dict from the model, got {type(result).__name__}")


def _encoded(body: bytes | list[Buffer]) -> Answer:
    if isinstance(body, bytes):
        return Answer(200, body)
    length = (_BINARY_LENGTH.encode(), b"%d" % len(body[0]))
    return Answer(200, tuple(body), _FOR_BINARY.encode(), (length,))


def _join_v1(result: object, filled: Sequence[Filled]) -> list[bytes] | None:
    return joint_answers.v1(result, [one.rows for one in filled])


def _join_v2(result: object, filled: Sequence[Filled]) -> list[bytes] | None:
    if not isinstance(result, InferResponse):
        return None
    ids = [one.id or new_id().encode("ascii") for one in filled]
    return joint_answers.v2(result, [one.rows for one in filled], ids)


def _remember_v2(body: bytes, payload: object, known: JoiningForms) -> None:
    if isinstance(payload, InferRequest):
        known.known(V2Forms).remember(body, payload)


def _nothing_to_remember(body: bytes, payload: object, known: JoiningForms) -> None:
    """V1's forms are known by themselves."""


_V1 = Joint(lambda body, known: forms.v1(body), _nothing_to_remember, _join_v1)
_V2 = Joint(lambda body, known: known.known(V2Forms).read(body), _remember_v2, _join_v2)

V1 = Codec("v1", _read_v1, _write_v1, answers.of_error, _V1, _labelled_v1)
V2 = Codec("v2", _read_v2, _write_v2, answers.of_v2_error, _V2)
