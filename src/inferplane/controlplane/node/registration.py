"""The Node object and its heartbeat: what the machine is, that the node is up, a Lease renewed every ten seconds."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import AlreadyExists, Api, ApiError, ServerUnreachable
from inferplane.controlplane.node.status_writer import MANAGER
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock, micro_timestamp, timestamp
from inferplane.kernel.json import JsonObject

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
# kubelet: nodeLeaseDurationSeconds 40, renewed every quarter of that.
LEASE_SECONDS, RENEW_EVERY = 40, 10.0
_RETRY = Backoff(first=0.1, limit=5.0)


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts about this machine. `memory` and `disk` in bytes, `info` as Node's `status.nodeInfo`."""

    name: str
    address: str
    cpus: int
    memory: int
    info: Mapping[str, str]
    most_pods: int = 10000
    disk: int = 0
    gpus: int = 0

    def resources(self) -> dict[str, str]:
        found = {"cpu": str(self.cpus), "memory": f"{self.memory // 1024}Ki", "pods": str(self.most_pods)}
        found |= {"ephemeral-storage": f"{self.disk // 1024}Ki"} if self.disk else {}
        return found | ({"nvidia.com/gpu": str(self.gpus)} if self.gpus else {})


@dataclass(frozen=True, slots=True)
class Registration:
    api: Api
    clock: Clock
    machine: Machine

    async def register(self) -> None:
        """Returns when the Node is Ready; waits for the API server as long as it takes."""
        failures = 0
        while True:
            try:
                await self._write_node()
                await self._renew()
                return
            except (ServerUnreachable, ApiError) as error:
                failures += 1
                # The control plane and the node start together: the first tries are expected to fail.
                if failures == 10:
                    log.warning("not registered yet, trying again error=%s", error)
                await self.clock.sleep(_RETRY.delay(failures))

    async def run(self) -> None:
        """Renews the lease until cancelled."""
        failing = False
        while True:
            await self.clock.sleep(RENEW_EVERY)
            try:
                await self._renew()
                failing = False
            except (ServerUnreachable, ApiError) as error:
                if not failing:
                    log.warning("lease not renewed, trying again every %g s error=%s", RENEW_EVERY, error)
                failing = True

    async def _write_node(self) -> None:
        name = self.machine.name
        labels: JsonObject = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": self.machine.info.get("operatingSystem", ""),
            "kubernetes.io/arch": self.machine.info.get("architecture", ""),
        }
        await self.api.apply(kinds.NODE, {"metadata": {"name": name, "labels": labels}}, manager=MANAGER)
        await self.api.apply(kinds.NODE, self._node_status(), manager=MANAGER, subresource="status")
        try:
            await self.api.create(kinds.NAMESPACE, {"metadata": {"name": LEASE_NAMESPACE}})
        except AlreadyExists:
            pass

    def _node_status(self) -> JsonObject:
        now = timestamp(self.clock.now())
        ready: JsonObject = {
            "type": "Ready",
            "status": "True",
            "reason": "NodeReady",
            "message": "the node starts pods as processes",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        resources: JsonObject = {**self.machine.resources()}
        status: JsonObject = {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [ready],
            "addresses": [
                {"type": "InternalIP", "address": self.machine.address},
                {"type": "Hostname", "address": self.machine.name},
            ],
            "nodeInfo": {**self.machine.info},
        }
        return {"metadata": {"name": self.machine.name}, "status": status}

    async def _renew(self) -> None:
        spec: JsonObject = {
            "holderIdentity": self.machine.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": micro_timestamp(self.clock.now()),
        }
        body: JsonObject = {"metadata": {"name": self.machine.name, "namespace": LEASE_NAMESPACE}, "spec": spec}
        await self.api.apply(kinds.LEASE, body, LEASE_NAMESPACE, manager=MANAGER)
