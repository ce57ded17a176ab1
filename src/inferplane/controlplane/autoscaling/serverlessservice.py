"""The ServerlessService controller: the two Services of a revision, and who is behind the public one.

A gateway must never be led where nobody is. On the way to the pods the slices come first and the mark for our own
gateway goes last; on the way to the activator the other way round.
"""

from collections.abc import Sequence

import msgspec

from inferplane.client.kubernetes.api import NotFound
from inferplane.client.kubernetes.kinds import DEPLOYMENT, ENDPOINT_SLICE, SERVERLESS_SERVICE, SERVICE
from inferplane.controlplane.autoscaling import services
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children, is_foreign
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, is_controlled_by, key_of_meta
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources import activator, conditions
from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling_knative.serverlessservice import (
    ACTIVATOR_ENDPOINTS_POPULATED,
    ENDPOINTS_POPULATED,
    Mode,
    ServerlessService,
)
from inferplane.resources.conditions import TRUE, Verdict, failed, pending
from inferplane.resources.core import Service
from inferplane.resources.discovery import EndpointSlice
from inferplane.resources.knative import names
from inferplane.resources.meta import ConditionStatus

MANAGER = "inferplane-serverlessservice"
NOT_OWNED = "NotOwned"
NO_HEALTHY_BACKENDS = "NoHealthyBackends"
CREATING_PRIVATE_SERVICE = "CreatingPrivateService"
DIRECT = "PodsReached"

_BY_SERVICE = "slices of a service"
_BY_TARGET = "serverless services of a scale target"
_ACTIVATOR = Key(activator.NAMESPACE, activator.NAME)


class ServerlessServiceController:
    def __init__(self, informers: Informers, clock: Clock) -> None:
        self._api = informers.api
        self._children = Children(informers.api, MANAGER)
        self._clock = clock
        self._sks = informers.cache(SERVERLESS_SERVICE, ServerlessService)
        self._services = informers.cache(SERVICE, Service)
        self._slices = informers.cache(ENDPOINT_SLICE, EndpointSlice)
        self._deployments = informers.cache(DEPLOYMENT, Deployment)
        self._slices.add_index(_BY_SERVICE, lambda one: [str(key) for key in _service_of(one)])
        self._sks.add_index(_BY_TARGET, lambda one: [str(_target(one))])
        self.controller = Controller("serverlessservice", self.reconcile, clock=clock)
        self.controller.watch(self._sks, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._services, lambda one: controller_key(one.metadata, SERVERLESS_SERVICE))
        self.controller.watch(self._slices, self._concerned)
        self._deployments.on_change(self._target_changed)

    def _concerned(self, one: EndpointSlice) -> Sequence[Key]:
        """A slice of the activator concerns all of them; another one the owner of its Service."""
        [key] = _service_of(one) or [Key("", "")]
        if key == _ACTIVATOR:
            return [key_of_meta(sks.metadata) for sks in self._sks.list()]
        found = self._services.get(key)
        return controller_key(found.metadata, SERVERLESS_SERVICE) if found else []

    def _target_changed(self, old: Deployment | None, new: Deployment | None) -> None:
        """Only its selector matters, and that never changes."""
        if new is not None and old is None:
            for sks in self._sks.matching(_BY_TARGET, str(key_of_meta(new.metadata))):
                self.controller.enqueue(key_of_meta(sks.metadata))

    async def reconcile(self, key: Key) -> None:
        sks = self._sks.get(key)
        if sks is None or sks.metadata.deleting:
            return
        private = Key(key.namespace, names.private_service(key.name))
        for child in (key, private):
            if is_foreign(self._services.get(child), sks.metadata):
                message = f"There is a Service named {child.name} that is not of this ServerlessService."
                await self._write(sks, failed(NOT_OWNED, message), proxied=None)
                return
        target = self._deployments.get(_target(sks))
        if target is None:
            await self._write(sks, pending(CREATING_PRIVATE_SERVICE, "What is to be scaled does not exist."), None)
            return
        body = services.private(sks, target.spec.selector.match_labels)
        await self._ensure(private, body)
        await self._lead(key, sks, self._of(private))

    async def _lead(self, key: Key, sks: ServerlessService, pods: Sequence[EndpointSlice]) -> None:
        activators = self._of(_ACTIVATOR)
        mode = services.mode(sks, pods, activators)
        sources = pods if mode is Mode.SERVE else activators
        if mode is Mode.PROXY:
            await self._ensure(key, services.public(sks, mode))
        await self._replace(key, sks, services.slices(sks, sources))
        if mode is Mode.SERVE:
            await self._ensure(key, services.public(sks, mode))
        anyone = any(services.ready(one) for one in sources)
        verdict = TRUE if anyone else pending(NO_HEALTHY_BACKENDS, "Nobody is ready to take requests.")
        await self._write(sks, verdict, proxied=mode is Mode.PROXY)

    def _of(self, service: Key) -> Sequence[EndpointSlice]:
        found = self._slices.matching(_BY_SERVICE, str(service))
        return sorted(found, key=lambda one: one.metadata.name)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def _ensure(self, key: Key, body: JsonObject) -> None:
        live = self._services.get(key)
        if live is None or not services.is_as_wanted(msgspec.convert(body, Service), live):
            await self._api.apply(SERVICE, body, key.namespace, manager=MANAGER)

    async def _replace(self, key: Key, sks: ServerlessService, wanted: Sequence[JsonObject]) -> None:
        there = {one.metadata.name: one for one in self._of(key) if is_controlled_by(one.metadata, sks.metadata)}
        for body in wanted:
            live = there.pop(text_at(body, "metadata", "name"), None)
            if live is None or not services.is_copy(msgspec.convert(body, EndpointSlice), live):
                await self._api.apply(ENDPOINT_SLICE, body, key.namespace, manager=MANAGER)
        for name in there:
            try:
                await self._api.delete(ENDPOINT_SLICE, name, key.namespace)
            except NotFound:
                continue

    async def _write(self, sks: ServerlessService, populated: Verdict, proxied: bool | None) -> None:
        """`proxied`: the activator is behind the public Service; None: there is no public Service."""
        direct = Verdict(ConditionStatus.FALSE, DIRECT, "Requests reach the pods.")
        verdicts = {
            ENDPOINTS_POPULATED: populated,
            ACTIVATOR_ENDPOINTS_POPULATED: conditions.UNKNOWN if proxied is None else TRUE if proxied else direct,
        }
        found = msgspec.structs.replace(
            sks.status,
            observed_generation=sks.metadata.generation,
            conditions=conditions.settled(
                verdicts, sks.status.conditions, timestamp(self._clock.now()), (ENDPOINTS_POPULATED,)
            ),
            service_name="" if proxied is None else sks.metadata.name,
            private_service_name="" if proxied is None else names.private_service(sks.metadata.name),
        )
        await self._children.write_status(SERVERLESS_SERVICE, sks.metadata, sks.status, found)


def _target(sks: ServerlessService) -> Key:
    return Key(sks.metadata.namespace, sks.spec.object_ref.name)


def _service_of(one: EndpointSlice) -> list[Key]:
    return [Key(one.metadata.namespace, one.service)] if one.service else []
