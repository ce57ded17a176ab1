"""The API without a wire answers as it does over HTTPS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.fakes.server import real_server

from inferplane.client.kubernetes.api import AlreadyExists, Conflict, EventType, Gone, NotFound
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT
from inferplane.client.kubernetes.rest import RestApi
from inferplane.controlplane.apiserver.app import App
from inferplane.controlplane.apiserver.local import LocalApi
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.core import ConfigMap

NS = "default"


class Both(NamedTuple):
    """Two clients of one server."""

    local: LocalApi
    http: HttpApi
    app: App


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Both]:
    async with real_server(tmp_path) as (app, http):
        yield Both(LocalApi(app, user_agent="inferplane"), http, app)


def config(name: str, **data: str) -> JsonObject:
    return {"metadata": {"name": name}, "data": {**data}}


async def test_what_is_written_without_a_wire_is_read_over_one(both: Both) -> None:
    local, http, _ = both
    created = await local.create(CONFIG_MAP, config("one", a="1"), NS)
    assert await http.get(CONFIG_MAP, "one", NS) == created == await local.get(CONFIG_MAP, "one", NS)
    patched = await local.patch(CONFIG_MAP, "one", {"data": {"b": "2"}}, NS)
    assert object_at(patched, "data") == {"a": "1", "b": "2"}
    applied = await local.apply(CONFIG_MAP, config("one", a="3"), NS, manager="m")
    assert object_at(applied, "data") == {"a": "3", "b": "2"}
    assert (await local.list(CONFIG_MAP, NS, fields="metadata.name=one")).items == [applied]
    await local.delete(CONFIG_MAP, "one", NS)
    with pytest.raises(NotFound):
        await http.get(CONFIG_MAP, "one", NS)


async def test_the_writer_is_known_by_its_name(both: Both) -> None:
    async def manager(api: RestApi, name: str) -> object:
        made = await api.create(CONFIG_MAP, config(name, a="1"), NS)
        fields = object_at(made, "metadata")["managedFields"]
        return [one["manager"] for one in fields if isinstance(one, dict)] if isinstance(fields, list) else None

    assert await manager(both.local, "local") == await manager(both.http, "http") == ["inferplane"]


async def test_refusals_are_the_same(both: Both) -> None:
    local, http, _ = both
    await local.create(CONFIG_MAP, config("one"), NS)
    stale: JsonObject = {"metadata": {"name": "one", "resourceVersion": "1"}}
    for api in (local, http):
        with pytest.raises(AlreadyExists, match='configmaps "one" already exists'):
            await api.create(CONFIG_MAP, config("one"), NS)
        with pytest.raises(Conflict, match="the object has been modified"):
            await api.update(CONFIG_MAP, stale, NS)
        with pytest.raises(NotFound, match='configmaps "two" not found'):
            await api.get(CONFIG_MAP, "two", NS)


async def test_a_watch_tells_each_change_and_ends_when_it_is_left(both: Both) -> None:
    local, http, app = both
    since = (await local.list(CONFIG_MAP, NS)).resource_version
    async with asyncio.timeout(20), aclosing(local.watch(CONFIG_MAP, NS, since=since)) as events:
        first = asyncio.create_task(anext(events))
        await http.create(CONFIG_MAP, config("one"), NS)
        told = await first
        assert (told.type, text_at(told.object, "metadata", "name")) == (EventType.ADDED, "one")
        await http.delete(CONFIG_MAP, "one", NS)
        assert (await anext(events)).type is EventType.DELETED
    assert app.core.storage.store.watchers("/configmaps") == 0


async def test_a_watch_by_name_is_told_that_name_alone(both: Both) -> None:
    local, http, _ = both
    since = (await local.list(CONFIG_MAP, NS)).resource_version
    for name in ("one", "two"):
        await http.create(CONFIG_MAP, config(name), NS)
    async with asyncio.timeout(20), aclosing(local.watch(CONFIG_MAP, NS, since=since, fields="metadata.name=two")) as e:
        assert text_at((await anext(e)).object, "metadata", "name") == "two"


async def test_a_watch_from_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    async with real_server(tmp_path) as (app, http):
        for text in ("1", "2"):
            await http.apply(CONFIG_MAP, config("one", a=text), NS, manager="m")
        await app.core.storage.store.compact(-1.0)
    async with real_server(tmp_path) as (app, http), asyncio.timeout(20):
        for api in (LocalApi(app, user_agent="inferplane"), http):
            with pytest.raises(Gone, match="too old resource version: 1 "):
                async with aclosing(api.watch(CONFIG_MAP, NS, since="1")) as events:
                    await anext(events)


async def test_caches_know_a_write_before_its_writer_goes_on(both: Both) -> None:
    informers = Informers(both.local, SystemClock())
    maps = informers.cache(CONFIG_MAP, ConfigMap)
    running = asyncio.create_task(informers.run())
    await informers.synced()
    for text in ("1", "2", "3"):
        await both.local.apply(CONFIG_MAP, config("one", a=text), NS, manager="m")
        found = maps.get(Key(NS, "one"))
        assert found is not None
        assert found.data == {"a": text}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_kind_is_told(both: Both) -> None:
    local, http, _ = both
    assert await local.served() == await http.served()
    assert DEPLOYMENT in {one.resource for one in await local.served()}
    assert await local.raw("/version") == await http.raw("/version")
