"""Kubernetes' strategic merge of two pods or containers that are both complete values (no `$patch` directives).

Objects are merged field by field and `null` removes a field; the lists named in the tables are merged by the key that
identifies an item; every other list is replaced. Items of the overlay keep their order, and an item that only the base
has comes after them unless the base has it in front of one that both have (apimachinery `strategicpatch`; the recorded
order in `tests/unit/resources/test_strategic.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from inferplane.kernel.json import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Shape:
    """Which lists of an object are merged, by which key, and the shape of their items."""

    lists: Mapping[str, "Keyed"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keyed:
    key: str
    item: Shape = Shape()


CONTAINER = Shape(
    {
        "env": Keyed("name"),
        "ports": Keyed("containerPort"),
        "volumeMounts": Keyed("mountPath"),
        "volumeDevices": Keyed("devicePath"),
    }
)
POD_SPEC = Shape(
    {
        "containers": Keyed("name", CONTAINER),
        "initContainers": Keyed("name", CONTAINER),
        "ephemeralContainers": Keyed("name", CONTAINER),
        "volumes": Keyed("name"),
        "imagePullSecrets": Keyed("name"),
        "hostAliases": Keyed("ip"),
        "topologySpreadConstraints": Keyed("topologyKey"),
        "resourceClaims": Keyed("name"),
        "schedulingGates": Keyed("name"),
    }
)


def merged(base: JsonObject, overlay: JsonObject, shape: Shape) -> JsonObject:
    """A new object; neither argument is changed."""
    result = dict(base)
    for name, value in overlay.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged_value(base.get(name), value, shape.lists.get(name))
    return result


def _merged_value(base: Json, overlay: Json, keyed: Keyed | None) -> Json:
    match base, overlay:
        case dict(), dict():
            return merged(base, overlay, Shape())
        case list(), list() if keyed:
            return _merged_list(_items(base), _items(overlay), keyed)
        case _:
            return overlay


def _merged_list(base: list[JsonObject], overlay: list[JsonObject], keyed: Keyed) -> list[Json]:
    before = {item.get(keyed.key): item for item in base}
    named = {item.get(keyed.key) for item in overlay}
    mine = [merged(before.get(item.get(keyed.key), {}), item, keyed.item) for item in overlay]
    rest = [item for item in base if item.get(keyed.key) not in named]
    place = {key: index for index, key in enumerate(before)}
    return list(_interleaved(rest, mine, place, keyed.key))


def _interleaved(rest: list[JsonObject], mine: list[JsonObject], place: Mapping[Json, int], key: str) -> list[Json]:
    """An item of `rest` goes right before the next item of `mine` that the base has behind it."""
    result: list[Json] = []
    waiting = list(rest)
    for item in mine:
        here = place.get(item.get(key))
        while waiting and here is not None and place[waiting[0].get(key)] < here:
            result.append(waiting.pop(0))
        result.append(item)
    return result + list(waiting)


def _items(value: list[Json]) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)]
