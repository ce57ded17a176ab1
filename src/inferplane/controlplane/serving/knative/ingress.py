"""The way in to an InferenceService in Knative mode: one host in front of the components' Knative Services.

Where routes are Gateway API's (`ingress.enableGatewayApi`), an HTTPRoute sends requests to the revisions by the shares
that Knative says they have; the headers are those by which Knative's activator knows a sleeping revision. Elsewhere it
is KServe's VirtualService of Istio, which sends them on through Knative's local gateway by the component's host, with
an ExternalName Service for clients inside of the cluster. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.serving import names, routes
from inferplane.controlplane.serving.components import allowed, owner
from inferplane.controlplane.serving.knative import hosts
from inferplane.controlplane.serving.knative.traffic import shares
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.routes import EXPLAIN, Way, Ways
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.knative import TrafficTarget
from inferplane.resources.serving.config import Config, Ingress
from inferplane.resources.serving.inferenceservice import InferenceService

_MESH = "mesh"
_HTTP_PORT, _H2C_PORT = 80, 81
"""Of Knative's Service of a revision, which has one of them."""


@dataclass(frozen=True, slots=True)
class Target:
    """A component that is ready. `name` of its Knative Service; `timeout` in seconds, None for the default; `h2c`:
    whether its port takes HTTP/2 alone, which Knative's Services of revisions then have on a port of its own."""

    name: str
    url: str
    traffic: Sequence[TrafficTarget]
    timeout: int | None = None
    h2c: bool = False


Targets = Mapping[str, Target]
"""By kind of component."""


def objects(isvc: InferenceService, targets: Targets, config: Config, domains: Sequence[str] = ()) -> list[Desired]:
    """`domains` are Knative's own. Raises ConfigError and TemplateError."""
    if config.ingress.enable_gateway_api:
        return _http_routes(isvc, targets, config, domains)
    if config.ingress.disable_istio_virtual_host:
        return []
    return [_virtual_service(isvc, targets, config, domains), _external_name(isvc, config)]


def _metadata(isvc: InferenceService, config: Config, name: str = "") -> JsonObject:
    labels: JsonObject = {**isvc.metadata.labels}
    return {
        "name": name or isvc.metadata.name,
        "namespace": isvc.metadata.namespace,
        "labels": labels,
        "annotations": allowed(isvc.metadata.annotations, config.inference_service),
        "ownerReferences": [owner(isvc)],
    }


def _entry(targets: Targets) -> tuple[str, Target]:
    kind = hosts.component_kind(list(targets))
    return kind, targets[kind]


# --- HTTPRoute --------------------------------------------------------------------------------------------------------


def _http_routes(isvc: InferenceService, targets: Targets, config: Config, domains: Sequence[str]) -> list[Desired]:
    kind, entry = _entry(targets)
    host = hosts.external(entry.name, kind, entry.url)
    if hosts.is_internal(isvc, host):
        return []
    found = [host, *hosts.additional(host, config.ingress, domains)]
    return [
        Desired(kinds.HTTP_ROUTE, one | {"metadata": _metadata(isvc, config, text_at(one, "metadata", "name"))})
        for one in routes.entrances(isvc, found, _ways(targets), config.ingress)
    ]


def _ways(targets: Targets) -> Ways:
    made = {
        kind: Way(
            tuple(shares(one.traffic).items()),
            port=_H2C_PORT if one.h2c else _HTTP_PORT,
            timeout=one.timeout,
            revisions=True,
        )
        for kind, one in targets.items()
    }
    return Ways(made[names.PREDICTOR], made.get(names.TRANSFORMER), made.get(names.EXPLAINER))


# --- VirtualService ---------------------------------------------------------------------------------------------------


def _virtual_service(isvc: InferenceService, targets: Targets, config: Config, domains: Sequence[str]) -> Desired:
    made = _Istio(isvc, targets, config.ingress, domains)
    spec: JsonObject = {"hosts": [*made.hosts()], "gateways": [*made.gateways()], "http": [*made.routes()]}
    body: JsonObject = {
        "apiVersion": kinds.VIRTUAL_SERVICE.api_version,
        "kind": kinds.VIRTUAL_SERVICE.kind,
        "metadata": _metadata(isvc, config),
        "spec": spec,
    }
    return Desired(kinds.VIRTUAL_SERVICE, body)


