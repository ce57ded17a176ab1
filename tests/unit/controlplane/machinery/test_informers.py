import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.api import MemoryApi, Write
from tests.fakes.clock import FakeClock
from tests.fakes.settled import settled

from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.client.kubernetes.kinds import CONFIG_MAP
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import ConfigMap


def config_map(name: str, value: str = "1") -> JsonObject:
    return {"metadata": {"name": name, "labels": {"app": name[0]}}, "data": {"v": value}}


@asynccontextmanager
async def running(informers: Informers) -> AsyncIterator[None]:
    task = asyncio.create_task(informers.run())
    try:
        await informers.synced()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_cache_follows_the_server() -> None:
    api = MemoryApi()
    api.add(CONFIG_MAP, config_map("a"))
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    told: list[tuple[str | None, str | None]] = []
    cache.on_change(lambda old, new: told.append((old.data["v"] if old else None, new.data["v"] if new else None)))
    async with running(informers):
        api.add(CONFIG_MAP, config_map("b"))
        api.add(CONFIG_MAP, config_map("a", "2"))
        api.remove(CONFIG_MAP, "b")
        await settled(api, [])
        assert [one.metadata.name for one in cache.list("default")] == ["a"]
    assert told == [(None, "1"), (None, "1"), ("1", "2"), ("1", None)]


async def test_all_views_of_a_kind_share_one_list_and_one_watch() -> None:
    api, requests = MemoryApi(), list[str]()
    api.intercept = lambda write: requests.append(write.verb)
    api.add(CONFIG_MAP, config_map("a"))
    informers = Informers(api, FakeClock())
    views, plain = informers.cache(CONFIG_MAP, ConfigMap), informers.cache(CONFIG_MAP, dict)
    assert informers.cache(CONFIG_MAP, ConfigMap) is views
    async with running(informers):
        await settled(api, [])
        assert (len(views.list()), len(plain.list()), requests) == (1, 1, ["list", "watch"])


async def test_a_view_asked_for_later_gets_everything_and_the_others_hear_nothing_again() -> None:
    api = MemoryApi()
    api.add(CONFIG_MAP, config_map("a"))
    informers = Informers(api, FakeClock())
    told: list[ConfigMap | None] = []
    informers.cache(CONFIG_MAP, ConfigMap).on_change(lambda old, new: told.append(new))
    async with running(informers):
        plain = informers.cache(CONFIG_MAP, dict)
        await informers.synced()
        assert (len(plain.list()), len(told)) == (1, 1)


async def test_an_index_finds_objects_by_value_as_they_change() -> None:
    api = MemoryApi()
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    cache.add_index("value", lambda one: [one.data["v"]])
    async with running(informers):
        api.add(CONFIG_MAP, config_map("a", "1"))
        api.add(CONFIG_MAP, config_map("b", "1"))
        api.add(CONFIG_MAP, config_map("a", "2"))
        await settled(api, [])
        assert [one.metadata.name for one in cache.matching("value", "1")] == ["b"]
        assert [one.metadata.name for one in cache.matching("value", "2")] == ["a"]


async def test_a_watch_that_is_too_old_is_replaced_by_a_list_which_tells_only_the_difference() -> None:
    api = MemoryApi()
    for name in "abc":
        api.add(CONFIG_MAP, config_map(name))
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    told: list[tuple[str | None, str | None]] = []
    async with running(informers):
        await settled(api, [])
        cache.on_change(
            lambda old, new: told.append((old.metadata.name if old else None, new.metadata.name if new else None))
        )
        told.clear()
        api.remove(CONFIG_MAP, "b")
        api.add(CONFIG_MAP, config_map("c", "2"))
        api.compact()
        await settled(api, [])
    assert told == [("b", None), ("c", "c")]


async def test_an_unreachable_server_is_tried_again_after_the_back_off() -> None:
    api, clock = MemoryApi(), FakeClock()
    api.add(CONFIG_MAP, config_map("a"))

    def refuse(_: Write) -> None:
        raise ServerUnreachable("refused")

    api.intercept = refuse
    informers = Informers(api, clock)
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    task = asyncio.create_task(informers.run())
    await settled(api, [])
    assert (cache.list(), clock.sleepers) == ([], [0.05])
    api.intercept = lambda _: None
    clock.advance(0.05)
    await informers.synced()
    assert len(cache.list()) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_object_that_does_not_decode_is_logged_and_the_last_good_one_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = MemoryApi()
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    async with running(informers):
        api.add(CONFIG_MAP, config_map("a", "1"))
        await settled(api, [])
        with caplog.at_level(logging.ERROR):
            api.add(CONFIG_MAP, {"metadata": {"name": "a"}, "data": {"v": 7}})
            api.add(CONFIG_MAP, config_map("b"))
            await settled(api, [])
        assert sorted(one.metadata.name for one in cache.list()) == ["a", "b"]
        assert [one.message for one in caplog.records] == [
            "undecodable object view=ConfigMap key=default/a error=Expected `str`, got `int` - at `$.data[...]`"
        ]


async def test_null_means_absent_as_go_servers_write_empty_lists() -> None:
    api = MemoryApi()
    api.add(CONFIG_MAP, {"metadata": {"name": "a", "finalizers": None}, "data": None})
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    async with running(informers):
        assert [one.data for one in cache.list()] == [{}]


async def test_a_write_is_in_the_cache_when_the_call_returns_and_is_told_once() -> None:
    api = MemoryApi()
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    told: list[ConfigMap | None] = []
    cache.on_change(lambda old, new: told.append(new))
    async with running(informers):
        await informers.api.create(CONFIG_MAP, config_map("a"), "default")
        assert cache.get(Key("default", "a")) is not None
        await settled(api, [])
        assert len(told) == 1


async def test_an_answer_that_comes_after_the_watch_does_not_bring_a_deleted_object_back() -> None:
    api = MemoryApi()
    informers = Informers(api, FakeClock())
    cache = informers.cache(CONFIG_MAP, ConfigMap)
    async with running(informers):
        late = await api.create(CONFIG_MAP, config_map("a"), "default")
        await api.delete(CONFIG_MAP, "a", "default")
        await settled(api, [])
        informers.saw(CONFIG_MAP, late)
        assert cache.list() == []
