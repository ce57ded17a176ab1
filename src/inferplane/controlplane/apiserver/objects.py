"""Metadata of objects, read and replaced. Objects are values here: a change makes a new one. Pure."""

from collections.abc import Mapping

from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

# What the API server itself writes; never taken from a client.
SYSTEM_FIELDS = ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds")


def metadata(obj: Mapping[str, Json]) -> JsonObject:
    return object_at(obj, "metadata")


def name(obj: JsonObject) -> str:
    return text_at(obj, "metadata", "name")


def namespace(obj: JsonObject) -> str:
    return text_at(obj, "metadata", "namespace")


def uid(obj: JsonObject) -> str:
    return text_at(obj, "metadata", "uid")


def resource_version(obj: JsonObject) -> str:
    return text_at(obj, "metadata", "resourceVersion")


def generation(obj: JsonObject) -> int:
    found = metadata(obj).get("generation")
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def finalizers(obj: JsonObject) -> list[str]:
    return [str(one) for one in list_at(obj, "metadata", "finalizers")]


def deleting(obj: JsonObject) -> bool:
    return bool(metadata(obj).get("deletionTimestamp"))


def with_metadata(obj: JsonObject, **fields: Json) -> JsonObject:
    """The object with these fields of its metadata; None removes a field."""
    merged = metadata(obj) | fields
    return obj | {"metadata": {key: value for key, value in merged.items() if value is not None}}


def with_part(obj: JsonObject, part: str, source: JsonObject) -> JsonObject:
    """The object with `part` (`spec`, `status`, …) as it is in `source`, absent if it is absent there."""
    if part in source:
        return obj | {part: source[part]}
    return {key: value for key, value in obj.items() if key != part}


_ABSENT = object()


def changed_parts(old: JsonObject, new: JsonObject) -> JsonObject:
    """The fields at the top of `new` that are not the very ones of `old`."""
    return {key: value for key, value in new.items() if value is not old.get(key, _ABSENT)}


def with_parts(obj: JsonObject, parts: JsonObject, after: JsonObject) -> JsonObject:
    """The object with `after` in the place of `parts`, some of its fields at the top; those it lacks are gone."""
    return {key: after.get(key, value) for key, value in obj.items() if key in after or key not in parts}


def same_content(left: JsonObject, right: JsonObject) -> bool:
    """Whether they differ at all, apart from the times in managedFields."""
    if left == right:
        return True
    return _without_times(left) == _without_times(right)


def _without_times(obj: JsonObject) -> JsonObject:
    entries: list[Json] = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in list_at(obj, "metadata", "managedFields")
        if isinstance(entry, dict)
    ]
    return with_metadata(obj, managedFields=entries or None)
