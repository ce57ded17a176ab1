"""JSON merge patch (RFC 7386)."""

from inferplane.controlplane.apiserver.patching.errors import PatchError
from inferplane.kernel.json import Json, JsonObject


def merge_patch(document: JsonObject, patch: Json) -> JsonObject:
    """Objects are merged, null removes, everything else replaces. PatchError when `patch` is not an object."""
    if not isinstance(patch, dict):
        raise PatchError(400, f"a merge patch is an object, got {type(patch).__name__}")
    return _merged(document, patch)


def _merged(document: JsonObject, patch: JsonObject) -> JsonObject:
    result = dict(document)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            before = result.get(key)
            result[key] = _merged(before if isinstance(before, dict) else {}, value)
        else:
            result[key] = value
    return result
