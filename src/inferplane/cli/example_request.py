"""The request of `inferplane predict NAME --example`: the model's own example, else one made from its metadata."""

from collections.abc import Callable

import aiohttp
import msgspec

from inferplane.cli.prediction import Target, fetch
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

PREDICT, INFER = "/v1/models/{model}:predict", "/v2/models/{model}/infer"


async def example(session: aiohttp.ClientSession, at: Callable[[str], Target], model: str) -> JsonObject:
    """`at`: where a path of the service is asked for. Raises InferplaneError where the server tells nothing."""
    own = described(_document(await fetch(session, at("/openapi.json"))), model)
    return own if own is not None else made(_document(await fetch(session, at(f"/v2/models/{model}"))), model)


def _document(content: bytes | None) -> JsonObject:
    try:
        found: Json = msgspec.json.decode(content or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    return found if isinstance(found, dict) else {}


def described(description: JsonObject, model: str) -> JsonObject | None:
    """The example of the model in the server's OpenAPI description."""
    for path in (PREDICT, INFER):
        body = object_at(description, "paths", path, "post", "requestBody", "content", "application/json")
        found = object_at(body, "examples", model, "value")
        if found:
            return found
    return None


def made(metadata: JsonObject, model: str) -> JsonObject:
    """A request of V2 with zeros, empty texts, and one row where any number will do."""
    inputs = [one for one in list_at(metadata, "inputs") if isinstance(one, dict)]
    if not inputs:
        raise InferplaneError(
            f"{model} has no example, and its metadata names no inputs",
            fix="put a request into example.json beside the model, or give one with -d",
        )
    return {"inputs": [_tensor(one) for one in inputs]}


def _tensor(told: JsonObject) -> JsonObject:
    shape = [size if isinstance(size, int) and size >= 0 else 1 for size in list_at(told, "shape")]
    datatype = text_at(told, "datatype")
    count = 1
    for size in shape:
        count *= size
    value: Json = "" if datatype == "BYTES" else False if datatype == "BOOL" else 0
    return {"name": text_at(told, "name"), "shape": [*shape], "datatype": datatype, "data": [value] * count}
