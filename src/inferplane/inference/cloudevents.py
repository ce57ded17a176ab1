"""CloudEvents 1.0 around V1: a request that is an event, in binary or structured mode, and the event that answers it.

Binary mode has the attributes in `ce-` headers and the payload as the body; structured mode has all of it in one JSON
object whose `data` is the payload. The answer comes in the mode of the request.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from inferplane.inference.errors import InvalidInput
from inferplane.kernel.json import Json, JsonObject

STRUCTURED = "application/cloudevents+json"
_PREFIX = "ce-"
_MANDATORY = ("specversion", "source", "type", "id")
_VERSIONS = ("1.0", "0.3")
_JSON_KINDS = ("application/json", STRUCTURED)


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the answering events. Empty texts mean the defaults; `merge` carries the request's other attributes over."""

    source: str = ""
    type: str = ""
    merge: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """`attributes` without `data`."""

    attributes: Mapping[str, Json]
    data: Json | bytes
    structured: bool


@dataclass(frozen=True, slots=True)
class Reply:
    content_type: str
    headers: Mapping[str, str]
    body: bytes


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether all mandatory attributes are among the headers."""
    return all(_PREFIX + name in headers for name in _MANDATORY)


def is_envelope(payload: object) -> bool:
    """Whether a JSON body is an event, whatever its content type says."""
    return isinstance(payload, dict) and "data" in payload and all(name in payload for name in _MANDATORY)


def read_binary(headers: Mapping[str, str], body: bytes) -> Event:
    """Data that is no JSON stays bytes, unless the event says that it is JSON."""
    attributes: dict[str, Json] = {
        name.removeprefix(_PREFIX): value for name, value in headers.items() if name.startswith(_PREFIX)
    }
    _check(attributes)
    data: Json | bytes
    try:
        data = orjson.loads(bytes(body).decode())
    except ValueError as error:  # UnicodeDecodeError is one
        kinds = (headers.get(name, "").partition(";")[0].strip() for name in ("ce-content-type", "content-type"))
        if any(kind in _JSON_KINDS for kind in kinds):
            raise InvalidInput(f"Failed to decode or parse binary json cloudevent: {error}") from error
        data = body
    return Event(attributes, data, structured=False)


def read_structured(payload: object) -> Event:
    if not isinstance(payload, dict):
        raise InvalidInput("Cloud Event Exceptions: expected a JSON object with the event's attributes")
    missing = [name for name in _MANDATORY if name not in payload]
    if missing:
        raise InvalidInput(f"Cloud Event Exceptions: attributes are missing: {', '.join(missing)}")
    if "data" not in payload:
        raise InvalidInput("Cloud Event Exceptions: the event has no data")
    attributes: JsonObject = {name: value for name, value in payload.items() if name != "data"}
    _check(attributes)
    return Event(attributes, payload["data"], structured=True)


def _check(attributes: Mapping[str, Json]) -> None:
    if attributes["specversion"] not in _VERSIONS:
        raise InvalidInput(f"Cloud Event Exceptions: Found invalid specversion {attributes['specversion']}")


def reply(event: Event, data: bytes, model: str, settings: Settings, id: str, time: str) -> Reply:
    """The event that answers `event` with `data`, which is JSON. `time` is RFC 3339 text."""
    attributes: JsonObject = {
        "specversion": "1.0",
        "id": id,
        "source": settings.source or f"io.kserve.inference.{model}",
        "type": settings.type or "io.kserve.inference.response",
        "time": time,
    }
    if settings.merge:
        kept = {name: value for name, value in event.attributes.items() if name not in attributes}
        attributes = {**kept, **attributes}
    payload: Json = orjson.loads(data)
    if event.structured:
        return Reply(STRUCTURED, {}, _text({**attributes, "data": payload}))
    # The body's type is said by its own header.
    headers = {_PREFIX + name: str(value) for name, value in attributes.items() if name != "datacontenttype"}
    return Reply("application/json", headers, _text(payload))


def _text(value: Json) -> bytes:
    """With a blank after commas and colons, as the CloudEvents SDK writes it and KServe's clients compare it."""
    return json.dumps(value).encode()
