"""Hosts, URLs and HTTPRoutes of an InferenceService in Standard mode.

`{isvc}` is the way in, `{isvc}-predictor` (`-transformer`, `-explainer`) reaches a component by its own host, and
`{isvc}-path` serves clients that cannot resolve hosts: `http://DOMAIN/serving/NAMESPACE/NAME/…`, the prefix cut off on
the way (KServe's own routes leave it on, so that model servers answer 404).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from inferplane.controlplane.serving import names
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, number_at, text_at
from inferplane.resources.serving.config import Config, Ingress
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.templates import rendered

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_PATH = re.compile(r"/(?!/)[^?#\s]*")
_DEFAULT_TIMEOUT = 60
GRPC_PROTOCOL = "kubernetes.io/h2c"
_WELL_KNOWN = {"http": 80, "https": 443}


class InvalidHost(InferplaneError):
    """The domain or path template made something that is not a host name or a path."""


def is_internal(isvc: InferenceService, config: Ingress) -> bool:
    """Reached from inside the cluster only, so there are no routes."""
    return (
        isvc.metadata.labels.get(names.CLUSTER_LOCAL) == "cluster-local"
        or config.ingress_domain == "svc.cluster.local"
        or config.disable_ingress_creation
    )


def host(isvc: InferenceService, name: str, config: Ingress, domain: str | None = None) -> str:
    """The host of `name` (the service or a component). Raises InvalidHost and TemplateError."""
    made = rendered(config.domain_template, _data(isvc, name, domain or config.ingress_domain))
    if not _DOMAIN.fullmatch(made):
        raise InvalidHost(
            f"inferenceservice-config: ingress.domainTemplate makes {made!r}, which is not a host name",
            fix="each part between dots has 1 to 63 lower-case letters, digits and '-'",
        )
    return made


def url(scheme: str, host: str, port: int | None) -> str:
    """The port is shown when it is not the scheme's own."""
    return f"{scheme}://{host}" if port in (None, _WELL_KNOWN.get(scheme)) else f"{scheme}://{host}:{port}"


def path(isvc: InferenceService, config: Ingress) -> str:
    """Prefix of the path route, without a slash at the end; empty when there is none.

    Raises InvalidHost and TemplateError.
    """
    made = rendered(config.path_template, _data(isvc, isvc.metadata.name, config.ingress_domain))
    if made and not _PATH.fullmatch(made):
        raise InvalidHost(
            f"inferenceservice-config: ingress.pathTemplate makes {made!r}, which is not a path",
            fix="it starts with one '/', and has neither scheme and host nor '?' and '#'",
        )
    return made.rstrip("/")


def cluster_local_host(service: str, namespace: str) -> str:
    return f"{service}.{namespace}.svc.cluster.local"


def _data(isvc: InferenceService, name: str, domain: str) -> JsonObject:
    labels: JsonObject = {**isvc.metadata.labels}
    annotations: JsonObject = {**isvc.metadata.annotations}
    return {
        "Name": name,
        "Namespace": isvc.metadata.namespace,
        "IngressDomain": domain,
        "Labels": labels,
        "Annotations": annotations,
    }


def component_host(isvc: InferenceService, kind: str, config: Ingress) -> str:
    """It never contains `spec.predictor.name`, so that it survives the promotion of a canary."""
    return host(isvc, _route_name(isvc, kind), config)


def _route_name(isvc: InferenceService, kind: str) -> str:
    return f"{isvc.metadata.name}-{kind}"


@dataclass(frozen=True, slots=True)
class Way:
    """Where requests for a component go. `shares`: name and weight of Services with the same `ports`.

    `timeout` in seconds, None for the default. `revisions`: the Services are Knative's, one for each revision. `port`:
    the Services' for all requests, where they have one alone.
    """

    shares: tuple[tuple[str, int], ...]
    ports: Sequence[JsonObject] = ()
    timeout: int | None = None
    revisions: bool = False
    port: int = 80


@dataclass(frozen=True, slots=True)
class Ways:
    """`entry` takes the requests to the service itself: the transformer if there is one, else the predictor."""

    predictor: Way
    transformer: Way | None = None
    explainer: Way | None = None

    @property
    def entry(self) -> Way:
        return self.transformer or self.predictor

    @property
    def components(self) -> dict[str, Way]:
        found = zip(names.COMPONENTS, (self.predictor, self.transformer, self.explainer), strict=True)
        return {kind: way for kind, way in found if way is not None}


def route_names(isvc: InferenceService, kinds: Iterable[str], config: Ingress) -> dict[str, str]:
    """Name of each route → what it is called in messages, in the order in which they are looked at."""
    titles = {_route_name(isvc, kind): kind.capitalize() for kind in kinds}
    titles[isvc.metadata.name] = "InferenceService"
    return titles | ({f"{isvc.metadata.name}-path": "Path"} if config.path_template else {})


def of(isvc: InferenceService, ways: Ways, config: Config) -> list[JsonObject]:
    """The routes with the name alone as metadata. Raises InvalidHost, TemplateError and ConfigError."""
    ingress = config.ingress
    hosts = _hosts(isvc, ingress)
    component_hosts = {kind: component_host(isvc, kind, ingress) for kind in ways.components}
    if is_internal(isvc, ingress):
        return []
    made = _Rules(isvc, ingress)
    of_components = [
        _route(_route_name(isvc, kind), [component_hosts[kind]], made.all_to(way), ingress)
        for kind, way in ways.components.items()
    ]
    return [*of_components, *entrances(isvc, hosts, ways, ingress)]


