"""The objects that an InferenceService becomes in Standard mode: a Deployment, a Service and HTTPRoutes.

Pure: the InferenceService (defaulted), the runtime and the configuration go in; the objects come out, holding exactly
the fields that the controller owns (they are applied server-side). Every object is owned by the InferenceService.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.serving import merging, names, routes, servertypes, storage
from inferplane.kernel.json import Json, JsonObject, list_at, number_at, object_at, text_at
from inferplane.resources.serving.config import Config, Defaults
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceSpec, PredictorSpec
from inferplane.resources.serving.runtime import ServingRuntime

_DISALLOWED_ANNOTATIONS = frozenset(
    {
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/max-scale",
        names.SOURCE_URI,
        "kubectl.kubernetes.io/last-applied-configuration",
        names.MODEL_FORMAT,
    }
)
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


def predictor(
    isvc: InferenceService, spec: InferenceServiceSpec, runtime: ServingRuntime | None, config: Config
) -> list[Desired]:
    """Deployment and Service. Raises InvalidPredictor and TemplateError when the parts don't fit together."""
    if runtime is not None:
        isvc = servertypes.fitted(isvc, runtime)
    pod = merging.pod_of_model(isvc, runtime) if runtime else merging.pod_of_containers(isvc)
    name = names.predictor(isvc.metadata.name, spec.predictor.name)
    uri = source_uri(spec, pod)
    metadata = _metadata(isvc, name, spec.predictor, runtime, config.inference_service, uri)
    pod = _with_storage(isvc, pod, spec.predictor, uri, config)
    return [
        # First what takes longest to become ready.
        Desired(kinds.DEPLOYMENT, _deployment(isvc, metadata, pod, spec.predictor, config)),
        Desired(kinds.SERVICE, _service(metadata, pod, config)),
    ]


def ingress(
    isvc: InferenceService, spec: InferenceServiceSpec, config: Config, predictor: Sequence[Desired]
) -> list[Desired]:
    """The HTTPRoutes to the rendered predictor, none when the service is internal.

    Raises ConfigError, TemplateError and InvalidHost.
    """
    services = [one.body for one in predictor if one.resource == kinds.SERVICE]
    ports = [port for one in services for port in list_at(one, "spec", "ports") if isinstance(port, dict)]
    metadata: JsonObject = {
        "namespace": isvc.metadata.namespace,
        "labels": _without(isvc.metadata.labels, config.inference_service.service_label_disallowed_list),
        "annotations": _allowed(isvc.metadata.annotations, config.inference_service),
        "ownerReferences": [owner(isvc)],
    }
    return [
        Desired(kinds.HTTP_ROUTE, route | {"metadata": metadata | object_at(route, "metadata")})
        for route in routes.of(isvc, spec, config, ports)
    ]


def source_uri(spec: InferenceServiceSpec, pod: JsonObject) -> str:
    """`storageUri` of the model, or the variable STORAGE_URI of a container of the user's own."""
    if spec.predictor.model:
        return spec.predictor.model.storage_uri or ""
    main = next((one for one in list_at(pod, "containers") if isinstance(one, dict)), {})
    env = [one for one in list_at(main, "env") if isinstance(one, dict)]
    return next((text_at(one, "value") for one in env if one.get("name") == "STORAGE_URI"), "")


def owner(isvc: InferenceService) -> JsonObject:
    return {
        "apiVersion": kinds.INFERENCE_SERVICE.api_version,
        "kind": kinds.INFERENCE_SERVICE.kind,
        "name": isvc.metadata.name,
        "uid": isvc.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _metadata(
    isvc: InferenceService,
    name: str,
    component: PredictorSpec,
    runtime: ServingRuntime | None,
    config: Defaults,
    uri: str,
) -> JsonObject:
    """Later sources win: the runtime, the InferenceService, the component, what is fixed."""
    labels: JsonObject = {
        **(runtime.spec.labels if runtime else {}),
        **isvc.metadata.labels,
        **component.labels,
        names.ISVC_LABEL: isvc.metadata.name,
        "component": names.PREDICTOR,
        "app": names.app_label(name),
    }
    annotations: JsonObject = {
        **_allowed(runtime.spec.annotations if runtime else {}, config),
        **_allowed(isvc.metadata.annotations, config),
        **({names.SOURCE_URI: uri} if uri else {}),
        **_allowed(component.annotations, config),
    }
    return {
        "name": name,
        "namespace": isvc.metadata.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner(isvc)],
    }


