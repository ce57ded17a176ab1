"""The EndpointSlice controller: a change of a pod is in the slice one write later."""

from collections.abc import Sequence

from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, POD, SERVICE
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta
from inferplane.controlplane.workloads.endpoints.plan import MANAGER, has_endpoints, plan
from inferplane.kernel.clock import Clock
from inferplane.resources.core import Pod, Service
from inferplane.resources.discovery import MANAGED_BY_LABEL, EndpointSlice

_BY_SERVICE = "service"
_BY_LABEL = "a label that the selector asks for"


class EndpointSliceController:
    def __init__(self, api: Api, informers: Informers, clock: Clock) -> None:
        self._api = api
        self._services = informers.cache(SERVICE, Service)
        self._pods = informers.cache(POD, Pod)
        self._slices = informers.cache(ENDPOINT_SLICE, EndpointSlice)
        # A pod can only match selectors that name one of its labels, which spares a look at every service or pod.
        self._services.add_index(_BY_LABEL, _first_label)
        self._pods.add_index(_BY_LABEL, lambda pod: _labels(pod.metadata.namespace, pod.metadata.labels))
        self._slices.add_index(_BY_SERVICE, lambda one: [str(key) for key in _service(one)])
        self.controller = Controller("endpointslice", self.reconcile, clock=clock)
        self.controller.watch(self._services, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._slices, _service)
        self.controller.watch(self._pods, self._services_of)

    def _services_of(self, pod: Pod) -> Sequence[Key]:
        near = (
            service
            for label in _labels(pod.metadata.namespace, pod.metadata.labels)
            for service in self._services.matching(_BY_LABEL, label)
        )
        return [key_of_meta(one.metadata) for one in near if _selects(one, pod)]

    async def reconcile(self, key: Key) -> None:
        service = self._services.get(key)
        if service is None or service.metadata.deleting or not has_endpoints(service):
            return
        [label] = _first_label(service)
        pods = [pod for pod in self._pods.matching(_BY_LABEL, label) if _selects(service, pod)]
        todo = plan(service, pods, self._slices.matching(_BY_SERVICE, str(key)))
        for body in todo.create:
            await self._api.create(ENDPOINT_SLICE, body, key.namespace)
        for name, patch in todo.update.items():
            try:
                await self._api.patch(ENDPOINT_SLICE, name, patch, key.namespace)
            except NotFound:
                # Deleted in between; the watch brings the service back here.
                continue
        for name in todo.delete:
            try:
                await self._api.delete(ENDPOINT_SLICE, name, key.namespace)
            except NotFound:
                continue


def _selects(service: Service, pod: Pod) -> bool:
    return service.spec.selector.items() <= pod.metadata.labels.items()


def _first_label(service: Service) -> list[str]:
    if not has_endpoints(service):
        return []
    return _labels(service.metadata.namespace, dict(sorted(service.spec.selector.items())[:1]))


def _labels(namespace: str, labels: dict[str, str]) -> list[str]:
    return [f"{namespace}/{name}={value}" for name, value in labels.items()]


def _service(one: EndpointSlice) -> Sequence[Key]:
    """The service of a slice that this controller made."""
    ours = one.metadata.labels.get(MANAGED_BY_LABEL) == MANAGER and one.service
    return [Key(one.metadata.namespace, one.service)] if ours else []
