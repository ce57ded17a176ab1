"""A marked service has its zygote though it has no pod: a real node, a real keeper."""

import asyncio
import time
from pathlib import Path

import pytest
from tests.e2e.node_under_test import Machine

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import JsonObject

pytestmark = pytest.mark.e2e

LIMIT = 60.0

IMAGE: JsonObject = {
    "metadata": {"name": "rare"},
    "spec": {
        "images": ["rare"],
        "entrypoint": "inferplane.assembly.storage_initializer:main",
        "preload": ["inferplane.assembly.storage_initializer"],
        "onDemand": True,
    },
}


def deployment(name: str, annotations: JsonObject) -> JsonObject:
    template: JsonObject = {"spec": {"containers": [{"name": "main", "image": "rare:latest"}]}}
    return {
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"replicas": 0, "template": template},
    }


def zygotes(machine: Machine) -> list[str]:
    return [one.stem for one in machine.home.run.glob("keeper-rare-*.sock")]


async def test_the_zygote_of_a_marked_service_starts_without_a_pod(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.api.add(kinds.PROCESS_IMAGE, IMAGE)
    machine.api.add(kinds.DEPLOYMENT, deployment("plain", {}))
    async with machine.node() as node:
        assert zygotes(machine) == []
        machine.api.add(kinds.DEPLOYMENT, deployment("marked", {"inferplane.dev/prewarm": "true"}))
        end = time.monotonic() + LIMIT
        while not zygotes(machine):
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        node.stop()
