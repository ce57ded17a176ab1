from collections.abc import Callable

import msgspec
import pytest
from tests.fakes.api import MemoryApi

from inferplane.client.kubernetes.kinds import DEPLOYMENT
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.meta import ObjectMeta


def desired(replicas: int = 1) -> Desired:
    meta: JsonObject = {"name": "a", "namespace": "default", "labels": {"app": "a"}}
    return Desired(DEPLOYMENT, {"metadata": meta, "spec": {"replicas": replicas}})


def live(api: MemoryApi, of: Desired) -> ObjectMeta | None:
    found = api.peek(of.resource, of.name)
    return msgspec.convert(object_at(found, "metadata"), ObjectMeta) if found else None


def _nothing(_: JsonObject) -> None: ...


def _relabelled(item: JsonObject) -> None:
    object_at(item, "metadata", "labels").clear()


def _annotated(item: JsonObject) -> None:
    item["metadata"] = object_at(item, "metadata") | {"annotations": {"theirs": "1"}}


def _scaled(item: JsonObject) -> None:
    item["spec"] = {"replicas": 7}


@pytest.mark.parametrize(("change", "written"), [(_nothing, 0), (_annotated, 0), (_relabelled, 1), (_scaled, 1)])
async def test_only_what_differs_from_what_was_applied_is_written(
    change: Callable[[JsonObject], None], written: int
) -> None:
    api = MemoryApi()
    applier = Applier(api, "test")
    await applier.apply(desired(), None)
    item = api.peek(DEPLOYMENT, "a")
    assert item is not None
    change(item)
    api.add(DEPLOYMENT, item)
    api.writes.clear()
    for _ in range(3):
        await applier.apply(desired(), live(api, desired()))
    assert len(api.writes) == written


async def test_another_spec_and_another_object_of_the_name_are_written() -> None:
    api = MemoryApi()
    applier = Applier(api, "test")
    await applier.apply(desired(), None)
    await applier.apply(desired(2), live(api, desired()))
    api.remove(DEPLOYMENT, "a")
    await applier.apply(desired(2), None)
    assert len(api.writes) == 3


async def test_removing_what_is_gone_or_going_is_no_error() -> None:
    api = MemoryApi()
    applier = Applier(api, "test")
    await applier.apply(desired(), None)
    old = live(api, desired())
    assert old is not None
    api.remove(DEPLOYMENT, "a")
    await applier.remove(DEPLOYMENT, old)
    going = msgspec.structs.replace(old, deletion_timestamp="2026-01-01T00:00:00Z")
    api.writes.clear()
    await applier.remove(DEPLOYMENT, going)
    assert api.writes == []
