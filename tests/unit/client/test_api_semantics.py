"""The same claims over the in-memory API server of the tests and over the real one through TLS.

What controllers depend on must hold for both; otherwise tests over the in-memory one would prove nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tests.fakes.api import MemoryApi
from tests.fakes.server import real_api

from inferplane.client.kubernetes.api import (
    AlreadyExists,
    Api,
    Conflict,
    EventType,
    NotFound,
    PatchType,
    Propagation,
    WatchEvent,
)
from inferplane.client.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, POD
from inferplane.kernel.json import JsonObject, list_at, number_at, object_at, text_at

NS = "default"


@pytest.fixture(params=["memory", "real"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Api]:
    if request.param == "memory":
        yield MemoryApi()
        return
    async with real_api(tmp_path) as api:
        yield api


def config_map(name: str, **data: str) -> JsonObject:
    return {"metadata": {"name": name}, "data": {**data}}


def pod(name: str) -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "app:1"}]}}


def version(item: JsonObject) -> int:
    return int(text_at(item, "metadata", "resourceVersion"))


async def test_what_was_created_is_found_and_is_there_once(api: Api) -> None:
    created = await api.create(CONFIG_MAP, config_map("a", k="1"), NS)
    assert text_at(created, "metadata", "uid")
    assert await api.get(CONFIG_MAP, "a", NS) == created
    with pytest.raises(AlreadyExists):
        await api.create(CONFIG_MAP, config_map("a"), NS)
    with pytest.raises(NotFound, match='configmaps "b" not found'):
        await api.get(CONFIG_MAP, "b", NS)


async def test_a_generated_name_has_five_characters_more(api: Api) -> None:
    created = await api.create(CONFIG_MAP, {"metadata": {"generateName": "web-"}}, NS)
    name = text_at(created, "metadata", "name")
    assert (name[:4], len(name)) == ("web-", 9)


async def test_an_update_of_an_old_version_conflicts(api: Api) -> None:
    first = await api.create(CONFIG_MAP, config_map("a", k="1"), NS)
    await api.patch(CONFIG_MAP, "a", {"data": {"k": "2"}}, NS)
    with pytest.raises(Conflict):
        await api.update(CONFIG_MAP, first | {"data": {"k": "3"}}, NS)
    with pytest.raises(Conflict):
        await api.patch(CONFIG_MAP, "a", {"metadata": {"resourceVersion": str(version(first))}}, NS)


async def test_a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    first = await api.create(CONFIG_MAP, config_map("a", k="1"), NS)
    assert version(await api.patch(CONFIG_MAP, "a", {"data": {"k": "1"}}, NS)) == version(first)


async def test_the_status_is_written_apart_and_only_the_rest_counts_as_a_generation(api: Api) -> None:
    body: JsonObject = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "i"}]}},
        },
        "status": {"replicas": 5},
    }
    created = await api.create(DEPLOYMENT, body, NS)
    assert number_at(created, "status", "replicas") == 0
    status = await api.patch(DEPLOYMENT, "web", {"status": {"replicas": 1}}, NS, subresource="status")
    assert (number_at(status, "status", "replicas"), number_at(status, "metadata", "generation")) == (1, 1)
    scaled = await api.patch(DEPLOYMENT, "web", {"spec": {"replicas": 2}, "status": {"replicas": 9}}, NS)
    assert (number_at(scaled, "status", "replicas"), number_at(scaled, "metadata", "generation")) == (1, 2)


async def test_fields_that_a_manager_stops_applying_vanish_unless_another_applies_them(api: Api) -> None:
    await api.apply(CONFIG_MAP, config_map("a", mine="1", shared="1"), NS, manager="one")
    await api.apply(CONFIG_MAP, config_map("a", shared="1", theirs="1"), NS, manager="two")
    after = await api.apply(CONFIG_MAP, config_map("a"), NS, manager="one")
    assert object_at(after, "data") == {"shared": "1", "theirs": "1"}


async def test_applying_the_same_twice_changes_nothing(api: Api) -> None:
    first = await api.apply(CONFIG_MAP, config_map("a", k="1"), NS, manager="one")
    assert version(await api.apply(CONFIG_MAP, config_map("a", k="1"), NS, manager="one")) == version(first)


async def test_an_unforced_apply_of_another_managers_value_conflicts(api: Api) -> None:
    await api.apply(CONFIG_MAP, config_map("a", k="1"), NS, manager="one")
    with pytest.raises(Conflict):
        await api.apply(CONFIG_MAP, config_map("a", k="2"), NS, manager="two", force=False)


async def test_a_manager_of_other_fields_leaves_these_alone(api: Api) -> None:
    await api.apply(POD, pod("a"), NS, manager="one")
    extra: JsonObject = {"metadata": {"name": "a", "labels": {"l": "1"}}}
    after = await api.apply(POD, extra, NS, manager="two")
    assert [one["name"] for one in list_at(after, "spec", "containers") if isinstance(one, dict)] == ["main"]


async def test_finalizers_hold_a_deleted_object_until_the_last_is_removed(api: Api) -> None:
    held: JsonObject = {"metadata": {"name": "a", "finalizers": ["example.com/hold"]}}
    await api.create(CONFIG_MAP, held, NS)
    await api.delete(CONFIG_MAP, "a", NS)
    assert text_at(await api.get(CONFIG_MAP, "a", NS), "metadata", "deletionTimestamp")
    await api.patch(CONFIG_MAP, "a", {"metadata": {"finalizers": None}}, NS)
    with pytest.raises(NotFound):
        await api.get(CONFIG_MAP, "a", NS)


async def test_foreground_and_orphaning_deletions_leave_their_finalizer(api: Api) -> None:
    for name, propagation, finalizer in (
        ("a", Propagation.FOREGROUND, "foregroundDeletion"),
        ("b", Propagation.ORPHAN, "orphan"),
    ):
        await api.create(CONFIG_MAP, config_map(name), NS)
        await api.delete(CONFIG_MAP, name, NS, propagation=propagation)
        assert list_at(await api.get(CONFIG_MAP, name, NS), "metadata", "finalizers") == [finalizer]


async def test_a_deletion_of_another_uid_conflicts(api: Api) -> None:
    await api.create(CONFIG_MAP, config_map("a"), NS)
    with pytest.raises(Conflict):
        await api.delete(CONFIG_MAP, "a", NS, uid="00000000-0000-4000-8000-000000000000")


async def test_a_bound_pod_ends_gracefully_and_an_unbound_one_at_once(api: Api) -> None:
    await api.create(POD, pod("unbound"), NS)
    await api.delete(POD, "unbound", NS)
    with pytest.raises(NotFound):
        await api.get(POD, "unbound", NS)
    await api.create(POD, pod("bound"), NS)
    binding: JsonObject = {"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "local"}}
    await api.subresource(POD, "bound", "binding", binding, NS)
    await api.delete(POD, "bound", NS)
    ending = await api.get(POD, "bound", NS)
    assert text_at(ending, "spec", "nodeName") == "local"
    assert number_at(ending, "metadata", "deletionGracePeriodSeconds") == 30
    await api.delete(POD, "bound", NS, grace_seconds=0)
    with pytest.raises(NotFound):
        await api.get(POD, "bound", NS)


async def test_a_bound_pod_is_scheduled_and_cannot_be_bound_again(api: Api) -> None:
    await api.create(POD, pod("a"), NS)
    binding: JsonObject = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "local"}}
    await api.subresource(POD, "a", "binding", binding, NS)
    [scheduled] = list_at(await api.get(POD, "a", NS), "status", "conditions")
    assert isinstance(scheduled, dict)
    assert (scheduled["type"], scheduled["status"]) == ("PodScheduled", "True")
    with pytest.raises(Conflict):
        await api.subresource(POD, "a", "binding", binding, NS)


async def test_a_list_is_filtered_by_labels_and_fields(api: Api) -> None:
    for name, tier in (("a", "front"), ("b", "back"), ("c", "")):
        labels: JsonObject = {"tier": tier} if tier else {}
        await api.create(CONFIG_MAP, {"metadata": {"name": name, "labels": labels}}, NS)

    async def names(labels: str = "", fields: str = "") -> list[str]:
        found = await api.list(CONFIG_MAP, NS, labels=labels, fields=fields)
        return [text_at(one, "metadata", "name") for one in found.items]

    assert await names("tier=front") == ["a"]
    assert await names("tier") == ["a", "b"]
    assert await names("tier notin (front)") == ["b", "c"]
    assert await names(fields="metadata.name=b") == ["b"]


async def next_events(api: Api, since: str, count: int, labels: str = "") -> list[WatchEvent]:
    found: list[WatchEvent] = []
    async with asyncio.timeout(10), aclosing(api.watch(CONFIG_MAP, NS, since=since, labels=labels)) as stream:
        async for event in stream:
            if event.type is not EventType.BOOKMARK:
                found.append(event)
            if len(found) == count:
                return found
    raise AssertionError("the watch ended early")


async def test_a_watch_tells_what_happened_since_a_version_in_order(api: Api) -> None:
    before = (await api.list(CONFIG_MAP, NS)).resource_version
    await api.create(CONFIG_MAP, config_map("a", k="1"), NS)
    await api.patch(CONFIG_MAP, "a", [{"op": "replace", "path": "/data/k", "value": "2"}], NS, type=PatchType.JSON)
    await api.delete(CONFIG_MAP, "a", NS)
    events = await next_events(api, before, 3)
    assert [event.type for event in events] == [EventType.ADDED, EventType.MODIFIED, EventType.DELETED]
    versions = [version(event.object) for event in events]
    assert versions == sorted(set(versions))


async def test_leaving_a_selector_looks_like_a_deletion(api: Api) -> None:
    labelled: JsonObject = {"metadata": {"name": "a", "labels": {"tier": "front"}}}
    await api.create(CONFIG_MAP, labelled, NS)
    before = (await api.list(CONFIG_MAP, NS)).resource_version
    await api.patch(CONFIG_MAP, "a", {"metadata": {"labels": {"tier": "back"}}}, NS)
    await api.patch(CONFIG_MAP, "a", {"metadata": {"labels": {"tier": "front"}}}, NS)
    events = await next_events(api, before, 2, labels="tier=front")
    assert [event.type for event in events] == [EventType.DELETED, EventType.ADDED]
