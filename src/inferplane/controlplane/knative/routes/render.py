"""The HTTPRoutes of a Route: one for each traffic group and Gateway, named after its host. Pure.

Backends are the revisions' public Services; the headers are those by which an activator knows whom to wake. Hosts of
the cluster go to the local Gateway, which may be the same one. Rules: `pkg/reconciler/route/resources/ingress.go`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import HTTP_ROUTE, KNATIVE_ROUTE, SERVICE
from inferplane.controlplane.knative.marks import without
from inferplane.controlplane.knative.routes import rollout
from inferplane.controlplane.knative.routes.hosts import Hosts
from inferplane.controlplane.knative.routes.rollout import Rollout
from inferplane.controlplane.knative.routes.traffic import DEFAULT, Target
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources import gateway
from inferplane.resources.activator import IDLE_TIMEOUT, NAMESPACE_HEADER, REVISION_HEADER
from inferplane.resources.autoscaling_knative.podautoscaler import ProtocolType
from inferplane.resources.knative import Route, words
from inferplane.resources.knative.config import CLUSTER_DOMAIN, Gateways
from inferplane.resources.local_services import LOCAL_ROUTE

PORTS = {ProtocolType.HTTP1: 80, ProtocolType.H2C: 81}
"""Of a revision's public Service."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision: what its pods speak, and the longest time of a request, until its answer starts, and without a byte.

    In seconds; 0 is no limit.
    """

    protocol: str
    timeout: int
    start_timeout: int = 0
    idle_timeout: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a Route leads to: traffic groups and their hosts by tag (DEFAULT for none), revisions by name."""

    groups: Mapping[str, Sequence[Target]]
    hosts: Mapping[str, Hosts]
    backends: Mapping[str, Backend]
    rollout: Rollout


def http_routes(route: Route, plan: Plan, gateways: Gateways) -> list[JsonObject]:
    """The first is that of the default group; it keeps the state of the rollout."""
    made = [one for tag in plan.groups for one in _of_group(route, plan, tag, gateways)]
    if plan.rollout.configurations:
        text = msgspec.json.encode(plan.rollout).decode()
        _annotate(made[0], rollout.ANNOTATION, text)
    return made


def _annotations(route: Route) -> dict[str, str]:
    return without(route.metadata.annotations, (words.LAST_APPLIED, words.ROLLOUT_DURATION))


def _of_group(route: Route, plan: Plan, tag: str, gateways: Gateways) -> Iterator[JsonObject]:
    hosts = plan.hosts[tag]
    spec: JsonObject = {"rules": [_rule(route, plan, tag)]}
    idle = _loosest([plan.backends[name].idle_timeout for name in split(plan.groups[tag], plan.rollout, tag)])
    for name, names, parent in _ways(hosts, gateways):
        made = _child(route, HTTP_ROUTE, name, spec | _attached(names, parent))
        if idle:
            _annotate(made, IDLE_TIMEOUT, f"{idle}s")
        yield made


def _annotate(made: JsonObject, key: str, value: str) -> None:
    metadata = object_at(made, "metadata")
    made["metadata"] = metadata | {"annotations": object_at(metadata, "annotations") | {key: value}}


def _ways(hosts: Hosts, gateways: Gateways) -> Iterator[tuple[str, Sequence[str], tuple[str, str]]]:
    """Name, hosts and Gateway of each HTTPRoute of a group."""
    if not hosts.external:
        yield hosts.main, hosts.local, gateways.local
    elif gateways.external == gateways.local:
        yield hosts.main, (hosts.external, *hosts.local), gateways.external
    else:
        yield hosts.main, (hosts.external,), gateways.external
        yield hosts.cluster_local, hosts.local, gateways.local


def placeholders(route: Route, hosts: Iterable[Hosts], gateways: Gateways) -> list[JsonObject]:
    """A Service for each traffic group, so that its name inside of the cluster is one, and nobody else's.

    Where the local Gateway has a Service its name leads there; on one machine our gateway listens for it.
    """
    return [_placeholder(route, one, gateways) for one in hosts]


def _placeholder(route: Route, hosts: Hosts, gateways: Gateways) -> JsonObject:
    port: JsonObject = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}
    spec: JsonObject = {"clusterIP": "None", "ports": [port]}
    if gateways.local_service is not None:
        namespace, name = gateways.local_service
        target = f"{name}.{namespace}.svc.{CLUSTER_DOMAIN}"
        spec = {"type": "ExternalName", "externalName": target, "ports": [port], "sessionAffinity": "None"}
    made = _child(route, SERVICE, hosts.service, spec)
    *_, (local, _, _) = _ways(hosts, gateways)
    _annotate(made, LOCAL_ROUTE, local)
    return made


def _attached(hosts: Sequence[str], parent: tuple[str, str]) -> JsonObject:
    reference: JsonObject = {"group": gateway.GROUP, "kind": "Gateway", "namespace": parent[0], "name": parent[1]}
    return {"parentRefs": [reference], "hostnames": [*hosts]}


def _child(route: Route, resource: Resource, name: str, spec: JsonObject) -> JsonObject:
    meta = route.metadata
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": {**meta.labels, words.ROUTE: meta.name},
            "annotations": {**_annotations(route)},
            "ownerReferences": [owner_reference(KNATIVE_ROUTE, meta)],
        },
        "spec": spec,
    }


def _rule(route: Route, plan: Plan, tag: str) -> JsonObject:
    shares = split(plan.groups[tag], plan.rollout, tag)
    backends: list[Json] = [
        _backend(route.metadata.namespace, name, percent, plan.backends[name]) for name, percent in shares.items()
    ]
    reached = [plan.backends[name] for name in shares]
    whole, start = _loosest([one.timeout for one in reached]), _loosest([one.start_timeout for one in reached])
    limits = {"request": whole, "backendRequest": start if start < whole else 0}
    timeouts: JsonObject = {name: f"{seconds}s" for name, seconds in limits.items() if seconds}
    rule: JsonObject = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}
    return rule | {"timeouts": timeouts} if timeouts else rule


def _loosest(limits: Sequence[int]) -> int:
    """One rule has one limit: that of the revision that allows most."""
    return 0 if 0 in limits else max(limits, default=0)


def split(targets: Sequence[Target], state: Rollout, tag: str = DEFAULT) -> dict[str, int]:
    """Revision → percent, with what is being rolled out; those with none are left out."""
    found: dict[str, int] = {}
    rolled: set[str] = set()
    for one in targets:
        rolling = state.of(one.configuration, tag) if one.follows_latest else None
        if rolling is None or rolling.is_done:
            found[one.revision] = found.get(one.revision, 0) + one.percent
        elif one.configuration not in rolled:
            rolled.add(one.configuration)
            for share in rolling.revisions:
                found[share.revision_name] = found.get(share.revision_name, 0) + share.percent
    return {name: percent for name, percent in found.items() if percent}


def _backend(namespace: str, revision: str, percent: int, backend: Backend) -> JsonObject:
    known: list[Json] = [
        {"name": REVISION_HEADER, "value": revision},
        {"name": NAMESPACE_HEADER, "value": namespace},
    ]
    return {
        "group": "",
        "kind": "Service",
        "name": revision,
        "namespace": namespace,
        "port": PORTS[ProtocolType(backend.protocol)],
        "weight": percent,
        "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": known}}],
    }
