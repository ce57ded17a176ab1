"""Ingresses are served like routes, and their status says where once they are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.reconcile.gateway.test_statuses import DEADLINE, World, running

from inferplane.client.kubernetes.kinds import INGRESS, INGRESS_CLASS
from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources.networking import default_classes


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as one:
        for item in default_classes():
            one.api.add(INGRESS_CLASS, item)
        yield one


def rule(host: str, *paths: tuple[str, str]) -> JsonObject:
    """`paths`: type and path; all lead to the Service iris."""
    backend: JsonObject = {"service": {"name": "iris", "port": {"name": "http"}}}
    found: list[Json] = [{"path": path, "pathType": kind, "backend": backend} for kind, path in paths]
    return {"host": host, "http": {"paths": found}}


def served(world: World) -> Json:
    return list_at(world.api.peek(INGRESS, "mine") or {}, "status", "loadBalancer", "ingress")


async def reads(world: World, expected: Json) -> None:
    async with asyncio.timeout(DEADLINE):
        while served(world) != expected:  # noqa: ASYNC110 - gRPC's own thread takes part
            await asyncio.sleep(0.001)


async def test_an_ingress_is_served_when_envoy_has_it_and_a_replica_is_ready(world: World) -> None:
    world.envoy()
    await world.service()
    await world.applied(
        INGRESS, "mine", spec={"ingressClassName": "inferplane", "rules": [rule("a.b", ("Prefix", "/"))]}
    )
    assert served(world) == []
    await world.service("127.1.0.1")
    await reads(world, [{"ip": "127.0.0.1", "ports": [{"port": 8080, "protocol": "TCP"}]}])
    await world.service()
    await reads(world, [])


async def test_an_ingress_to_a_service_that_there_is_not_is_not_served(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    missing: JsonObject = {"service": {"name": "nobody", "port": {"number": 80}}}
    path: JsonObject = {"path": "/other", "pathType": "Prefix", "backend": missing}
    both = rule("a.b", ("Prefix", "/"))
    await world.applied(INGRESS, "mine", spec={"rules": [both, {"host": "a.b", "http": {"paths": [path]}}]})
    await world.route()
    await world.programmed("Programmed")
    assert served(world) == []
    await world.applied(INGRESS, "mine", spec={"rules": [both]})
    await reads(world, [{"ip": "127.0.0.1", "ports": [{"port": 8080, "protocol": "TCP"}]}])


SERVED: Json = [{"ip": "127.0.0.1", "ports": [{"port": 8080, "protocol": "TCP"}]}]


async def test_an_ingress_of_another_class_is_left_alone_until_the_class_is_ours(world: World) -> None:
    theirs: JsonObject = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    world.envoy()
    await world.service("127.1.0.1")
    world.api.add(INGRESS_CLASS, theirs)
    await world.applied(INGRESS, "mine", spec={"ingressClassName": "nginx", "rules": [rule("a.b", ("Prefix", "/"))]})
    await world.route()
    await world.programmed("Programmed")
    assert served(world) == []
    world.api.add(INGRESS_CLASS, theirs | {"spec": {"controller": "inferplane.dev/gateway"}})
    await reads(world, SERVED)
    world.api.add(INGRESS_CLASS, theirs)
    await reads(world, [])


async def test_an_ingress_without_a_class_is_the_default_classes(world: World) -> None:
    world.envoy()
    await world.service("127.1.0.1")
    await world.applied(INGRESS, "mine", spec={"rules": [rule("a.b", ("Prefix", "/"))]})
    await reads(world, SERVED)
    world.api.remove(INGRESS_CLASS, "inferplane", "")
    await reads(world, [])
