"""Hosts, URLs and HTTPRoutes of an InferenceService in Standard mode.

`{isvc}` is the way in, `{isvc}-predictor` reaches the component by its own host, and `{isvc}-path` serves clients that
cannot resolve hosts: `http://DOMAIN/serving/NAMESPACE/NAME/…`, the prefix cut off on the way (KServe's own routes leave
it on, so that model servers answer 404).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inferplane.controlplane.serving import names
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, number_at, text_at
from inferplane.resources.serving.config import Config, Ingress
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec
from inferplane.resources.serving.templates import rendered

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_DEFAULT_TIMEOUT = 60
GRPC_PROTOCOL = "kubernetes.io/h2c"
_WELL_KNOWN = {"http": 80, "https": 443}


class InvalidHost(InferplaneError):
    """The domain template made something that is not a host name."""


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
    """Prefix of the path route, without a slash at the end; empty when there is none."""
    return rendered(config.path_template, _data(isvc, isvc.metadata.name, config.ingress_domain)).rstrip("/")


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


def route_names(isvc: InferenceService, config: Ingress) -> dict[str, str]:
    """Name of each route → what it is called in messages, in the order in which they are looked at."""
    name = isvc.metadata.name
    return {f"{name}-predictor": "Predictor", name: "InferenceService"} | (
        {f"{name}-path": "Path"} if config.path_template else {}
    )


def of(
    isvc: InferenceService, spec: InferenceServiceSpec, config: Config, ports: Sequence[JsonObject]
) -> list[JsonObject]:
    """The routes with the name alone as metadata; `ports` are those of the predictor's Service.

    Raises InvalidHost, TemplateError and ConfigError.
    """
    ingress = config.ingress
    name = isvc.metadata.name
    component = f"{name}-predictor"
    hosts, component_host = _hosts(isvc, ingress), host(isvc, component, ingress)
    if is_internal(isvc, ingress):
        return []
    backend = _Backend(isvc, names.predictor(name, spec.predictor.name), spec.predictor.timeout, ingress)
    everything = _rules(backend, ports)
    routes = [_route(component, [component_host], everything, ingress), _route(name, hosts, everything, ingress)]
    if ingress.path_template:
        routes.append(_path_route(backend))
    return routes


@dataclass(frozen=True, slots=True)
class _Backend:
    """Where the rules of a component lead. `timeout` in seconds."""

    isvc: InferenceService
    service: str
    timeout: int | None
    config: Ingress

    def rule(self, match: Mapping[str, Json], *filters: JsonObject, port: int = 80) -> JsonObject:
        meta = self.isvc.metadata
        headers: list[Json] = [
            {"name": "KServe-Isvc-Name", "value": meta.name},
            {"name": "KServe-Isvc-Namespace", "value": meta.namespace},
        ]
        named: JsonObject = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": headers}}
        service: JsonObject = {
            "group": "",
            "kind": "Service",
            "name": self.service,
            "namespace": meta.namespace,
            "port": port,
            "weight": 1,
        }
        rule: JsonObject = {"matches": [dict(match)], "filters": [named, *filters], "backendRefs": [service]}
        if self.config.disable_http_route_timeout:
            return rule
        seconds = _DEFAULT_TIMEOUT if self.timeout is None else self.timeout
        return rule | {"timeouts": {"request": f"{seconds}s"}}


def _rules(backend: _Backend, ports: Sequence[JsonObject]) -> list[JsonObject]:
    """A Service with a port for each protocol gets gRPC requests on the one and all others on the other."""
    grpc = [number_at(one, "port") for one in ports if _is_grpc(one)]
    rest = [number_at(one, "port") for one in ports if not _is_grpc(one)]
    if not (grpc and rest):
        return [backend.rule(_everything())]
    inference: JsonObject = {
        "path": {"type": "RegularExpression", "value": r"^/inference\.GRPCInferenceService/.*$"},
        "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
    }
    return [backend.rule(inference, port=grpc[0]), backend.rule(_everything(), port=rest[0])]


def _is_grpc(port: JsonObject) -> bool:
    return port.get("appProtocol") == GRPC_PROTOCOL or is_grpc_name(text_at(port, "name"))


def is_grpc_name(name: str) -> bool:
    return "grpc" in name.lower() or "h2c" in name.lower()


def _everything() -> JsonObject:
    return {"path": {"type": "RegularExpression", "value": "^/.*$"}}


def _path_route(backend: _Backend) -> JsonObject:
    match: JsonObject = {"path": {"type": "PathPrefix", "value": path(backend.isvc, backend.config)}}
    rewrite: JsonObject = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
    }
    name = f"{backend.isvc.metadata.name}-path"
    return _route(name, [backend.config.ingress_domain], [backend.rule(match, rewrite)], backend.config)


def _hosts(isvc: InferenceService, config: Ingress) -> list[str]:
    domains = [config.ingress_domain, *config.additional_ingress_domains]
    return list(dict.fromkeys(host(isvc, isvc.metadata.name, config, domain) for domain in domains))


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
