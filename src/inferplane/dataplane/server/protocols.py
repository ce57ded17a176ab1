"""The REST protocols as codecs: how a body becomes a payload, a result an answer, and a failure one too."""

from collections.abc import AsyncIterator, Mapping
from random import getrandbits

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.inference import v1, v2
from inferplane.inference.errors import InferenceError, Unimplemented
from inferplane.inference.tensors import InferRequest, InferResponse

# Content types that hold JSON. `curl -d` labels its body a form; nobody sends a model one.
_JSON_TYPES = {
    "",
    "application/json",
    "application/cloudevents+json",
    "application/ld+json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
}
_BINARY_LENGTH = "inference-header-content-length"


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _read_v1(body: bytes, headers: Headers, model: Model) -> object:
    if model.takes_arrays:
        return v1.read_arrays(body)
    return v1.read(body) if _media_type(headers) in _JSON_TYPES else body


def _write_v1(result: object, payload: object) -> Answer:
    if isinstance(result, bytes | str):
        return Answer(200, result.encode() if isinstance(result, str) else result, content_type=None)
    if isinstance(result, AsyncIterator):
        return Answer(200, result, content_type=None)
    return Answer(200, v1.write(result))


def _read_v2(body: bytes, headers: Headers, model: Model) -> object:
    if _BINARY_LENGTH in headers:
        raise Unimplemented(
            "binary tensor data is not supported", fix="send tensors as JSON, content-type application/json"
        )
    return v2.read(body, model.name)


def _new_id() -> str:
    """A random UUID (version 4). Python's own takes 2.5 µs, most of it for randomness that an id needs not have."""
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _write_v2(result: object, payload: object) -> Answer:
    if not isinstance(payload, InferRequest):
        raise InferenceError("a V2 answer needs a V2 request")
    if isinstance(result, InferResponse):
        return Answer(200, v2.write(result, payload, "" if result.id or payload.id else _new_id()))
    if isinstance(result, dict):
        return Answer(200, v1.write(result))
    raise InferenceError(f"expected an InferResponse or a dict from the model, got {type(result).__name__}")


V1 = Codec("v1", _read_v1, _write_v1, answers.of_error)
V2 = Codec("v2", _read_v2, _write_v2, answers.of_v2_error)
