"""The columns of the built-in kinds, named and ordered as a real API server prints them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from inferplane.controlplane.apiserver.tables import pods
from inferplane.controlplane.apiserver.tables.ages import age
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.schemas.quantities import amount, canonical

NONE = "<none>"
UNSET = "<unset>"
Cells = Callable[[JsonObject, datetime], list[Json]]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class Printer:
    columns: tuple[Column, ...]
    cells: Cells


def _columns(text: str, wide: str = "", **types: str) -> tuple[Column, ...]:
    """Columns from comma-separated titles; those of `wide` are shown with `-o wide` only. The first is the name."""
    titles = [(title, 0) for title in text.split(",")] + [(title, 1) for title in wide.split(",") if title]
    return tuple(
        Column(title, types.get(title, "string"), "name" if number == 0 else "", priority)
        for number, (title, priority) in enumerate(titles)
    )


def _name(obj: JsonObject) -> str:
    return text_at(obj, "metadata", "name")


def _age(obj: JsonObject, now: datetime) -> str:
    return age(object_at(obj, "metadata").get("creationTimestamp"), now)


def _objects(values: list[Json]) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)]


def _joined(values: list[str], most: int = 0) -> str:
    """Comma-separated; `<none>` when empty; beyond `most` (0: no bound) the rest is counted."""
    if not values:
        return NONE
    if most and len(values) > most:
        return f"{','.join(values[:most])} + {len(values) - most} more..."
    return ",".join(values)


def _selector(labels: JsonObject) -> str:
    return _joined([f"{key}={value}" for key, value in sorted(labels.items())])


def label_selector(selector: JsonObject) -> str:
    """A LabelSelector in one line, as `metav1.FormatLabelSelector` writes it."""
    parts = [f"{key}={value}" for key, value in sorted(object_at(selector, "matchLabels").items())]
    for one in _objects(list_at(selector, "matchExpressions")):
        key, values = text_at(one, "key"), ",".join(str(value) for value in list_at(one, "values"))
        forms = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        parts.append(forms.get(text_at(one, "operator"), key))
    return _joined(parts)


def _containers(obj: JsonObject) -> list[Json]:
    containers = _objects(list_at(obj, "spec", "template", "spec", "containers"))
    names = ",".join(text_at(one, "name") for one in containers)
    images = ",".join(text_at(one, "image") for one in containers)
    return [names, images, label_selector(object_at(obj, "spec", "selector"))]


def _config_map(obj: JsonObject, now: datetime) -> list[Json]:
    return [_name(obj), len(object_at(obj, "data")) + len(object_at(obj, "binaryData")), _age(obj, now)]


def _secret(obj: JsonObject, now: datetime) -> list[Json]:
    return [_name(obj), text_at(obj, "type"), len(object_at(obj, "data")), _age(obj, now)]


def _plain(obj: JsonObject, now: datetime) -> list[Json]:
    return [_name(obj), _age(obj, now)]


def _namespace(obj: JsonObject, now: datetime) -> list[Json]:
    return [_name(obj), text_at(obj, "status", "phase"), _age(obj, now)]


def _deployment(obj: JsonObject, now: datetime) -> list[Json]:
    status = object_at(obj, "status")
    ready = f"{number_at(status, 'readyReplicas')}/{number_at(obj, 'spec', 'replicas')}"
    counts: list[Json] = [number_at(status, "updatedReplicas"), number_at(status, "availableReplicas")]
    return [_name(obj), ready, *counts, _age(obj, now), *_containers(obj)]


def _replica_set(obj: JsonObject, now: datetime) -> list[Json]:
    status = object_at(obj, "status")
    counts: list[Json] = [number_at(status, "replicas"), number_at(status, "readyReplicas")]
    return [_name(obj), number_at(obj, "spec", "replicas"), *counts, _age(obj, now), *_containers(obj)]


def _service(obj: JsonObject, now: datetime) -> list[Json]:
    ports = [_service_port(port) for port in _objects(list_at(obj, "spec", "ports"))]
    return [
        _name(obj),
        text_at(obj, "spec", "type"),
        text_at(obj, "spec", "clusterIP") or NONE,
        _external_address(obj),
        _joined(ports),
        _age(obj, now),
        _selector(object_at(obj, "spec", "selector")),
    ]


def _service_port(port: JsonObject) -> str:
    node_port = number_at(port, "nodePort")
    number = f"{number_at(port, 'port')}:{node_port}" if node_port else str(number_at(port, "port"))
    return f"{number}/{text_at(port, 'protocol') or 'TCP'}"


def _external_address(obj: JsonObject) -> str:
    given = [str(address) for address in list_at(obj, "spec", "externalIPs")]
    kind = text_at(obj, "spec", "type")
    if kind == "ExternalName":
        return text_at(obj, "spec", "externalName")
    if kind == "LoadBalancer":
        entries = _objects(list_at(obj, "status", "loadBalancer", "ingress"))
        given = [text_at(one, "ip") or text_at(one, "hostname") for one in entries] + given
        return ",".join(given) or "<pending>"
    return _joined(given)


def _node(obj: JsonObject, now: datetime) -> list[Json]:
    info = object_at(obj, "status", "nodeInfo")
    addresses = {text_at(one, "type"): text_at(one, "address") for one in _objects(list_at(obj, "status", "addresses"))}
    return [
        _name(obj),
        _node_status(obj),
        _node_roles(obj),
        _age(obj, now),
        text_at(info, "kubeletVersion"),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        text_at(info, "osImage") or "<unknown>",
        text_at(info, "kernelVersion") or "<unknown>",
        text_at(info, "containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(obj: JsonObject) -> str:
    ready = [one for one in _objects(list_at(obj, "status", "conditions")) if one.get("type") == "Ready"]
    word = "Unknown" if not ready else "Ready" if ready[0].get("status") == "True" else "NotReady"
    return f"{word},SchedulingDisabled" if object_at(obj, "spec").get("unschedulable") else word


def _node_roles(obj: JsonObject) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = object_at(obj, "metadata", "labels")
    return _joined(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix)))


def _event(obj: JsonObject, now: datetime) -> list[Json]:
    series = object_at(obj, "series")
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or first
    involved = object_at(obj, "involvedObject")
    source = [text_at(obj, "source", "component") or text_at(obj, "reportingComponent"), text_at(obj, "source", "host")]
    return [
        age(last, now),
        text_at(obj, "type"),
        text_at(obj, "reason"),
        f"{text_at(involved, 'kind').lower()}/{text_at(involved, 'name')}",
        text_at(involved, "fieldPath"),
        ", ".join(part for part in source if part),
        text_at(obj, "message").strip(),
        age(first, now),
        number_at(series, "count") or number_at(obj, "count") or 1,
        _name(obj),
    ]


def _lease(obj: JsonObject, now: datetime) -> list[Json]:
    return [_name(obj), text_at(obj, "spec", "holderIdentity"), _age(obj, now)]


def _endpoint_slice(obj: JsonObject, now: datetime) -> list[Json]:
    ports = [str(port["port"]) if port.get("port") is not None else "*" for port in _objects(list_at(obj, "ports"))]
    found = [str(one) for endpoint in _objects(list_at(obj, "endpoints")) for one in list_at(endpoint, "addresses")]
    shown = _joined(ports, 3) if ports else UNSET
    return [_name(obj), text_at(obj, "addressType"), shown, _joined(found, 3) if found else UNSET, _age(obj, now)]


def _endpoints(obj: JsonObject, now: datetime) -> list[Json]:
    found = [
        f"{text_at(address, 'ip')}:{number_at(port, 'port')}"
        for subset in _objects(list_at(obj, "subsets"))
        for port in _objects(list_at(subset, "ports"))
        for address in _objects(list_at(subset, "addresses"))
    ]
    return [_name(obj), _joined(found, 3), _age(obj, now)]


ACCESS = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _access(modes: list[Json]) -> str:
    return ",".join(ACCESS.get(str(mode), str(mode)) for mode in modes)


def _claim(obj: JsonObject, now: datetime) -> list[Json]:
    phase = text_at(obj, "status", "phase")
    if object_at(obj, "metadata").get("deletionTimestamp"):
        phase = "Terminating"
    volume = text_at(obj, "spec", "volumeName")
    capacity = str(object_at(obj, "status", "capacity").get("storage", "")) if volume else ""
    access = _access(list_at(obj, "status", "accessModes")) if volume else ""
    classes = [text_at(obj, "spec", "storageClassName"), text_at(obj, "spec", "volumeAttributesClassName") or UNSET]
    return [_name(obj), phase, volume, capacity, access, *classes, _age(obj, now), text_at(obj, "spec", "volumeMode")]


def _volume(obj: JsonObject, now: datetime) -> list[Json]:
    claim = object_at(obj, "spec", "claimRef")
    phase = text_at(obj, "status", "phase")
    return [
        _name(obj),
        str(object_at(obj, "spec", "capacity").get("storage", "")),
        _access(list_at(obj, "spec", "accessModes")),
        text_at(obj, "spec", "persistentVolumeReclaimPolicy"),
        "Terminating" if object_at(obj, "metadata").get("deletionTimestamp") else phase,
        f"{text_at(claim, 'namespace')}/{text_at(claim, 'name')}" if claim else "",
        text_at(obj, "spec", "storageClassName"),
        text_at(obj, "spec", "volumeAttributesClassName") or UNSET,
        text_at(obj, "status", "reason"),
        _age(obj, now),
        text_at(obj, "spec", "volumeMode"),
    ]


def _autoscaler(obj: JsonObject, now: datetime) -> list[Json]:
    target = object_at(obj, "spec", "scaleTargetRef")
    least = object_at(obj, "spec").get("minReplicas")
    return [
        _name(obj),
        f"{text_at(target, 'kind')}/{text_at(target, 'name')}",
        _targets(obj),
        UNSET if least is None else str(least),
        number_at(obj, "spec", "maxReplicas"),
        number_at(obj, "status", "currentReplicas"),
        _age(obj, now),
    ]


def _targets(obj: JsonObject) -> str:
    """`cpu: 12%/80%` for each metric; what is not measured yet is `<unknown>` (printers, formatHPAMetrics)."""
    measured = _objects(list_at(obj, "status", "currentMetrics"))
    metrics = _objects(list_at(obj, "spec", "metrics"))
    shown = [
        _target(metric, measured[number] if number < len(measured) else {}) for number, metric in enumerate(metrics)
    ]
    more = f" + {len(shown) - 2} more..." if len(shown) > 2 else ""
    return ", ".join(shown[:2]) + more if shown else NONE


def _target(metric: JsonObject, measured: JsonObject) -> str:
    kind = text_at(metric, "type")
    field = kind[:1].lower() + kind[1:]
    part, current = object_at(metric, field), object_at(measured, field, "current")
    target = object_at(part, "target")
    way = next((one for one in ("averageValue", "averageUtilization", "value") if target.get(one) is not None), "value")
    percent = "%" if way == "averageUtilization" else ""
    now = f"{current[way]}{percent}" if current.get(way) is not None else "<unknown>"
    label = f"{text_at(part, 'name')}: " if kind in ("Resource", "ContainerResource") else ""
    average = " (avg)" if way == "averageValue" and kind in ("External", "Object") else ""
    return f"{label}{now}/{target.get(way)}{percent}{average}"


def _node_use(obj: JsonObject, now: datetime) -> list[Json]:
    used = object_at(obj, "usage")
    return [_name(obj), text_at(used, "cpu"), text_at(used, "memory"), text_at(obj, "window")]


def _pod_use(obj: JsonObject, now: datetime) -> list[Json]:
    used = [object_at(one, "usage") for one in _objects(list_at(obj, "containers"))]
    cpu, memory = (sum(amount(text_at(one, what) or "0") for one in used) for what in ("cpu", "memory"))
    shown = canonical(f"{math.ceil(cpu * 10**9)}n"), canonical(f"{math.ceil(memory / 1024)}Ki")
    return [_name(obj), *shown, text_at(obj, "window")]


def _ingress(obj: JsonObject, now: datetime) -> list[Json]:
    hosts = [text_at(rule, "host") or "*" for rule in _objects(list_at(obj, "spec", "rules"))]
    entries = _objects(list_at(obj, "status", "loadBalancer", "ingress"))
    return [
        _name(obj),
        text_at(obj, "spec", "ingressClassName") or NONE,
        _joined(hosts, 3) if hosts else "*",
        ",".join(text_at(one, "ip") or text_at(one, "hostname") for one in entries),
        "80, 443" if list_at(obj, "spec", "tls") else "80",
        _age(obj, now),
    ]


def _ingress_class(obj: JsonObject, now: datetime) -> list[Json]:
    asked = object_at(obj, "spec", "parameters")
    kind = ".".join(part for part in (text_at(asked, "kind"), text_at(asked, "apiGroup")) if part)
    shown = f"{kind}/{text_at(asked, 'name')}" if asked else NONE
    return [_name(obj), text_at(obj, "spec", "controller"), shown, _age(obj, now)]


def created_at(obj: JsonObject, now: datetime) -> list[Json]:
    """The two columns of a kind that has no printer of its own."""
    return [_name(obj), text_at(obj, "metadata", "creationTimestamp")]


FALLBACK = Printer((Column("Name", format="name"), Column("Created At", type="date")), created_at)

_EVENT_COLUMNS = (
    *(Column(title) for title in ("Last Seen", "Type", "Reason", "Object")),
    *(Column(title, priority=1) for title in ("Subobject", "Source")),
    Column("Message"),
    *(Column(title, priority=1) for title in ("First Seen", "Count")),
    Column("Name", format="name", priority=1),
)
_SCALED = "Containers,Images,Selector"
_COUNTS = {"Desired": "integer", "Current": "integer", "Ready": "integer"}

PRINTERS: dict[str, Printer] = {
    "/configmaps": Printer(_columns("Name,Data,Age"), _config_map),
    "/endpoints": Printer(_columns("Name,Endpoints,Age"), _endpoints),
    "/events": Printer(_EVENT_COLUMNS, _event),
    "/namespaces": Printer(_columns("Name,Status,Age"), _namespace),
    "/nodes": Printer(
        _columns("Name,Status,Roles,Age,Version", "Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime"),
        _node,
    ),
    "/persistentvolumeclaims": Printer(
        _columns("Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age", "VolumeMode"),
        _claim,
    ),
    "/persistentvolumes": Printer(
        _columns(
            "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age",
            "VolumeMode",
        ),
        _volume,
    ),
    "/pods": Printer(_columns("Name,Ready,Status,Restarts,Age", "IP,Node,Nominated Node,Readiness Gates"), pods.cells),
    "/secrets": Printer(_columns("Name,Type,Data,Age"), _secret),
    "/services": Printer(_columns("Name,Type,Cluster-IP,External-IP,Port(s),Age", "Selector"), _service),
    "/serviceaccounts": Printer(_columns("Name,Age"), _plain),
    "apps/deployments": Printer(_columns("Name,Ready,Up-to-date,Available,Age", _SCALED), _deployment),
    "apps/replicasets": Printer(_columns("Name,Desired,Current,Ready,Age", _SCALED, **_COUNTS), _replica_set),
    "autoscaling/horizontalpodautoscalers": Printer(
        _columns("Name,Reference,Targets,MinPods,MaxPods,Replicas,Age"), _autoscaler
    ),
    "coordination.k8s.io/leases": Printer(_columns("Name,Holder,Age"), _lease),
    "discovery.k8s.io/endpointslices": Printer(_columns("Name,AddressType,Ports,Endpoints,Age"), _endpoint_slice),
    "metrics.k8s.io/nodes": Printer(_columns("Name,CPU,Memory,Window"), _node_use),
    "metrics.k8s.io/pods": Printer(_columns("Name,CPU,Memory,Window"), _pod_use),
    "networking.k8s.io/ingressclasses": Printer(_columns("Name,Controller,Parameters,Age"), _ingress_class),
    "networking.k8s.io/ingresses": Printer(_columns("Name,Class,Hosts,Address,Ports,Age"), _ingress),
}
