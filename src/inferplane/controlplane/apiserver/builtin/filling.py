"""Filling absent fields of a fresh object in place."""

from collections.abc import Iterator

from inferplane.kernel.json import JsonObject


def part(obj: JsonObject, key: str) -> JsonObject:
    """The object at `key`, made when it isn't there."""
    found = obj.setdefault(key, {})
    return found if isinstance(found, dict) else {}


def fill(obj: JsonObject, defaults: JsonObject) -> None:
    for key, value in defaults.items():
        obj.setdefault(key, value)


def parts(obj: JsonObject, key: str) -> Iterator[JsonObject]:
    """The objects in the list at `key`; none when there is no list."""
    found = obj.get(key)
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, dict))
