"""How the in-memory API server merges: JSON merge patch, JSON patch, and a manager-aware apply."""

from copy import deepcopy

from inferplane.client.kubernetes.api import Invalid
from inferplane.kernel.json import Json, JsonObject

# Lists that Kubernetes merges item by item, and what tells their items apart. Every other list is one value.
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "ownerReferences": "uid",
    "listeners": "name",
}


def merge_patch(target: Json, patch: Json) -> Json:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def strategic_patch(target: Json, patch: Json, field: str = "") -> Json:
    """Merge patch, with the lists of `_KEYS` merged by key and `$patch: delete` for their items."""
    if isinstance(patch, dict):
        result = dict(target) if isinstance(target, dict) else {}
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = strategic_patch(result.get(key), value, key)
        return result
    if isinstance(patch, list) and isinstance(target, list) and field in _KEYS:
        items = _keyed(target, _KEYS[field])
        for name, item in _keyed(patch, _KEYS[field]).items():
            if item.get("$patch") == "delete":
                items.pop(name, None)
            else:
                merged = strategic_patch(items.get(name), item)
                assert isinstance(merged, dict)
                items[name] = merged
        return list(items.values())
    return deepcopy(patch)


def json_patch(target: JsonObject, patch: Json) -> JsonObject:
    """RFC 6902's add, replace, remove and test."""
    result: Json = deepcopy(target)
    assert isinstance(patch, list)
    for step in patch:
        assert isinstance(step, dict)
        path = [part.replace("~1", "/").replace("~0", "~") for part in str(step["path"]).split("/")[1:]]
        _step(result, str(step["op"]), path, step.get("value"))
    assert isinstance(result, dict)
    return result


def _step(target: Json, op: str, path: list[str], value: Json) -> None:
    *way, last = path
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target[part] if isinstance(target, dict) else None
    match target, op:
        case list(), "add":
            target.insert(len(target) if last == "-" else int(last), value)
        case list(), "remove":
            target.pop(int(last))
        case list(), "replace":
            target[int(last)] = value
        case dict(), "add" | "replace":
            target[last] = value
        case dict(), "remove":
            del target[last]
        case dict(), "test" if target.get(last) == value:
            pass
        case _:
            raise Invalid(422, "Invalid", f"the server rejected our request: {op} /{'/'.join(path)}")


def apply(live: Json, before: Json, now: Json, others: list[Json], field: str = "") -> Json:
    """What `live` becomes when a manager that applied `before` applies `now`, with `others` applied by other managers.

    Fields of `before` that are absent from `now` and from all `others` vanish.
    """
    if isinstance(now, dict):
        result = dict(live) if isinstance(live, dict) else {}
        for key in _fields(before) - set(now):
            if not any(key in _fields(one) for one in others):
                result.pop(key, None)
        for key, value in now.items():
            result[key] = apply(result.get(key), _at(before, key), value, [_at(one, key) for one in others], key)
        return result
    if isinstance(now, list) and field in _KEYS:
        return _apply_list(live, before, now, others, _KEYS[field])
    return deepcopy(now)


def _apply_list(live: Json, before: Json, now: list[Json], others: list[Json], key: str) -> Json:
    items = _keyed(live, key)
    wanted, owned = _keyed(now, key), _keyed(before, key)
    for name in set(owned) - set(wanted):
        if not any(name in _keyed(one, key) for one in others):
            items.pop(name, None)
    for name, item in wanted.items():
        merged = apply(items.get(name), owned.get(name), item, [_keyed(one, key).get(name) for one in others])
        assert isinstance(merged, dict)
        items[name] = merged
    return list(items.values())


def disputed(now: Json, other: Json, path: str = "") -> list[str]:
    """Paths where two managers want different values."""
    if isinstance(now, dict) and isinstance(other, dict):
        return [p for key in now.keys() & other.keys() for p in disputed(now[key], other[key], f"{path}.{key}")]
    if isinstance(now, list) and path.rpartition(".")[2] in _KEYS:
        key = _KEYS[path.rpartition(".")[2]]
        return disputed(dict(_keyed(now, key)), dict(_keyed(other, key)), path)
    return [path] if now != other and other is not None else []


def _fields(value: Json) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _at(value: Json, key: str) -> Json:
    return value.get(key) if isinstance(value, dict) else None


def _keyed(value: Json, key: str) -> dict[str, JsonObject]:
    items = value if isinstance(value, list) else []
    return {str(item.get(key)): item for item in items if isinstance(item, dict)}
