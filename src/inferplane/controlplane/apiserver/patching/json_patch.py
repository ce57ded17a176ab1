"""JSON patch (RFC 6902), with one leniency of Kubernetes' implementation: `test` takes an absent member for null."""

import copy
from collections.abc import Callable

from inferplane.controlplane.apiserver.patching.errors import PatchError
from inferplane.kernel.json import Json, JsonObject

# Kubernetes refuses longer ones: each operation may copy the whole document.
MOST_OPERATIONS = 10_000


def json_patch(document: JsonObject, operations: Json) -> JsonObject:
    """`document` with the operations applied in order, all or none. PatchError names the operation that failed."""
    if not isinstance(operations, list):
        raise PatchError(400, f"a JSON patch is a list of operations, got {type(operations).__name__}")
    if len(operations) > MOST_OPERATIONS:
        raise PatchError(413, f"a JSON patch has at most {MOST_OPERATIONS} operations, got {len(operations)}")
    # A list around the document lets operations on the whole document ("") work like any other.
    root: list[Json] = [copy.deepcopy(document)]
    for i, operation in enumerate(operations):
        if not isinstance(operation, dict):
            raise PatchError(400, f"[{i}]: an operation is an object, got {type(operation).__name__}")
        try:
            _apply(root, operation)
        except PatchError as error:
            raise PatchError(error.status, f"[{i}] {operation.get('op')}: {error.message}") from None
    result = root[0] if root else None
    if not isinstance(result, dict):
        raise PatchError(422, "the patch leaves no object")
    return result


def _apply(root: list[Json], operation: JsonObject) -> None:
    name = operation.get("op")
    act = _OPERATIONS.get(name) if isinstance(name, str) else None
    if act is None:
        raise PatchError(422, f"unexpected kind of operation, expected one of {', '.join(_OPERATIONS)}")
    act(root, operation)


def _add(root: list[Json], operation: JsonObject) -> None:
    _put(root, _pointer(operation, "path"), copy.deepcopy(_value(operation)))


def _remove(root: list[Json], operation: JsonObject) -> None:
    _take(root, _pointer(operation, "path"))


def _replace(root: list[Json], operation: JsonObject) -> None:
    steps = _pointer(operation, "path")
    parent, last = _find(root, steps[:-1]), steps[-1]
    _get(parent, last)
    if isinstance(parent, dict):
        parent[last] = copy.deepcopy(_value(operation))
    elif isinstance(parent, list):
        parent[_index(parent, last)] = copy.deepcopy(_value(operation))


def _move(root: list[Json], operation: JsonObject) -> None:
    source, target = _pointer(operation, "from"), _pointer(operation, "path")
    if target[: len(source)] == source and target != source:
        raise PatchError(422, f"cannot move {operation['from']} into itself")
    _put(root, target, _take(root, source))


def _copy(root: list[Json], operation: JsonObject) -> None:
    _put(root, _pointer(operation, "path"), copy.deepcopy(_find(root, _pointer(operation, "from"))))


def _test(root: list[Json], operation: JsonObject) -> None:
    steps, wanted = _pointer(operation, "path"), operation.get("value")
    parent = _find(root, steps[:-1])
    if wanted is None and isinstance(parent, dict) and steps[-1] not in parent:
        return
    if not _same(_get(parent, steps[-1]), wanted):
        raise PatchError(422, f"testing value {operation.get('path')} failed")


_OPERATIONS: dict[str, Callable[[list[Json], JsonObject], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _pointer(operation: JsonObject, key: str) -> list[str]:
    """The steps of a JSON pointer, from the list around the document."""
    text = operation.get(key)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(422, f"{key} is not a JSON pointer: {text!r}")
    return ["0", *(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])]


def _value(operation: JsonObject) -> Json:
    if "value" not in operation:
        raise PatchError(422, "value is missing")
    return operation["value"]


def _find(root: Json, steps: list[str]) -> Json:
    here = root
    for step in steps:
        here = _get(here, step)
    return here


def _get(parent: Json, step: str) -> Json:
    if isinstance(parent, dict) and step in parent:
        return parent[step]
    if isinstance(parent, list):
        return parent[_index(parent, step)]
    raise PatchError(422, f"no such member: {step}")


def _index(parent: list[Json], step: str, *, end: int = 0) -> int:
    """The position that a step names; `end` is 1 where the place after the last item is one too."""
    if not step.isdigit() or int(step) >= len(parent) + end:
        raise PatchError(422, f"no such item: {step} in a list of {len(parent)}")
    return int(step)


def _put(root: list[Json], steps: list[str], value: Json) -> None:
    if len(steps) == 1:
        root[:] = [value]
        return
    parent, last = _find(root, steps[:-1]), steps[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, end=1), value)
    else:
        raise PatchError(422, f"nothing can be added to a {type(parent).__name__}")


def _take(root: list[Json], steps: list[str]) -> Json:
    parent, last = _find(root, steps[:-1]), steps[-1]
    value = _get(parent, last)
    if isinstance(parent, dict):
        del parent[last]
    elif isinstance(parent, list):
        del parent[_index(parent, last)]
    return value


def _same(one: Json, other: Json) -> bool:
    """JSON equality: 1 and true differ, 1 and 1.0 don't."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return one == other
