"""A cache with many objects keeps those packed that nobody needs; whoever reads it sees no difference."""

import msgspec

from inferplane.controlplane.machinery.cache import FEW, Cache, Key
from inferplane.controlplane.machinery.packing import Packed
from inferplane.controlplane.workloads.templates import StoredTemplate
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import ConfigMap


def config_map(number: int, value: str = "1") -> JsonObject:
    return {"metadata": {"name": f"c{number}", "namespace": "default"}, "data": {"v": value}}


def key(number: int) -> Key:
    return Key("default", f"c{number}")


def filled(count: int = FEW) -> Cache[ConfigMap]:
    cache = Cache(ConfigMap)
    for number in range(count):
        cache.put(key(number), config_map(number))
    return cache


def pack(cache: Cache[ConfigMap]) -> int:
    """How many were packed."""
    return sum(1 for _ in cache.pack())


def test_what_was_not_touched_between_two_looks_is_packed() -> None:
    cache = filled()
    assert [pack(cache), pack(cache), pack(cache)] == [0, FEW, 0]


def test_few_objects_are_never_packed() -> None:
    cache = filled(FEW - 1)
    assert [pack(cache), pack(cache), pack(cache)] == [0, 0, 0]
    cache.put(key(FEW), config_map(FEW))
    assert [pack(cache), pack(cache)] == [FEW - 1, 1]


def test_one_that_is_read_is_decoded_once_and_packed_again_later() -> None:
    cache = filled()
    pack(cache), pack(cache)
    found = cache.get(key(3))
    assert found == msgspec.convert(config_map(3), ConfigMap)
    assert cache.get(key(3)) is found
    assert [pack(cache), pack(cache)] == [0, 1]


def test_one_that_changes_meanwhile_is_left_for_the_next_time() -> None:
    cache = filled()
    pack(cache)
    packing = cache.pack()
    next(packing)
    cache.put(key(FEW - 1), config_map(FEW - 1, "2"))
    assert sum(1 for _ in packing) == FEW - 2
    assert [pack(cache), pack(cache)] == [0, 1]


def test_one_that_goes_meanwhile_stays_gone() -> None:
    cache = filled()
    pack(cache)
    packing = cache.pack()
    next(packing)
    cache.drop(key(FEW - 1))
    list(packing)
    assert cache.get(key(FEW - 1)) is None
    assert key(FEW - 1) not in cache


def test_lists_names_and_indexes_do_not_tell_packed_from_decoded() -> None:
    cache = filled()
    cache.add_index("value", lambda one: [one.data["v"]])
    before = cache.list()
    pack(cache), pack(cache)
    assert (cache.list(), cache.list("default"), [*cache.names("default")]) == (
        before,
        before,
        [one.metadata.name for one in before],
    )
    assert [*cache.matching("value", "1")] == before
    cache.put(key(0), config_map(0, "2"))
    assert [one.metadata.name for one in cache.matching("value", "2")] == ["c0"]


def test_listing_leaves_them_packed() -> None:
    cache = filled()
    pack(cache), pack(cache)
    cache.list()
    assert [pack(cache), pack(cache)] == [0, 0]


def test_a_change_is_told_with_what_was_there_before() -> None:
    cache = filled()
    pack(cache), pack(cache)
    told: list[tuple[str, str]] = []
    cache.on_change(lambda old, new: told.append((old.data["v"] if old else "", new.data["v"] if new else "")))
    told.clear()
    cache.put(key(0), config_map(0, "2"))
    cache.drop(key(1))
    assert told == [("1", "2"), ("1", "")]


def test_excerpts_are_packed_too() -> None:
    cache = Cache(StoredTemplate)
    for number in range(FEW):
        cache.put(key(number), {"spec": {"template": {"spec": {"containers": [{"name": f"c{number}"}]}}}})
    list(cache.pack()), list(cache.pack())
    found = cache.get(key(5))
    assert found is not None
    assert found.json == {"spec": {"containers": [{"name": "c5"}]}}


def test_packed_objects_take_a_tenth() -> None:
    cache = filled(200)
    pack(cache), pack(cache)
    packed = [one for one in cache._namespaces["default"].values() if isinstance(one, Packed)]
    assert len(packed) == 200
    assert sum(map(len, packed)) / len(packed) < 60