@dataclass(frozen=True, slots=True)
class _Istio:
    """The parts of a VirtualService, as KServe makes them."""

    isvc: InferenceService
    targets: Targets
    config: Ingress
    domains: Sequence[str]

    @property
    def external(self) -> str:
        kind, entry = _entry(self.targets)
        return hosts.external(entry.name, kind, entry.url)

    @property
    def is_internal(self) -> bool:
        return hosts.is_internal(self.isvc, self.external)

    def public_hosts(self) -> list[str]:
        if self.is_internal:
            return []
        return [self.external, *hosts.additional(self.external, self.config, self.domains)]

    def hosts(self) -> list[str]:
        first, *more = self.public_hosts() or [""]
        path = [self.config.ingress_domain] if self.config.path_template else []
        found = [hosts.internal(self.isvc), first, *path, *more]
        return list(dict.fromkeys(one for one in found if one))

    def gateways(self) -> list[str]:
        inside = [self.config.local_gateway, _MESH]
        return inside if self.is_internal else [*inside, self.config.ingress_gateway]

    def routes(self) -> list[JsonObject]:
        _, entry = _entry(self.targets)
        explainer = self.targets.get(names.EXPLAINER)
        found = [self._route(explainer, self._matches({"uri": {"regex": EXPLAIN}}))] if explainer else []
        found.append(self._route(entry, self._matches({})))
        return found + (self._by_path(entry, explainer) if self.config.path_template else [])

    def _matches(self, more: JsonObject) -> list[JsonObject]:
        inside = more | {
            "authority": {"regex": _authority(hosts.internal(self.isvc))},
            "gateways": [self.config.local_gateway, _MESH],
        }
        outside: list[JsonObject] = [
            more | {"authority": {"regex": _authority(one)}, "gateways": [self.config.ingress_gateway]}
            for one in self.public_hosts()
        ]
        return [inside, *outside]

    def _by_path(self, entry: Target, explainer: Target | None) -> list[JsonObject]:
        prefix = routes.path(self.isvc, self.config)
        found: list[JsonObject] = []
        if explainer:
            pattern = rf"^{prefix}(/v1/models/[\w-]+:explain)$"
            rewrite: JsonObject = {"uriRegexRewrite": {"match": pattern, "rewrite": r"\1"}}
            found.append(self._route(explainer, [self._at_domain({"uri": {"regex": pattern}})]) | {"rewrite": rewrite})
        ends = [self._at_domain({"uri": {"prefix": f"{prefix}/"}}), self._at_domain({"uri": {"exact": prefix}})]
        return [*found, self._route(entry, ends) | {"rewrite": {"uri": "/"}}]

    def _at_domain(self, match: JsonObject) -> JsonObject:
        authority: JsonObject = {"regex": _authority(self.config.ingress_domain)}
        return match | {"authority": authority, "gateways": [self.config.ingress_gateway]}

    def _route(self, target: Target, matches: Sequence[JsonObject]) -> JsonObject:
        meta = self.isvc.metadata
        gateway = self.config.knative_local_gateway_service or self.config.local_gateway_service
        destination: JsonObject = {"host": gateway, "port": {"number": 80}}
        headers: JsonObject = {
            "Host": routes.cluster_local_host(target.name, meta.namespace),
            "KServe-Isvc-Name": meta.name,
            "KServe-Isvc-Namespace": meta.namespace,
        }
        return {
            "match": [*matches],
            "route": [{"destination": destination, "weight": 100}],
            "headers": {"request": {"set": headers}},
        }


def _authority(host: str) -> str:
    escaped = host.replace(".", r"\.")
    return rf"^{escaped}(?::\d{{1,5}})?$"


def _external_name(isvc: InferenceService, config: Config) -> Desired:
    body: JsonObject = {
        "apiVersion": kinds.SERVICE.api_version,
        "kind": kinds.SERVICE.kind,
        "metadata": _metadata(isvc, config),
        "spec": {
            "type": "ExternalName",
            "externalName": config.ingress.local_gateway_service,
            "sessionAffinity": "None",
        },
    }
    return Desired(kinds.SERVICE, body)
