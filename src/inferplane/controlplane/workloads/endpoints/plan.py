"""Which EndpointSlices a Service has, from its pods. Pure.

An ending pod is never ready, so traffic leaves it before its process gets SIGTERM. A slice holds at most 100 endpoints;
pods whose named ports have different numbers go into different slices, since ports belong to the slice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from inferplane.client.kubernetes.kinds import SERVICE
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import ObjectReference, Pod, Service, ServicePort
from inferplane.resources.discovery import (
    MANAGED_BY_LABEL,
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointConditions,
    EndpointPort,
    EndpointSlice,
)

MANAGER = "endpointslice-controller.k8s.io"
HEADLESS_LABEL = "service.kubernetes.io/headless"
_FULL = 100

Ports = tuple[EndpointPort, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`create` are whole bodies, `update` merge patches by name, `delete` names."""

    create: list[JsonObject] = field(default_factory=list)
    update: dict[str, JsonObject] = field(default_factory=dict)
    delete: list[str] = field(default_factory=list)


def has_endpoints(service: Service) -> bool:
    """Services without a selector have their slices written by somebody else."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def plan(service: Service, pods: Iterable[Pod], slices: Sequence[EndpointSlice]) -> Plan:
    """`slices` are those that this controller made for the service."""
    result = Plan()
    spare = sorted(slices, key=lambda one: one.metadata.name)
    for ports, endpoints in _by_ports(service, pods).items():
        theirs = [one for one in spare if tuple(one.ports) == ports] or spare[:1]
        spare = [one for one in spare if one not in theirs]
        _distribute(result, service, ports, endpoints, theirs)
    result.delete.extend(one.metadata.name for one in spare)
    return result


def _by_ports(service: Service, pods: Iterable[Pod]) -> dict[Ports, dict[str, Endpoint]]:
    """Endpoints by pod name, for each different set of ports. One empty set when there are no endpoints."""
    groups: dict[Ports, dict[str, Endpoint]] = {}
    for pod in sorted(pods, key=lambda one: one.metadata.name):
        if pod.status.pod_ip and not pod.finished:
            ports = tuple(one for port in service.spec.ports for one in _resolved(port, pod))
            groups.setdefault(ports, {})[pod.metadata.name] = _endpoint(service, pod)
    return groups or {(): {}}


def _resolved(port: ServicePort, pod: Pod) -> Sequence[EndpointPort]:
    number = _number(port, pod)
    if number is None:
        return []
    return [EndpointPort(name=port.name, port=number, protocol=port.protocol, app_protocol=port.app_protocol)]


def _number(port: ServicePort, pod: Pod) -> int | None:
    target = port.target_port
    if not isinstance(target, str):
        return target or port.port
    sidecars = [one for one in pod.spec.init_containers if one.restart_policy == "Always"]
    named = (one for container in [*pod.spec.containers, *sidecars] for one in container.ports)
    return next((one.container_port for one in named if (one.name, one.protocol) == (target, port.protocol)), None)


def _endpoint(service: Service, pod: Pod) -> Endpoint:
    ending = pod.metadata.deleting
    return Endpoint(
        addresses=[pod.status.pod_ip],
        conditions=EndpointConditions(
            ready=service.spec.publish_not_ready_addresses or (pod.ready and not ending),
            serving=pod.ready,
            terminating=ending,
        ),
        node_name=pod.spec.node_name or None,
        target_ref=ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
        ),
    )


def _distribute(
    result: Plan, service: Service, ports: Ports, endpoints: dict[str, Endpoint], slices: Sequence[EndpointSlice]
) -> None:
    """Endpoints stay in the slice that they are in, new ones fill what has room, the rest gets new slices."""
    left = dict(endpoints)
    kept = {one.metadata.name: [left.pop(name) for name in _names(one) if name in left] for one in slices}
    for present in kept.values():
        for name in list(left)[: _FULL - len(present)]:
            present.append(left.pop(name))
    for index, one in enumerate(slices):
        present = kept[one.metadata.name]
        # The last one stays, empty: its presence says that the service was looked at.
        if not present and (index or endpoints):
            result.delete.append(one.metadata.name)
        elif not _says(one, service, ports, present):
            result.update[one.metadata.name] = _patch(service, ports, present, one)
    rest = list(left.values())
    if not slices and not rest:
        result.create.append(_new(service, ports, []))
    result.create.extend(_new(service, ports, rest[start : start + _FULL]) for start in range(0, len(rest), _FULL))


def _names(one: EndpointSlice) -> list[str]:
    return [endpoint.target_ref.name for endpoint in one.endpoints if endpoint.target_ref is not None]


def _says(one: EndpointSlice, service: Service, ports: Ports, endpoints: list[Endpoint]) -> bool:
    return (one.endpoints, tuple(one.ports), one.metadata.labels) == (endpoints, ports, _labels(service))


def _labels(service: Service) -> dict[str, str]:
    headless = {HEADLESS_LABEL: ""} if service.spec.headless else {}
    ours = {SERVICE_NAME_LABEL: service.metadata.name, MANAGED_BY_LABEL: MANAGER}
    return {**service.metadata.labels, **headless, **ours}


def _patch(service: Service, ports: Ports, endpoints: list[Endpoint], one: EndpointSlice) -> JsonObject:
    gone: JsonObject = dict.fromkeys(one.metadata.labels)
    return {
        "metadata": {"resourceVersion": one.metadata.resource_version, "labels": gone | {**_labels(service)}},
        "endpoints": msgspec.to_builtins(endpoints),
        "ports": [_port(port) for port in ports],
    }


def _new(service: Service, ports: Ports, endpoints: list[Endpoint]) -> JsonObject:
    return {
        "metadata": {
            "generateName": f"{service.metadata.name}-",
            "namespace": service.metadata.namespace,
            "labels": {**_labels(service)},
            "ownerReferences": [owner_reference(SERVICE, service.metadata)],
        },
        "addressType": "IPv4",
        "endpoints": msgspec.to_builtins(endpoints),
        "ports": [_port(port) for port in ports],
    }


def _port(port: EndpointPort) -> JsonObject:
    """The name is written even when it is empty, as a cluster does."""
    body: JsonObject = {"name": port.name, "port": port.port, "protocol": port.protocol}
    return body | ({"appProtocol": port.app_protocol} if port.app_protocol else {})
