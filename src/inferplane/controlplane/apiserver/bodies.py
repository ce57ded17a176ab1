"""Request bodies: JSON, YAML or protobuf into objects, with the duplicate fields that lenient parsers swallow."""

import json
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
        return Body(protobuf.decode(raw))
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
        value: Json = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body of the request is not JSON: {error}") from error
    return value


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