def _allowed(annotations: dict[str, str], config: Defaults) -> JsonObject:
    return _without(annotations, [*_DISALLOWED_ANNOTATIONS, *config.service_annotation_disallowed_list])


def _without(entries: dict[str, str], names: list[str]) -> JsonObject:
    return {key: value for key, value in entries.items() if key not in names}


def _with_storage(
    isvc: InferenceService, pod: JsonObject, component: PredictorSpec, uri: str, config: Config
) -> JsonObject:
    read_only = isvc.metadata.annotations.get(names.READONLY_STORAGE, "true").lower() != "false"
    initializer = config.storage_initializer
    if component.storage_uris:
        return storage.with_several(pod, component.storage_uris, read_only=read_only, initializer=initializer)
    if uri:
        return storage.with_model(pod, uri, read_only=read_only, initializer=initializer)
    return pod


# --- Deployment -------------------------------------------------------------------------------------------------------


def _deployment(
    isvc: InferenceService, metadata: JsonObject, pod: JsonObject, component: PredictorSpec, config: Config
) -> JsonObject:
    template_metadata = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations")}
    spec: JsonObject = {
        "selector": {"matchLabels": {"app": object_at(metadata, "labels")["app"]}},
        "template": {"metadata": template_metadata, "spec": _pod(pod)},
        "strategy": component.deployment_strategy or _strategy(config),
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    replicas = _replicas(isvc, component)
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _replicas(isvc: InferenceService, component: PredictorSpec) -> int | None:
    """None leaves the number to whoever scales the Deployment."""
    match isvc.metadata.annotations.get(names.AUTOSCALER_CLASS, "hpa"):
        case "none":
            return component.min_replicas
        case "hpa" if component.min_replicas is not None:
            # Until there is a HorizontalPodAutoscaler, which would hold this number at rest (0 counts as 1 there).
            return max(1, component.min_replicas)
        case _:
            return None


def _strategy(config: Config) -> JsonObject:
    rollout = config.deploy.deployment_rollout_strategy.default_rollout
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
        result["readinessProbe"] = _tcp_probe(_first_port(container))
    return result


def _tcp_probe(port: int) -> JsonObject:
    return {
        "tcpSocket": {"port": port},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def _first_port(container: JsonObject) -> int:
    ports = [number_at(one, "containerPort") for one in list_at(container, "ports") if isinstance(one, dict)]
    return ports[0] if ports else names.DEFAULT_PORT


# --- Service ----------------------------------------------------------------------------------------------------------


def _service(metadata: JsonObject, pod: JsonObject, config: Config) -> JsonObject:
    spec: JsonObject = {
        "selector": {"app": object_at(metadata, "labels")["app"]},
        "ports": _ports(text_at(metadata, "name"), pod),
    }
    if config.service.service_cluster_ip_none:
        spec["clusterIP"] = "None"
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def entry_container(pod: JsonObject) -> JsonObject:
    """The container that requests come to: transformer-container if there is one, else the first."""
    containers = [one for one in list_at(pod, "containers") if isinstance(one, dict)]
    found = next((one for one in containers if one.get("name") == names.TRANSFORMER_CONTAINER), None)
    return found or containers[0]


def _ports(name: str, pod: JsonObject) -> list[Json]:
    declared = [one for one in list_at(entry_container(pod), "ports") if isinstance(one, dict)]
    if not declared:
        return [{"name": name, "port": 80, "targetPort": names.DEFAULT_PORT, "protocol": "TCP"}]
    return [_port(name, one, first=index == 0) for index, one in enumerate(declared)]


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
