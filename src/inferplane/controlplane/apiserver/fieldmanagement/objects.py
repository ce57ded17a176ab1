"""Objects under a schema that says what is one value and what is many: their fields, differences, unions, remainders.

The rules are those of structured-merge-diff: an atomic list or map is one field, items of other lists go by key.
"""

from dataclasses import dataclass, field
from enum import Enum

from inferplane.controlplane.apiserver.fieldmanagement.paths import Path, PathSet, element, encoded
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import ANYTHING, Schema


class _Missing(Enum):
    """The side on which a field isn't there at all; null is a value."""

    MISSING = 0


_MISSING = _Missing.MISSING


@dataclass(slots=True)
class Changes:
    """What one version of an object has that the other hadn't, or had otherwise; and what is gone."""

    touched: PathSet = field(default_factory=set)
    removed: PathSet = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.touched or self.removed)


def field_set(schema: Schema, obj: JsonObject) -> PathSet:
    """Every field that `obj` states."""
    found: PathSet = set()
    _fields(schema, obj, (), found)
    return found


def _fields(schema: Schema, value: Json, path: Path, found: PathSet) -> None:
    if isinstance(value, dict) and not schema.atomic_map:
        declared = schema.properties
        for name, child in value.items():
            here = (*path, f"f:{name}")
            _fields(_below(schema, name), child, here, found)
            if child is None or child == {} or name not in declared:
                found.add(here)
    elif isinstance(value, list) and schema.list_type != "atomic":
        for i, child in enumerate(value):
            here = (*path, element(schema, child, i))
            _fields(schema.items, child, here, found)
            found.add(here)
    else:
        found.add(path)


def changes(schema: Schema, old: JsonObject, new: JsonObject) -> Changes:
    found = Changes()
    _compare(schema, old, new, (), found)
    return found


def _compare(schema: Schema, old: Json | _Missing, new: Json | _Missing, path: Path, found: Changes) -> None:
    if old == new:
        return
    if _is_map(schema, old, new):
        _compare_maps(schema, old, new, path, found)
    elif _is_keyed_list(schema, old, new):
        before, after = _items(schema, old), _items(schema, new)
        for key in before.keys() | after.keys():
            _compare(schema.items, before.get(key, _MISSING), after.get(key, _MISSING), (*path, key), found)
    elif path and not isinstance(new, _Missing):
        found.touched.add(path)
    if path and isinstance(new, _Missing):
        found.removed.add(path)
    elif path and isinstance(old, _Missing):
        found.touched.add(path)


def _compare_maps(schema: Schema, old: Json | _Missing, new: Json | _Missing, path: Path, found: Changes) -> None:
    before = old if isinstance(old, dict) else {}
    after = new if isinstance(new, dict) else {}
    for name in before.keys() | after.keys():
        _compare(
            _below(schema, name), before.get(name, _MISSING), after.get(name, _MISSING), (*path, f"f:{name}"), found
        )


def _is_map(schema: Schema, old: Json | _Missing, new: Json | _Missing) -> bool:
    return not schema.atomic_map and all(isinstance(one, dict | _Missing) for one in (old, new))


def _is_keyed_list(schema: Schema, old: Json | _Missing, new: Json | _Missing) -> bool:
    return schema.list_type != "atomic" and all(isinstance(one, list | _Missing) for one in (old, new))


def _items(schema: Schema, value: Json | _Missing) -> dict[str, Json]:
    if not isinstance(value, list):
        return {}
    return {element(schema, item, i): item for i, item in enumerate(value)}


def merged(schema: Schema, live: JsonObject, applied: JsonObject) -> JsonObject:
    """`live` with what `applied` states put over it."""
    return _merge_maps(schema, live, applied)


def _merge_maps(schema: Schema, live: JsonObject, applied: JsonObject) -> JsonObject:
    result = dict(live)
    for name, value in applied.items():
        result[name] = _merge(_below(schema, name), live[name], value) if name in live else value
    return result


def _merge(schema: Schema, live: Json, applied: Json) -> Json:
    if isinstance(live, dict) and isinstance(applied, dict) and not schema.atomic_map:
        return _merge_maps(schema, live, applied)
    if isinstance(live, list) and isinstance(applied, list) and schema.list_type != "atomic":
        return _merge_lists(schema, live, applied)
    return applied


def _merge_lists(schema: Schema, live: list[Json], applied: list[Json]) -> list[Json]:
    """Applied items in their order; items that only the live list has stay before the shared item they preceded."""
    before, waiting = _items(schema, live), _items(schema, applied)
    shared = [key for key in waiting if key in before]
    stated = set(waiting)
    result: list[Json] = []
    for i, item in enumerate(live):
        key = element(schema, item, i)
        if key not in stated:
            result.append(item)
        elif shared and key == shared[0]:
            result += _taken_up_to(schema, key, waiting, before)
            shared = [one for one in shared[1:] if one in waiting]
    result += [_merge(schema.items, before[k], v) if k in before else v for k, v in waiting.items()]
    return result


def _taken_up_to(schema: Schema, last: str, waiting: dict[str, Json], before: dict[str, Json]) -> list[Json]:
    """Takes the applied items up to and including `last` out of `waiting`, merged with their live ones."""
    taken: list[Json] = []
    for key in [*waiting]:
        value = waiting.pop(key)
        taken.append(_merge(schema.items, before[key], value) if key in before else value)
        if key == last:
            break
    return taken


def without(schema: Schema, obj: JsonObject, paths: PathSet) -> JsonObject:
    """`obj` less the fields and items that `paths` names, each with all it holds."""
    if not paths:
        return obj
    rest = _without(schema, obj, encoded(paths))
    return rest if isinstance(rest, dict) else {}


def _without(schema: Schema, value: Json, gone: JsonObject) -> Json:
    if isinstance(value, dict) and not schema.atomic_map:
        return _map_without(schema, value, gone)
    if isinstance(value, list) and schema.list_type != "atomic":
        kept = []
        for i, item in enumerate(value):
            below = gone.get(element(schema, item, i))
            if not isinstance(below, dict):
                kept.append(item)
            elif below and "." not in below:
                kept.append(_without(schema.items, item, below))
        return kept
    return value


def _map_without(schema: Schema, value: JsonObject, gone: JsonObject) -> JsonObject:
    kept: JsonObject = {}
    for name, child in value.items():
        below = gone.get(f"f:{name}")
        if not isinstance(below, dict):
            kept[name] = child
        elif below and "." not in below:
            rest = _without(_below(schema, name), child, below)
            # A container that is emptied goes with its last member, unless it had been empty.
            if rest or not child:
                kept[name] = rest
    return kept


def _below(schema: Schema, name: str) -> Schema:
    return schema.property(name) or ANYTHING
