"""The objects that a component becomes in Standard mode (a Deployment and a Service), and the routes to all of them.

Pure: components, the InferenceService (defaulted) and the configuration go in; the objects come out, holding exactly
the fields that the controller owns (they are applied server-side). Every object is owned by the InferenceService.
"""

from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.serving import agents, autoscalers, ingresses, names, routes
from inferplane.controlplane.serving.components import Component, allowed, owner, without
from inferplane.controlplane.serving.ports import entry_container, first_port, tcp_probe
from inferplane.controlplane.serving.workers import GENERATION, ROLE, Spanning
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.serving.config import STANDARD, Config, RollingUpdate
from inferplane.resources.serving.inferenceservice import InferenceService

_POD_DEFAULTS: JsonObject = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER_DEFAULTS: JsonObject = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_PROBED = (names.MAIN_CONTAINER, names.TRANSFORMER_CONTAINER)


@dataclass(frozen=True, slots=True)
class Desired:
    """An object as it should be, for server-side apply."""

    resource: Resource
    body: JsonObject

    @property
    def name(self) -> str:
        return text_at(self.body, "metadata", "name")


def component(isvc: InferenceService, one: Component, config: Config) -> list[Desired]:
    """Deployment, Service, and what scales the Deployment."""
    metadata = _metadata(isvc, one)
    return [
        # First what takes longest to become ready.
        Desired(kinds.DEPLOYMENT, _deployment(isvc, metadata, one, config)),
        Desired(kinds.SERVICE, _service(metadata, one.pod, config)),
        *(Desired(kind, body) for kind, body in autoscalers.objects(isvc, metadata, one.spec, config)),
    ]


def workers(isvc: InferenceService, span: Spanning, config: Config) -> list[Desired]:
    """Of a model that spans nodes: the workers' Deployment, and the Services by which its nodes find each other."""
    metadata = _metadata(isvc, span.workers)
    return [
        *(_headless(isvc, span, *one) for one in span.headless),
        Desired(kinds.DEPLOYMENT, _deployment(isvc, metadata, span.workers, config)),
    ]


def _headless(isvc: InferenceService, span: Spanning, name: str, role: str, selected: str) -> Desired:
    metadata = _metadata(isvc, span.head)
    labels = object_at(metadata, "labels")
    spec: JsonObject = {
        "selector": {"app": names.app_label(selected), GENERATION: labels[GENERATION]},
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
    }
    metadata |= {"name": name, "labels": labels | {"app": names.app_label(selected), ROLE: role}}
    return Desired(kinds.SERVICE, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def ingress(isvc: InferenceService, ways: routes.Ways, config: Config) -> list[Desired]:
    """The HTTPRoutes to the rendered components, or the Ingress; none when the service is internal.

    Raises ConfigError, TemplateError and InvalidHost.
    """
    metadata: JsonObject = {"namespace": isvc.metadata.namespace, "ownerReferences": [owner(isvc)]}
    if not config.ingress.enable_gateway_api:
        services = {kind: way.shares[0][0] for kind, way in ways.components.items()}
        made = ingresses.of(isvc, services, config)
        return [Desired(kinds.INGRESS, one | {"metadata": object_at(one, "metadata") | metadata}) for one in made]
    metadata |= {
        "labels": without(isvc.metadata.labels, config.inference_service.service_label_disallowed_list),
        "annotations": allowed(isvc.metadata.annotations, config.inference_service),
    }
    return [
        Desired(kinds.HTTP_ROUTE, route | {"metadata": metadata | object_at(route, "metadata")})
        for route in routes.of(isvc, ways, config)
    ]


def _metadata(isvc: InferenceService, one: Component) -> JsonObject:
    return {
        "name": one.name,
        "namespace": isvc.metadata.namespace,
        "labels": one.labels | {"app": names.app_label(one.name)},
        "annotations": one.annotations,
        "ownerReferences": [owner(isvc)],
    }


# --- Deployment -------------------------------------------------------------------------------------------------------


def _deployment(isvc: InferenceService, metadata: JsonObject, one: Component, config: Config) -> JsonObject:
    template_metadata = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations")}
    spec: JsonObject = {
        "selector": {"matchLabels": {"app": object_at(metadata, "labels")["app"]}},
        "template": {"metadata": template_metadata, "spec": _pod(one.pod)},
        "strategy": one.spec.deployment_strategy or _strategy(config),
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    replicas = autoscalers.fixed_replicas(isvc, one.spec)
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _strategy(config: Config) -> JsonObject:
    # KServe's rule: what the configuration says of rollouts is meant for its own default mode.
    own = config.deploy.mode == STANDARD
    rollout = config.deploy.deployment_rollout_strategy.default_rollout if own else RollingUpdate()
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": rollout.max_surge, "maxUnavailable": rollout.max_unavailable},
    }


def _pod(pod: JsonObject) -> JsonObject:
    init: list[Json] = [_CONTAINER_DEFAULTS | one for one in list_at(pod, "initContainers") if isinstance(one, dict)]
    containers: list[Json] = [_container(one) for one in list_at(pod, "containers") if isinstance(one, dict)]
    result = _POD_DEFAULTS | pod | {"containers": containers}
    return result | {"initContainers": init} if init else result


def _container(container: JsonObject) -> JsonObject:
    result = _CONTAINER_DEFAULTS | container
    if text_at(container, "name") in _PROBED and "readinessProbe" not in container:
        result["readinessProbe"] = tcp_probe(first_port(container))
    return result


# --- Service ----------------------------------------------------------------------------------------------------------


def _service(metadata: JsonObject, pod: JsonObject, config: Config) -> JsonObject:
    spec: JsonObject = {
        "selector": {"app": object_at(metadata, "labels")["app"]},
        "ports": _ports(text_at(metadata, "name"), pod),
    }
    if config.service.service_cluster_ip_none:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _ports(name: str, pod: JsonObject) -> list[Json]:
    declared = [one for one in list_at(entry_container(pod), "ports") if isinstance(one, dict)]
    if not declared:
        declared = [{"containerPort": names.DEFAULT_PORT}]
    ports = [_port(name, one, first=index == 0) for index, one in enumerate(declared)]
    if agents.in_front(pod):
        ports[0]["targetPort"] = agents.PORT
    return [*ports]


def _port(service: str, declared: JsonObject, *, first: bool) -> JsonObject:
    number, name = number_at(declared, "containerPort"), text_at(declared, "name")
    port: JsonObject = {
        # Kubernetes needs names as soon as there are two ports; KServe leaves the declared one as it is.
        "name": name or (service if first else f"port-{number}"),
        "port": 80 if first else number,
        "targetPort": number,
        "protocol": text_at(declared, "protocol") or "TCP",
    }
    return port | {"appProtocol": routes.GRPC_PROTOCOL} if routes.is_grpc_name(name) else port
