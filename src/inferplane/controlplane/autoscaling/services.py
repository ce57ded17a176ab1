"""What a ServerlessService consists of: two Services, and who is behind the public one. Pure.

The private Service selects the pods. The public one has no selector: its EndpointSlices are copies, of the private
one's ready endpoints (Serve) or of the activator's (Proxy). A mark on it tells our own gateway to use the activator's
cluster, which all that are at zero share; another gateway follows the slices. Rules: Knative Serving
(`pkg/reconciler/serverlessservice`).
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources import activator
from inferplane.resources.autoscaling_knative.podautoscaler import ProtocolType
from inferplane.resources.autoscaling_knative.serverlessservice import Mode, ServerlessService
from inferplane.resources.core import Service
from inferplane.resources.discovery import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, Endpoint, EndpointPort, EndpointSlice
from inferplane.resources.knative import names
from inferplane.resources.knative.words import LAST_APPLIED

SLICES = "inferplane-serverlessservice"
USER_PORT = "user-port"
_H2C = "kubernetes.io/h2c"


def mode(sks: ServerlessService, pods: Sequence[EndpointSlice], activators: Sequence[EndpointSlice]) -> Mode:
    """Who is behind the public Service: not always who is asked for, as somebody must be."""
    if not any(ready(one) for one in activators):
        return Mode.SERVE
    return sks.spec.mode if any(ready(one) for one in pods) else Mode.PROXY


def ready(one: EndpointSlice) -> list[Endpoint]:
    return [endpoint for endpoint in one.endpoints if endpoint.conditions.ready]


def port(sks: ServerlessService) -> tuple[str, int]:
    """Name and number of the public port."""
    h2c = sks.spec.protocol_type == ProtocolType.H2C
    return ("http2", activator.HTTP2) if h2c else ("http", activator.HTTP)


def public(sks: ServerlessService, mode: Mode) -> JsonObject:
    body = _child(kinds.SERVICE, sks, sks.metadata.name)
    if mode is Mode.PROXY:
        _annotations(body)[activator.BACKEND] = activator.backend(port(sks)[1])
    return body | {"spec": {"ports": [_service_port(sks, None)]}}


def private(sks: ServerlessService, selector: dict[str, str]) -> JsonObject:
    body = _child(kinds.SERVICE, sks, names.private_service(sks.metadata.name))
    return body | {"spec": {"selector": {**selector}, "ports": [_service_port(sks, USER_PORT)]}}


def slices(sks: ServerlessService, sources: Iterable[EndpointSlice]) -> list[JsonObject]:
    """Those of the public Service, by number: a change of mode is one write where there is one slice."""
    copies = [one for source in sources for one in _copies(sks, source)]
    return [_slice(sks, number, address_type, made) for number, (address_type, made) in enumerate(copies)]


def is_as_wanted(wanted: Service, live: Service) -> bool:
    """Compared in what is ours: a cluster gives a Service an address, the node of one machine another annotation."""
    marks, there = wanted.metadata.annotations, live.metadata.annotations
    return (
        (wanted.spec.ports, wanted.spec.selector) == (live.spec.ports, live.spec.selector)
        and wanted.metadata.labels == live.metadata.labels
        and marks.items() <= there.items()
        and (activator.BACKEND in marks) == (activator.BACKEND in there)
    )


def is_copy(wanted: EndpointSlice, live: EndpointSlice) -> bool:
    same = (wanted.endpoints, wanted.ports) == (live.endpoints, live.ports)
    return same and wanted.metadata.labels == live.metadata.labels


def _copies(sks: ServerlessService, source: EndpointSlice) -> Iterator[tuple[str, JsonObject]]:
    name, _ = port(sks)
    number = next((one.port for one in source.ports if one.name == name and one.port), None)
    endpoints = ready(source)
    if number is not None and endpoints:
        served = EndpointPort(name=name, port=number, app_protocol=_H2C if name == "http2" else None)
        yield (
            source.address_type,
            {"endpoints": msgspec.to_builtins(endpoints), "ports": [msgspec.to_builtins(served) | {"protocol": "TCP"}]},
        )


def _slice(sks: ServerlessService, number: int, address_type: str, content: JsonObject) -> JsonObject:
    suffix = "" if address_type == "IPv4" else f"-{address_type.lower()}"
    body = _child(kinds.ENDPOINT_SLICE, sks, names.child(sks.metadata.name, f"-public{suffix}-{number}"))
    labels = {SERVICE_NAME_LABEL: sks.metadata.name, MANAGED_BY_LABEL: SLICES}
    metadata: Json = {**_metadata(body), "labels": {**sks.metadata.labels, **labels}}
    return {**body, "metadata": metadata, "addressType": address_type, **content}


def _service_port(sks: ServerlessService, target: str | None) -> JsonObject:
    name, number = port(sks)
    made: JsonObject = {"name": name, "port": number, "protocol": "TCP", "targetPort": target or number}
    return made | ({"appProtocol": _H2C} if name == "http2" else {})


def _child(resource: Resource, sks: ServerlessService, name: str) -> JsonObject:
    meta = sks.metadata
    metadata: JsonObject = {
        "name": name,
        "namespace": meta.namespace,
        "labels": {**meta.labels},
        "annotations": {key: text for key, text in meta.annotations.items() if key != LAST_APPLIED},
        "ownerReferences": [owner_reference(kinds.SERVERLESS_SERVICE, meta)],
    }
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}


def _metadata(body: JsonObject) -> JsonObject:
    found = body["metadata"]
    return found if isinstance(found, dict) else {}


def _annotations(body: JsonObject) -> JsonObject:
    found = _metadata(body)["annotations"]
    return found if isinstance(found, dict) else {}
