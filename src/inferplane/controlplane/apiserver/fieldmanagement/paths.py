"""Paths of fields, sets of them, and the form in which `managedFields` carries them (`FieldsV1`).

A path is a tuple of elements as FieldsV1 writes them: `f:NAME`, `k:{"key":value}` (an item of a map list), `v:VALUE`
(of a set), `i:INDEX`. A set is a Python set of paths, so ownership is plain set arithmetic.
"""

from collections.abc import Iterable
from typing import TypeAlias

import orjson

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import Schema

Path: TypeAlias = tuple[str, ...]
PathSet: TypeAlias = set[Path]


def decoded(fields: JsonObject) -> PathSet:
    """The paths that a FieldsV1 document names: those that end in `{}`, and those marked with `.`."""
    found: PathSet = set()
    _collect(fields, (), found)
    return found


def _collect(node: JsonObject, path: Path, found: PathSet) -> None:
    for element, below in node.items():
        if element == ".":
            found.add(path)
        elif isinstance(below, dict) and below:
            _collect(below, (*path, element), found)
        else:
            found.add((*path, element))


def encoded(paths: Iterable[Path]) -> JsonObject:
    """The FieldsV1 document of a set, keys in order."""
    root: JsonObject = {}
    for path in sorted(paths):
        node = root
        existed = False
        for element in path:
            if existed and not node:
                # A path sorts right before those inside it: what is there and still empty is a member itself.
                node["."] = {}
            existed = element in node
            below = node.setdefault(element, {})
            assert isinstance(below, dict)
            node = below
    return root


def with_named_parents(paths: PathSet) -> PathSet:
    """The set with every field on the way to its members, which makes containers removable with what they hold."""
    found = set(paths)
    for path in paths:
        for depth in range(len(path) - 1, 0, -1):
            parent = path[:depth]
            if parent in found and parent not in paths:
                break
            if parent[-1].startswith("f:"):
                found.add(parent)
    return found


def element(schema: Schema, item: Json, index: int) -> str:
    """The path element of one item of a list that is not atomic."""
    if schema.list_type == "set":
        return "v:" + orjson.dumps(item).decode()
    if isinstance(item, dict):
        keys: JsonObject = {}
        for key in schema.map_keys:
            if key in item:
                keys[key] = item[key]
            elif key in schema.key_defaults:
                keys[key] = schema.key_defaults[key]
        if keys:
            return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()
    return f"i:{index}"


def printed(path: Path) -> str:
    """As conflicts name a field: `.spec.containers[name="main"].image`."""
    return "".join(_printed_element(one) for one in path)


def _printed_element(one: str) -> str:
    kind, text = one[:2], one[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "i:":
        return f"[{text}]"
    if kind == "v:":
        return f"[={text}]"
    keys = orjson.loads(text)
    return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in keys.items()) + "]"