def entrances(isvc: InferenceService, hosts: list[str], ways: Ways, config: Ingress) -> list[JsonObject]:
    """The routes to the service itself, by host and by path. Raises TemplateError and ConfigError."""
    made = _Rules(isvc, config)
    explained = [made.to(ways.explainer, _regex(EXPLAIN), more=[_regex(EXPLAIN_V2)])] if ways.explainer else []
    by_host = _route(isvc.metadata.name, hosts, [*explained, *made.all_to(ways.entry)], config)
    return [by_host, _path_route(made, ways)] if config.path_template else [by_host]


EXPLAIN = r"^/v1/models/[\w-]+:explain$"
EXPLAIN_V2 = r"^/v2/models/[\w-]+/explain$"
"""Ours: KServe has no such path, and so no rule for it."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """Rules of the routes of one InferenceService."""

    isvc: InferenceService
    config: Ingress

    def to(
        self,
        way: Way,
        match: Mapping[str, Json],
        *filters: JsonObject,
        port: int | None = None,
        more: Sequence[Mapping[str, Json]] = (),
    ) -> JsonObject:
        """`more`: what else the rule matches."""
        meta = self.isvc.metadata
        named = _headers({"KServe-Isvc-Name": meta.name, "KServe-Isvc-Namespace": meta.namespace})
        backends: list[Json] = [self._backend(way, name, weight, port or way.port) for name, weight in way.shares]
        matches: list[Json] = [dict(one) for one in (match, *more)]
        rule: JsonObject = {"matches": matches, "filters": [named, *filters], "backendRefs": backends}
        if self.config.disable_http_route_timeout:
            return rule
        seconds = _DEFAULT_TIMEOUT if way.timeout is None else way.timeout
        return rule | {"timeouts": {"request": f"{seconds}s"}}

    def _backend(self, way: Way, name: str, weight: int, port: int) -> JsonObject:
        namespace = self.isvc.metadata.namespace
        backend: JsonObject = {"group": "", "kind": "Service", "name": name, "namespace": namespace}
        backend |= {"port": port, "weight": weight}
        if way.revisions:
            # By these Knative's activator knows whom to wake.
            known = _headers({"Knative-Serving-Revision": name, "Knative-Serving-Namespace": namespace})
            backend["filters"] = [known]
        return backend

    def all_to(self, way: Way) -> list[JsonObject]:
        """A Service with a port for each protocol gets gRPC requests on the one and all others on the other."""
        grpc = [number_at(one, "port") for one in way.ports if _is_grpc(one)]
        rest = [number_at(one, "port") for one in way.ports if not _is_grpc(one)]
        if not (grpc and rest):
            return [self.to(way, _regex(_EVERYTHING))]
        inference: JsonObject = {
            **_regex(r"^/inference\.GRPCInferenceService/.*$"),
            "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
        }
        return [self.to(way, inference, port=grpc[0]), self.to(way, _regex(_EVERYTHING), port=rest[0])]


def _headers(wanted: Mapping[str, str]) -> JsonObject:
    """The filter that sets them on requests."""
    entries: list[Json] = [{"name": name, "value": value} for name, value in wanted.items()]
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": entries}}


_EVERYTHING = "^/.*$"


def _regex(pattern: str) -> JsonObject:
    return {"path": {"type": "RegularExpression", "value": pattern}}


def _is_grpc(port: JsonObject) -> bool:
    return port.get("appProtocol") == GRPC_PROTOCOL or is_grpc_name(text_at(port, "name"))


def is_grpc_name(name: str) -> bool:
    return "grpc" in name.lower() or "h2c" in name.lower()


def _path_route(made: _Rules, ways: Ways) -> JsonObject:
    """The prefix is cut off: a prefix match can say so, and for explanations the whole path is known."""
    name, prefix = made.isvc.metadata.name, path(made.isvc, made.config)
    rules = [made.to(ways.entry, {"path": {"type": "PathPrefix", "value": prefix}}, _rewrite("Prefix", "/"))]
    if ways.explainer:
        for inner in (f"/v2/models/{name}/explain", f"/v1/models/{name}:explain"):
            exact: JsonObject = {"path": {"type": "Exact", "value": prefix + inner}}
            rules.insert(0, made.to(ways.explainer, exact, _rewrite("Full", inner)))
    return _route(f"{name}-path", [made.config.ingress_domain], rules, made.config)


def _rewrite(part: str, replacement: str) -> JsonObject:
    """`part` of the path: Prefix (what matched) or Full."""
    kind, key = (
        ("ReplacePrefixMatch", "replacePrefixMatch") if part == "Prefix" else ("ReplaceFullPath", "replaceFullPath")
    )
    return {"type": "URLRewrite", "urlRewrite": {"path": {"type": kind, key: replacement}}}


def _hosts(isvc: InferenceService, config: Ingress) -> list[str]:
    """The service's own host, and those in the additional domains that make one: one bad domain spoils no other."""
    found = [host(isvc, isvc.metadata.name, config)]
    for domain in config.additional_ingress_domains:
        try:
            found.append(host(isvc, isvc.metadata.name, config, domain))
        except InvalidHost:
            continue
    return list(dict.fromkeys(found))


def _route(name: str, hosts: list[str], rules: list[JsonObject], config: Ingress) -> JsonObject:
    namespace, gateway = config.gateway
    parent: JsonObject = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": namespace,
        "name": gateway,
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [parent], "hostnames": [*hosts], "rules": [*rules]},
    }
