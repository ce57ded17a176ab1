"""Strategic merge patch: a merge patch that knows which lists are merged, and by which key.

In: the object, the patch, the schema with the list's strategies. Out: the patched object. Directives in the patch:
`$patch: delete | replace | merge`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`, `$retainKeys`.
"""

from collections.abc import Iterable

from inferplane.controlplane.apiserver.patching.errors import PatchError
from inferplane.controlplane.apiserver.patching.ordering import interleaved
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import ANYTHING, Schema

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PREFIX = "$deleteFromPrimitiveList/"
_ORDER_PREFIX = "$setElementOrder/"


def strategic_merge_patch(document: JsonObject, patch: Json, schema: Schema) -> JsonObject:
    """The patched document; neither argument is changed. PatchError when a directive makes no sense."""
    if not isinstance(patch, dict):
        raise PatchError(400, f"a strategic merge patch is an object, got {type(patch).__name__}")
    if patch.get(_PATCH) in ("replace", "delete"):
        raise PatchError(400, f"$patch: {patch[_PATCH]} of the whole object would take its name away")
    return _merge_objects(document, patch, schema)


def _merge_objects(before: JsonObject, patch: JsonObject, schema: Schema) -> JsonObject:
    match patch.get(_PATCH):
        case None | "merge":
            pass
        case "replace":
            return {k: v for k, v in patch.items() if k != _PATCH}
        case "delete":
            return {}
        case other:
            raise PatchError(500, f"unknown patch type found in map: {other}")
    result = _retained(before, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, value, schema.property(key) or ANYTHING, patch)
    _apply_list_directives(result, before, patch, schema)
    return result


def _retained(before: JsonObject, patch: JsonObject) -> JsonObject:
    """What `$retainKeys` leaves of the object; all of it without the directive."""
    if _RETAIN not in patch:
        return dict(before)
    wanted = patch[_RETAIN]
    if not isinstance(wanted, list):
        raise PatchError(400, f"invalid patch format of retainKeys: expected a list, got {wanted!r}")
    extra = [k for k in patch if not k.startswith("$") and k not in wanted and patch[k] is not None]
    if extra:
        raise PatchError(400, f"invalid patch format of retainKeys: {', '.join(extra)} not among the retained keys")
    return {k: v for k, v in before.items() if k in wanted}


def _merge_field(result: JsonObject, key: str, value: Json, schema: Schema, patch: JsonObject) -> None:
    before = result.get(key)
    if value is None:
        result.pop(key, None)
    elif isinstance(value, dict):
        merged = _merge_objects(before if isinstance(before, dict) else {}, value, schema)
        if value.get(_PATCH) == "delete":
            result.pop(key, None)
        else:
            result[key] = merged
    elif isinstance(value, list) and "merge" in schema.patch_strategies:
        result[key] = _merge_lists(before if isinstance(before, list) else [], value, schema)
    else:
        result[key] = value


def _apply_list_directives(result: JsonObject, before: JsonObject, patch: JsonObject, schema: Schema) -> None:
    for directive, value in patch.items():
        if directive.startswith(_DELETE_PREFIX):
            field = directive.removeprefix(_DELETE_PREFIX)
            gone = _list(directive, value)
            here = result.get(field)
            if isinstance(here, list):
                result[field] = [one for one in here if one not in gone]
    for directive, value in patch.items():
        if directive.startswith(_ORDER_PREFIX):
            field = directive.removeprefix(_ORDER_PREFIX)
            wanted = _list(directive, value)
            here, server = result.get(field), before.get(field)
            if isinstance(here, list):
                merge_key = (schema.property(field) or ANYTHING).patch_merge_key
                key = Identity(merge_key)
                order = [key(one) for one in wanted]
                live = [key(one) for one in server] if isinstance(server, list) else []
                result[field] = interleaved(here, key, order, live)


def _list(directive: str, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise PatchError(400, f"invalid patch format of {directive}: expected a list, got {value!r}")
    return value


def _merge_lists(before: list[Json], patch: list[Json], schema: Schema) -> list[Json]:
    if any(isinstance(one, list) for one in (*before, *patch)):
        raise PatchError(422, "lists of lists are not supported")
    if not any(isinstance(one, dict) for one in (*before, *patch)):
        merged = _unique((*before, *patch))
        return interleaved(merged, _same, patch, before)
    merge_key = schema.patch_merge_key
    if not merge_key:
        raise PatchError(500, "cannot merge lists without merge key")
    before, patch, replaced = _special_items(before, patch, merge_key)
    if replaced:
        return patch
    key = Identity(merge_key)
    merged = _merge_items(before, patch, key, schema.items)
    return interleaved(merged, key, [key(one) for one in patch], [key(one) for one in before])


def _special_items(before: list[Json], patch: list[Json], merge_key: str) -> tuple[list[Json], list[Json], bool]:
    """Carries out items that are directives: (what is left of the list, the patch without them, replace it all?)."""
    plain: list[Json] = []
    replaced = False
    key = Identity(merge_key)
    for item in patch:
        directive = item.get(_PATCH) if isinstance(item, dict) else None
        match directive:
            case None:
                plain.append(item)
            case "delete":
                gone = key(item)
                before = [one for one in before if key(one) != gone]
            case "replace":
                replaced = True
            case other:
                raise PatchError(500, f"unknown patch type found in map: {other}")
    return before, plain, replaced


def _merge_items(before: list[Json], patch: list[Json], key: "Identity", schema: Schema) -> list[Json]:
    merged = list(before)
    places = {key(one): i for i, one in reversed(list(enumerate(merged)))}
    for item in patch:
        name = key(item)
        at = places.get(name)
        old: Json = merged[at] if at is not None else {}
        assert isinstance(item, dict)
        new = _merge_objects(old if isinstance(old, dict) else {}, item, schema)
        if at is None:
            places[name] = len(merged)
            merged.append(new)
        else:
            merged[at] = new
    return merged


class Identity:
    """What tells the items of a list apart: the value of one field, or the item itself."""

    def __init__(self, merge_key: str) -> None:
        self._merge_key = merge_key

    def __call__(self, item: Json) -> Json:
        if not self._merge_key:
            return item
        if not isinstance(item, dict) or self._merge_key not in item:
            raise PatchError(500, f"map: {item} does not contain declared merge key: {self._merge_key}")
        found = item[self._merge_key]
        if isinstance(found, dict | list):
            raise PatchError(400, f"merge key {self._merge_key} is not a plain value: {found}")
        return found


def _same(item: Json) -> Json:
    return item


def _unique(items: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found
