"""Statuses of routes that share one virtual host with very many others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.reconcile.gateway.test_statuses import DEADLINE, Envoy, World, running

from inferplane.client.kubernetes.kinds import HTTP_ROUTE
from inferplane.controlplane.gateway.attachment import ParentVerdict
from inferplane.controlplane.gateway.plan import RouteVerdict
from inferplane.controlplane.gateway.status import Progress
from inferplane.controlplane.gateway.tables import MANY
from inferplane.kernel.json import JsonObject

HOST = "http-8080/localhost"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as one:
        await one.service("127.1.0.1")
        yield one


def connected(world: World) -> Envoy:
    envoy = Envoy(world.address)
    world.running.append(world.tasks.create_task(envoy.run()))
    return envoy


async def applied(world: World, name: str) -> None:
    spec: JsonObject = {
        "parentRefs": [{"name": "kserve-ingress-gateway", "namespace": "kserve"}],
        "hostnames": ["localhost"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": f"/{name}"}}],
                "backendRefs": [{"name": "iris", "port": 80}],
            }
        ],
    }
    await world.applied(HTTP_ROUTE, name, spec=spec)


async def all_are(world: World, reason: str, names: list[str]) -> None:
    async with asyncio.timeout(DEADLINE):
        for name in names:
            while world.conditions(name=name).get("Programmed") != reason:  # noqa: ASYNC110 - gRPC's own thread takes part
                await asyncio.sleep(0.001)


async def many(world: World) -> list[str]:
    names = [f"r{number}" for number in range(MANY + 1)]
    for name in names:
        await applied(world, name)
    await all_are(world, "Programmed", names)
    return names


async def test_one_that_comes_to_many_is_programmed_and_they_are_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(world)
    await many(world)
    looks = 0
    look = world.gateway._route_progress

    def counted(parent: ParentVerdict, verdict: RouteVerdict) -> Progress:
        nonlocal looks
        looks += 1
        return look(parent, verdict)

    monkeypatch.setattr(world.gateway, "_route_progress", counted)
    await applied(world, "new")
    await all_are(world, "Programmed", ["new"])
    assert looks < MANY / 2


async def test_when_their_host_is_refused_all_say_so_until_it_is_taken(world: World) -> None:
    envoy = connected(world)
    names = await many(world)
    envoy.refuses = HOST
    await applied(world, "bad")
    await all_are(world, "!Invalid", [*names, "bad"])
    envoy.refuses = ""
    await applied(world, "good")
    await all_are(world, "Programmed", [*names, "bad", "good"])
