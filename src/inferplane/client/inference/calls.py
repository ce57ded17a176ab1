"""Requests and answers as values, whatever carries them: model and payload → Call, Reply → payload. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote, urlsplit

import orjson

from inferplane.client.inference.errors import BadAnswer, ClientError, refused
from inferplane.inference import v2_client
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferRequest, InferResponse
from inferplane.kernel.json import Json, JsonObject

JSON_LENGTH = "inference-header-content-length"
JSON = {"content-type": "application/json"}
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC


@dataclass(frozen=True, slots=True)
class Call:
    """`path` begins with a slash and is appended to the endpoint's."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """Header names in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where calls go: `http(s)://host[:port][/path]`. `host` is the Host header when it differs from the URL's."""

    url: str
    host: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(
                self.url, "expected a URL like http://localhost:8080 or https://models.example/serving/iris"
            )
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def of(self, call: Call) -> str:
        return self.url + call.path


def predict(model: str, payload: object, verb: str = "predict") -> Call:
    """V1. `payload` is the whole body: an object with `instances` or `inputs`."""
    return Call("POST", f"/v1/models/{quote(model, safe='')}:{verb}", orjson.dumps(payload, option=_OPTIONS), JSON)


def infer(request: InferRequest) -> Call:
    """V2; binary tensor data where an input is raw."""
    body, json_length = v2_client.write_request(request)
    version = f"/versions/{quote(request.model_version, safe='')}" if request.model_version else ""
    path = f"/v2/models/{quote(request.model_name, safe='')}{version}/infer"
    if json_length is None:
        return Call("POST", path, body, JSON)
    return Call("POST", path, body, {"content-type": "application/octet-stream", JSON_LENGTH: str(json_length)})


def get(path: str) -> Call:
    return Call("GET", path)


def metadata(model: str | None) -> Call:
    """V2 metadata of the server, or of one model."""
    return get("/v2" if model is None else f"/v2/models/{quote(model, safe='')}")


def model_ready(model: str, protocol: str) -> Call:
    name = quote(model, safe="")
    return get(f"/v1/models/{name}" if protocol == "v1" else f"/v2/models/{name}/ready")


def succeeded(reply: Reply) -> Reply:
    """The reply itself; raises Refused for any status but 2xx."""
    if not 200 <= reply.status < 300:
        raise refused(reply.url, reply.status, reply.body, reply.headers)
    return reply


def json_of(reply: Reply) -> Json:
    try:
        return cast(Json, orjson.loads(succeeded(reply).body))
    except orjson.JSONDecodeError as error:
        raise BadAnswer(reply.url, f"the answer is not JSON: {error}", fix="is this an inference server?") from error


def object_of(reply: Reply) -> JsonObject:
    value = json_of(reply)
    if not isinstance(value, dict):
        raise BadAnswer(reply.url, f"expected a JSON object, got a {type(value).__name__}", fix="check the URL")
    return value


def response_of(reply: Reply) -> InferResponse:
    body = succeeded(reply).body
    length = reply.headers.get(JSON_LENGTH)
    try:
        return v2_client.read_response(body, len(body) if length is None else int(length))
    except (InvalidInput, ValueError) as error:
        raise BadAnswer(reply.url, f"not a V2 answer: {error}", fix="is this a V2 endpoint?") from error


def names(reply: Reply) -> Sequence[str]:
    models = object_of(reply).get("models")
    return [name for name in models if isinstance(name, str)] if isinstance(models, list) else []
