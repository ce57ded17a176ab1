"""The objects that a graph becomes: its router as a Knative Service, or as Deployment, Service, HPA and HTTPRoutes.

The router's container is KServe's: image and resources of the ConfigMap's key `router`, the graph with the URLs of its
services in `--graph-json`. Every object is owned by the graph and holds exactly the fields that are the controller's.
Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.controlplane.serving import names, render, routes
from inferplane.controlplane.serving.components import Component, allowed, without
from inferplane.controlplane.serving.knative import scaling
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.routes import Way, Ways
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.config import Router as Settings
from inferplane.resources.serving.inferencegraph import InferenceGraph, InferenceGraphSpec
from inferplane.resources.serving.inferenceservice import ComponentExtension, InferenceService

GRAPH_LABEL = names.PREFIX + "inferencegraph"
KIND_LABEL = names.PREFIX + "kind"
MANAGER = "inferplane-inferencegraph"
_READY_PATH = "/readyz"
_POD_FIELDS = ("affinity", "tolerations", "nodeSelector", "nodeName", "serviceAccountName")
_SECURITY: JsonObject = {
    "privileged": False,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True, slots=True)
class Router:
    """What both modes make their objects of; the container in `pod` has no name yet."""

    graph: InferenceGraph
    spec: InferenceGraphSpec
    pod: JsonObject

    @property
    def scaling(self) -> ComponentExtension:
        spec = self.spec
        return ComponentExtension(
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            scale_target=spec.scale_target,
            scale_metric=spec.scale_metric,
            timeout=spec.timeout,
        )


def router(graph: InferenceGraph, spec: InferenceGraphSpec, urls: Mapping[str, str], config: Config) -> Router:
    """`urls`: of the services that steps name."""
    settings = config.router
    pod: JsonObject = {
        "containers": [_container(graph, urls, settings)],
        "automountServiceAccountToken": False,
        **{key: graph.spec[key] for key in _POD_FIELDS if graph.spec.get(key)},
    }
    if settings.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": one} for one in settings.image_pull_secrets]
    return Router(graph, spec, pod)


def _container(graph: InferenceGraph, urls: Mapping[str, str], settings: Settings) -> JsonObject:
    container: JsonObject = {
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "args": ["--graph-json", graph_json(graph.spec, urls)],
        "resources": object_at(graph.spec, "resources") or _resources(settings),
        "readinessProbe": {
            "httpGet": {"path": _READY_PATH, "port": names.DEFAULT_PORT, "scheme": "HTTP"},
            "initialDelaySeconds": 5,
            "timeoutSeconds": 2,
            "periodSeconds": 5,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "securityContext": _SECURITY,
    }
    if "propagate" in settings.headers:
        patterns = ",".join(settings.headers["propagate"])
        container["env"] = [{"name": "PROPAGATE_HEADERS", "value": patterns}]
    return container


def _resources(settings: Settings) -> JsonObject:
    return {
        "limits": {"cpu": settings.cpu_limit, "memory": settings.memory_limit},
        "requests": {"cpu": settings.cpu_request, "memory": settings.memory_request},
    }


def graph_json(spec: JsonObject, urls: Mapping[str, str]) -> str:
    """The spec with the URL of each step that names a service; the same text whenever it is the same graph."""
    nodes: JsonObject = {
        name: node | {"steps": [_resolved(step, urls) for step in list_at(node, "steps")]}
        for name, node in object_at(spec, "nodes").items()
        if isinstance(node, dict)
    }
    whole: JsonObject = {"resources": {}, **spec, "nodes": nodes}
    return msgspec.json.encode(whole, order="sorted").decode()


def _resolved(step: Json, urls: Mapping[str, str]) -> Json:
    name = text_at(step, "serviceName") if isinstance(step, dict) else ""
    return step | {"serviceUrl": urls[name]} if isinstance(step, dict) and name else step


# --- Knative mode -----------------------------------------------------------------------------------------------------


def knative(one: Router, config: Config, *, allow_zero_initial_scale: bool) -> Desired:
    """The Knative Service."""
    meta = one.graph.metadata
    labels: JsonObject = {**meta.labels, GRAPH_LABEL: meta.name, KIND_LABEL: kinds.INFERENCE_GRAPH.kind}
    annotations = scaling.annotated(
        allowed(meta.annotations, config.inference_service),
        one.scaling,
        allow_zero_initial_scale=allow_zero_initial_scale,
    )
    template_labels = without(
        {key: str(value) for key, value in labels.items()}, config.inference_service.service_label_disallowed_list
    )
    revision = one.pod | ({"timeoutSeconds": one.spec.timeout} if one.spec.timeout is not None else {})
    body: JsonObject = {
        "apiVersion": kinds.KNATIVE_SERVICE.api_version,
        "kind": kinds.KNATIVE_SERVICE.kind,
        "metadata": _metadata(one.graph, labels),
        "spec": {"template": {"metadata": {"labels": template_labels, "annotations": annotations}, "spec": revision}},
    }
    return Desired(kinds.KNATIVE_SERVICE, body)


def _metadata(graph: InferenceGraph, labels: JsonObject) -> JsonObject:
    meta = graph.metadata
    return {
        "name": meta.name,
        "namespace": meta.namespace,
        "labels": labels,
        "ownerReferences": [owner_reference(kinds.INFERENCE_GRAPH, meta)],
    }


# --- Standard mode ----------------------------------------------------------------------------------------------------


def standard(one: Router, config: Config) -> list[Desired]:
    """Deployment, Service, and what scales the Deployment."""
    meta = one.graph.metadata
    labels: JsonObject = {**meta.labels, GRAPH_LABEL: meta.name}
    annotations = allowed(meta.annotations, config.inference_service)
    containers: list[Json] = [
        {"name": meta.name, **container} for container in list_at(one.pod, "containers") if isinstance(container, dict)
    ]
    pod = one.pod | {"containers": containers}
    component = Component("router", meta.name, one.scaling, labels, annotations, pod)
    return [_owned(one.graph, made) for made in render.component(_as_service(one.graph), component, config)]


def ingress(one: Router, config: Config) -> list[Desired]:
    """The HTTPRoutes; none when the graph is for inside the cluster, or where routes are Ingress objects (as KServe,
    which makes none at all).

    Raises ConfigError, TemplateError and InvalidHost.
    """
    service = _as_service(one.graph)
    if not has_ways_in(one.graph, config):
        return []
    meta = one.graph.metadata
    timeouts = one.spec.router_timeouts
    way = Way(((meta.name, 1),), (), timeouts.server_write if timeouts else None)
    host = routes.host(service, meta.name, config.ingress)
    metadata = _metadata(one.graph, {**meta.labels, GRAPH_LABEL: meta.name})
    return [
        Desired(kinds.HTTP_ROUTE, route | {"metadata": metadata | object_at(route, "metadata")})
        for route in routes.entrances(service, [host], Ways(way), config.ingress)
    ]


def has_ways_in(graph: InferenceGraph, config: Config) -> bool:
    return config.ingress.enable_gateway_api and not routes.is_internal(_as_service(graph), config.ingress)


def url(graph: InferenceGraph, config: Config, port: int | None) -> str:
    """Raises TemplateError and InvalidHost. `port` is the gateway's."""
    if not has_ways_in(graph, config):
        return f"http://{routes.cluster_local_host(graph.metadata.name, graph.metadata.namespace)}"
    host = routes.host(_as_service(graph), graph.metadata.name, config.ingress)
    return routes.url(config.ingress.url_scheme, host, port)


def _as_service(graph: InferenceGraph) -> InferenceService:
    """What scales and what routes a service look at no more of it than its metadata, which a graph has too."""
    return InferenceService(metadata=graph.metadata)


def _owned(graph: InferenceGraph, made: Desired) -> Desired:
    owner: list[Json] = [owner_reference(kinds.INFERENCE_GRAPH, graph.metadata)]
    metadata = object_at(made.body, "metadata") | {"ownerReferences": owner}
    return Desired(made.resource, made.body | {"metadata": metadata})
