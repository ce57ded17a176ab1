"""Request bodies: JSON, YAML or protobuf into objects, with the duplicate fields that lenient parsers swallow.

Numbers are as Go writes them after a decode and an encode: `3.0` is `3`.
"""

import json
import math
import re
from dataclasses import dataclass

import msgspec
import yaml

from inferplane.controlplane.apiserver.errors import bad_request, unsupported_media_type
from inferplane.controlplane.apiserver.protobuf import decoding as protobuf
from inferplane.kernel.json import Json, JsonObject

JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "application/apply-patch+yaml", "text/yaml")


@dataclass(frozen=True, slots=True)
class Body:
    """`text` is JSON, empty for what came in another form."""

    object: JsonObject
    text: bytes = b""

    @property
    def duplicates(self) -> tuple[str, ...]:
        """The paths of fields that were written twice (the last one counts)."""
        return duplicates(self.text) if self.text else ()


def media_type(content_type: str) -> str:
    return content_type.split(";", 1)[0].strip().lower()


def read_object(raw: bytes, content_type: str) -> Body:
    """Raises 415 for a type that is none of these, and 400 for anything that isn't one object."""
    media = media_type(content_type)
    if media == protobuf.MEDIA_TYPE:
        return Body(plain_numbers(protobuf.decode(raw)))
    if media not in JSON_TYPES and media not in YAML_TYPES:
        raise unsupported_media_type(("application/json", "application/yaml"))
    if not raw.strip():
        raise bad_request("the body of the request is empty: expected an object")
    value = read_json(raw) if media not in YAML_TYPES or raw.lstrip()[:1] == b"{" else read_yaml(raw)
    if not isinstance(value, dict):
        raise bad_request(f"the body of the request is not an object: {raw[:40].decode(errors='replace')}")
    return Body(value, raw if raw.lstrip()[:1] == b"{" else b"")


def read_json(raw: bytes) -> Json:
    try:
        value = _json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body of the request is not JSON: {error}") from error
    return value


def _plain_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise msgspec.ValidationError("Number out of range")
    return _plain_float(value)


def _plain_float(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


# While it reads, which costs nothing; a walk over the object would take longer than reading it.
_json: msgspec.json.Decoder[Json] = msgspec.json.Decoder(float_hook=_plain_number)


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: times stay strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(raw: bytes) -> Json:
    try:
        value: Json = yaml.load(raw, _Loader)  # a subclass of the safe loader
    except yaml.YAMLError as error:
        text = re.sub(r"\s+", " ", str(error))
        raise bad_request(f"error decoding YAML: {text}") from error
    return _plain(value)


def plain_numbers(obj: JsonObject) -> JsonObject:
    """The same object when there is none to change."""
    changed = _plain(obj)
    return changed if isinstance(changed, dict) else obj


def _plain(value: Json) -> Json:
    if isinstance(value, float):
        return _plain_float(value) if math.isfinite(value) else value
    if isinstance(value, dict):
        parts = {key: _plain(child) for key, child in value.items() if isinstance(child, float | dict | list)}
        return value | parts if any(value[key] is not part for key, part in parts.items()) else value
    if isinstance(value, list):
        items = [_plain(child) if isinstance(child, float | dict | list) else child for child in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value


class _Doubled(Exception):
    pass


def duplicates(raw: bytes) -> tuple[str, ...]:
    """The paths of fields that occur twice in one object of a JSON text."""
    try:
        json.loads(raw, object_pairs_hook=_check)
    except _Doubled:
        return tuple(_find(json.loads(raw, object_pairs_hook=_Pairs), ""))
    return ()


class _Pairs:
    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _check(pairs: list[tuple[str, object]]) -> None:
    if len(pairs) > 1 and len({key for key, _ in pairs}) != len(pairs):
        raise _Doubled


def _find(value: object, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += _find(item, f"{path}[{number}]")
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, child in value.pairs:
            here = f"{path}.{key}" if path else key
            if key in seen:
                found.append(here)
            seen.add(key)
            found += _find(child, here)
    return found
