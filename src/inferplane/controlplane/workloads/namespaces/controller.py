"""The namespace controllers: one furnishes new namespaces, one empties those that are deleted and lets them go."""

import msgspec

from inferplane.client.kubernetes.api import AlreadyExists, Api, ApiError, Conflict, NotFound, Resource
from inferplane.client.kubernetes.discovery import Discovery
from inferplane.client.kubernetes.kinds import CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.census import Census, Item
from inferplane.controlplane.workloads.namespaces.plan import FINALIZER, Left, conditions
from inferplane.kernel.clock import Clock, timestamp
from inferplane.kernel.json import JsonObject, list_at, object_at
from inferplane.resources.core import ConfigMap, Namespace, ServiceAccount

_ACCOUNT = "default"
_ROOT_CA = "kube-root-ca.crt"
# Pods end by themselves; how long that takes is their affair, and their going brings the namespace back here. This is
# for what no watch tells of.
_LOOK_AGAIN = 5.0
_VERBS = {"list", "delete"}


class NamespaceFurnisher:
    """Each namespace has a `default` ServiceAccount and the cluster's CA in a ConfigMap."""

    def __init__(self, api: Api, informers: Informers, clock: Clock, ca: str) -> None:
        self._api = api
        self._ca = ca
        self._namespaces = informers.cache(NAMESPACE, Namespace)
        self._accounts = informers.cache(SERVICE_ACCOUNT, ServiceAccount)
        self._config_maps = informers.cache(CONFIG_MAP, ConfigMap)
        self.controller = Controller("namespace", self.reconcile, clock=clock)
        self.controller.watch(self._namespaces, lambda one: [Key("", one.metadata.name)])
        self.controller.watch(self._accounts, lambda one: _home(one.metadata.name == _ACCOUNT, one.metadata.namespace))
        self.controller.watch(
            self._config_maps, lambda one: _home(one.metadata.name == _ROOT_CA, one.metadata.namespace)
        )

    async def reconcile(self, key: Key) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deleting:
            return
        if self._accounts.get(Key(key.name, _ACCOUNT)) is None:
            await self._create(SERVICE_ACCOUNT, {"metadata": {"name": _ACCOUNT}}, key.name)
        data = self._config_maps.get(Key(key.name, _ROOT_CA))
        if data is None:
            body: JsonObject = {"metadata": {"name": _ROOT_CA}, "data": {"ca.crt": self._ca}}
            await self._create(CONFIG_MAP, body, key.name)
        elif data.data.get("ca.crt") != self._ca:
            await self._api.patch(CONFIG_MAP, _ROOT_CA, {"data": {"ca.crt": self._ca}}, key.name)

    async def _create(self, resource: Resource, body: JsonObject, namespace: str) -> None:
        try:
            await self._api.create(resource, body, namespace)
        except (AlreadyExists, NotFound):
            # Somebody was faster, or the namespace is gone again.
            return


class NamespaceCloser:
    """Empties a namespace that is being deleted, and removes the finalizer that holds it when nothing is left."""

    def __init__(self, api: Api, informers: Informers, discovery: Discovery, census: Census, clock: Clock) -> None:
        self._api = api
        self._discovery = discovery
        self._clock = clock
        self._namespaces = informers.cache(NAMESPACE, Namespace)
        self.controller = Controller("namespace-end", self.reconcile, clock=clock, workers=2)
        self.controller.watch(
            self._namespaces, lambda one: [Key("", one.metadata.name)] if one.metadata.deleting else []
        )
        census.on_change(self._changed)

    def _changed(self, resource: Resource, old: Item | None, new: Item | None) -> None:
        if new is None and old is not None and old.metadata.namespace:
            home = self._namespaces.get(Key("", old.metadata.namespace))
            if home is not None and home.metadata.deleting:
                self.controller.enqueue(Key("", old.metadata.namespace))

    async def reconcile(self, key: Key) -> Result | None:
        namespace = self._namespaces.get(key)
        if namespace is None or not namespace.metadata.deleting or FINALIZER not in namespace.spec.finalizers:
            return None
        kinds = [
            one.resource for one in await self._discovery.served() if one.resource.namespaced and one.verbs >= _VERBS
        ]
        failures = [failure for kind in kinds for failure in await self._empty(kind, key.name)]
        left = [one for kind in kinds for one in await self._left(kind, key.name)]
        if left or failures:
            await self._report(namespace, left, failures)
            return Result(_LOOK_AGAIN)
        await self._finalize(key.name)
        return None

    async def _empty(self, resource: Resource, namespace: str) -> list[str]:
        """Deletes all objects of the kind; returns why some were refused."""
        failures: list[str] = []
        for one in await self._left(resource, namespace):
            if one.metadata.deleting:
                continue
            try:
                await self._api.delete(resource, one.metadata.name, namespace, uid=one.metadata.uid)
            except (NotFound, Conflict):
                continue
            except ApiError as error:
                failures.append(str(error))
        return failures

    async def _left(self, resource: Resource, namespace: str) -> list[Left]:
        try:
            found = await self._api.list(resource, namespace)
        except NotFound:
            # The kind itself was removed since discovery.
            return []
        return [Left(resource, msgspec.convert(one, Item).metadata) for one in found.items]

    async def _report(self, namespace: Namespace, left: list[Left], failures: list[str]) -> None:
        new = conditions(namespace, left, failures, timestamp(self._clock.now()))
        patch: JsonObject = {"status": {"conditions": new}}
        try:
            await self._api.patch(NAMESPACE, namespace.metadata.name, patch, subresource="status")
        except NotFound:
            return

    async def _finalize(self, name: str) -> None:
        try:
            stored = await self._api.get(NAMESPACE, name)
            rest = [one for one in list_at(stored, "spec", "finalizers") if one != FINALIZER]
            body = stored | {"spec": object_at(stored, "spec") | {"finalizers": rest}}
            await self._api.update(NAMESPACE, body, subresource="finalize")
        except NotFound:
            return


def _home(ours: bool, namespace: str) -> list[Key]:
    return [Key("", namespace)] if ours else []
