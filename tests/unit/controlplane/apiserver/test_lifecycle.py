from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.apiserver import lifecycle, writes
from inferplane.controlplane.apiserver.app import App, create_app
from inferplane.controlplane.apiserver.calls import Call
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Kind
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.kernel.json import JsonObject

KINDS: dict[str, Kind] = {kind.key: kind for kind in reversed(BUILT_IN)}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def app(tmp_path: Path, clock: FakeClock) -> AsyncIterator[App]:
    made = await create_app(await Store.open(tmp_path / "state.db", clock), token="t", clock=clock)
    yield made
    await made.close()


async def create(app: App, key: str, name: str) -> None:
    involved: JsonObject = {"kind": "Pod", "namespace": "default", "name": "p"}
    obj: JsonObject = {"metadata": {"name": name}}
    if key == "/events":
        obj["involvedObject"] = involved
    await writes.create(app.core, Call("POST", KINDS[key], "default"), obj)


def names(app: App, key: str) -> list[str]:
    return [row.name for row in app.core.storage.store.rows(key)]


async def test_events_are_kept_for_an_hour_and_other_objects_for_good(app: App, clock: FakeClock) -> None:
    await create(app, "/events", "old")
    await create(app, "/configmaps", "old")
    clock.advance(lifecycle.EVENT_SECONDS - 10)
    await create(app, "/events", "new")
    clock.advance(11)
    assert await lifecycle.expire_events(app.core) == 1
    assert (names(app, "/events"), names(app, "/configmaps")) == (["new"], ["old"])


async def test_an_event_that_is_written_again_lives_on(app: App, clock: FakeClock) -> None:
    await create(app, "/events", "again")
    clock.advance(lifecycle.EVENT_SECONDS - 10)
    stored = app.core.storage.require(KINDS["/events"], "default", "again")
    await app.core.storage.replace(KINDS["/events"], stored, stored.object | {"count": 2})
    clock.advance(11)
    assert await lifecycle.expire_events(app.core) == 0


async def test_a_second_start_makes_no_namespace_twice(tmp_path: Path, clock: FakeClock) -> None:
    revisions = []
    for _ in range(2):
        made = await create_app(await Store.open(tmp_path / "twice.db", clock), token="t", clock=clock)
        revisions.append(made.core.storage.store.revision)
        await made.close()
    assert revisions == [len(lifecycle.NAMESPACES)] * 2
