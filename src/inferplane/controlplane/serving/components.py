"""Predictor, transformer and explainer as `Component`: name, labels, annotations and pod, the same in either mode.

An InferenceService (defaulted), the predictor's runtime and the configuration go in. What comes out lacks only what a
mode adds: `render` makes a Deployment and a Service of it. Pure.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.serving import (
    agents,
    collocation,
    merging,
    multimodel,
    names,
    pickles,
    servertypes,
    storage,
    storagespec,
)
from inferplane.controlplane.serving.agents import Post, Servers
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.process_image import ProcessImage
from inferplane.resources.serving import localmodel
from inferplane.resources.serving.config import ArtImage, Config, Defaults
from inferplane.resources.serving.inferenceservice import (
    ArtExplainer,
    ComponentExtension,
    ExplainerSpec,
    InferenceService,
    InferenceServiceSpec,
    PredictorSpec,
    StorageUri,
    TransformerSpec,
    passthrough,
)
from inferplane.resources.serving.runtime import ServingRuntime

_DISALLOWED_ANNOTATIONS = frozenset(
    {
        "autoscaling.knative.dev/min-scale",
        "autoscaling.knative.dev/max-scale",
        names.SOURCE_URI,
        "kubectl.kubernetes.io/last-applied-configuration",
        names.MODEL_FORMAT,
        # Where requests go is no reason to start pods anew.
        names.SHADOW,
    }
)


@dataclass(frozen=True, slots=True)
class Component:
    """`kind` is predictor, transformer or explainer; `name` that of its objects. `pod` holds the storage already, and
    whoever logs and batches."""

    kind: str
    name: str
    spec: ComponentExtension
    labels: JsonObject
    annotations: JsonObject
    pod: JsonObject


def predictor(
    isvc: InferenceService,
    spec: PredictorSpec,
    runtime: ServingRuntime | None,
    config: Config,
    images: Sequence[ProcessImage] = (),
    *,
    endpoint: str = agents.DEFAULT,
) -> Component:
    """`spec` is the typed form of `isvc.spec["predictor"]`; `images` is the platform's table, empty on a cluster;
    `endpoint` for the logger: `default` or `canary`. Raises InvalidPredictor and TemplateError."""
    if runtime is not None:
        isvc = servertypes.fitted(isvc, runtime)
    pod = merging.pod_of_model(isvc, runtime) if runtime else merging.pod_of_containers(isvc)
    uri = source_uri(spec, pod)
    pod = collocation.shared(isvc, spec, with_storage(isvc, pod, uri, spec.storage_uris, config))
    name = names.predictor(isvc.metadata.name, spec.name)
    return _component(isvc, names.PREDICTOR, name, spec, pod, uri, config, Servers(runtime, images), endpoint=endpoint)


def transformer(
    isvc: InferenceService,
    spec: InferenceServiceSpec,
    config: Config,
    name: str | None = None,
    images: Sequence[ProcessImage] = (),
    *,
    predictor: str = "",
    endpoint: str = agents.DEFAULT,
) -> Component | None:
    """`name` of its objects, when they are not the ones of the service itself; `predictor`: name of the predictor's
    Service, when it is another than the spec says. `images` and `endpoint` as for `predictor`."""
    own = spec.transformer
    if own is None:
        return None
    pod = passthrough(object_at(isvc.spec, names.TRANSFORMER), TransformerSpec)
    added = [*_flags(isvc, spec, predictor), ("--http_port", str(names.DEFAULT_PORT)), *_workers(own)]
    pod = _with_first(pod, lambda one: merging.with_service_name(isvc, _with_flags(one, added)))
    name = name or f"{isvc.metadata.name}-transformer"
    return _fetching(isvc, names.TRANSFORMER, name, own, pod, config, images, endpoint)


def explainer(
    isvc: InferenceService,
    spec: InferenceServiceSpec,
    config: Config,
    images: Sequence[ProcessImage] = (),
    *,
    predictor: str = "",
) -> Component | None:
    """`predictor` and `images` as for `transformer`."""
    own = spec.explainer
    if own is None:
        return None
    name = f"{isvc.metadata.name}-explainer"
    if own.art is not None:
        return _art(isvc, _flags(isvc, spec, predictor), own, own.art, name, config, images)
    pod = passthrough(object_at(isvc.spec, names.EXPLAINER), ExplainerSpec)
    added = [*_flags(isvc, spec, predictor), ("--http_port", str(names.DEFAULT_PORT)), *_workers(own)]
    pod = _with_first(pod, lambda one: _with_flags(one, added))
    return _fetching(isvc, names.EXPLAINER, name, own, pod, config, images)


def source_uri(spec: PredictorSpec, pod: JsonObject) -> str:
    """`storageUri` of the model, or the variable STORAGE_URI of a container of the user's own.

    Which store the path of a storage spec is in is known only with the Secret (`fetching`).
    """
    if spec.model is None:
        return _variable_uri(pod)
    if spec.model.storage_uri or spec.model.storage is None:
        return spec.model.storage_uri or ""
    return storagespec.PLACEHOLDER + (spec.model.storage.path or "").lstrip("/")


def predictor_host(isvc: InferenceService, spec: InferenceServiceSpec) -> str:
    """Where transformer and explainer find the predictor: its Service, whatever `spec.predictor.name` makes of it."""
    return f"{names.predictor(isvc.metadata.name, spec.predictor.name)}.{isvc.metadata.namespace}"


def owner(isvc: InferenceService) -> JsonObject:
    return {
        "apiVersion": kinds.INFERENCE_SERVICE.api_version,
        "kind": kinds.INFERENCE_SERVICE.kind,
        "name": isvc.metadata.name,
        "uid": isvc.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def allowed(annotations: dict[str, str], config: Defaults) -> JsonObject:
    """Without what is meant for the InferenceService alone."""
    return without(annotations, [*_DISALLOWED_ANNOTATIONS, *config.service_annotation_disallowed_list])


def without(entries: dict[str, str], names: Iterable[str]) -> JsonObject:
    left_out = frozenset(names)
    return {key: value for key, value in entries.items() if key not in left_out}


# --- transformer and explainer ----------------------------------------------------------------------------------------

_Flag = tuple[str, str]


def _flags(isvc: InferenceService, spec: InferenceServiceSpec, predictor: str) -> list[_Flag]:
    host = f"{predictor}.{isvc.metadata.namespace}" if predictor else predictor_host(isvc, spec)
    return [("--model_name", isvc.metadata.name), ("--predictor_host", host)]


def _workers(own: ComponentExtension) -> list[_Flag]:
    return [("--workers", str(own.container_concurrency))] if own.container_concurrency is not None else []


def _with_flags(container: JsonObject, flags: Sequence[_Flag]) -> JsonObject:
    """The flags that the author of the container has not set, after those that he has."""
    args = list_at(container, "args")
    for flag, value in flags:
        if not any(isinstance(one, str) and one.partition("=")[0] == flag for one in args):
            args = [*args, flag, value]
    return container | {"args": args}


def _art(
    isvc: InferenceService,
    own_flags: Sequence[_Flag],
    own: ExplainerSpec,
    art: ArtExplainer,
    name: str,
    config: Config,
    images: Sequence[ProcessImage],
) -> Component:
    """KServe's order of arguments, with the user's own once and last."""
    pod = passthrough(object_at(isvc.spec, names.EXPLAINER), ExplainerSpec)
    container = passthrough(object_at(isvc.spec, names.EXPLAINER, "art"), ArtExplainer)
    named, host = own_flags
    flags = [named, ("--http_port", str(names.DEFAULT_PORT)), host, *_workers(own)]
    if art.storage_uri:
        flags.append(("--storage_uri", names.MODEL_DIR))
    flags.append(("--adversary_type", art.type))
    flags += [(f"--{key}", value) for key, value in sorted(art.config.items())]
    words = [word for flag in flags for word in flag]
    container = container | {
        "name": names.MAIN_CONTAINER,
        "image": text_at(container, "image") or _art_image(config.explainers.art, art),
        "args": [*words, *list_at(container, "args")],
    }
    pod = pod | {"containers": [container, *list_at(pod, "containers")]}
    uri = art.storage_uri or ""
    pod = with_storage(isvc, pod, uri, own.storage_uris, config)
    return _component(isvc, names.EXPLAINER, name, own, pod, uri, config, Servers(images=images))


def _art_image(image: ArtImage, art: ArtExplainer) -> str:
    return f"{image.image}:{art.runtime_version or image.default_image_version}"


def _fetching(
    isvc: InferenceService,
    kind: str,
    name: str,
    spec: TransformerSpec | ExplainerSpec,
    pod: JsonObject,
    config: Config,
    images: Sequence[ProcessImage],
    endpoint: str = agents.DEFAULT,
) -> Component:
    uri = _variable_uri(pod)
    pod = with_storage(isvc, pod, uri, spec.storage_uris, config)
    return _component(isvc, kind, name, spec, pod, uri, config, Servers(images=images), endpoint=endpoint)


# --- parts ------------------------------------------------------------------------------------------------------------


def _component(
    isvc: InferenceService,
    kind: str,
    name: str,
    spec: ComponentExtension,
    pod: JsonObject,
    uri: str,
    config: Config,
    servers: Servers,
    *,
    endpoint: str = agents.DEFAULT,
) -> Component:
    """Later sources win: the runtime, the InferenceService, the component, what is fixed."""
    filters, runtime = config.inference_service, servers.runtime
    labels: JsonObject = {
        **(runtime.spec.labels if runtime else {}),
        **isvc.metadata.labels,
        **spec.labels,
        names.ISVC_LABEL: isvc.metadata.name,
        "component": kind,
    }
    annotations: JsonObject = {
        **allowed(runtime.spec.annotations if runtime else {}, filters),
        **allowed(isvc.metadata.annotations, filters),
        **({names.SOURCE_URI: uri} if uri else {}),
        **allowed(spec.annotations, filters),
    }
    post = Post(isvc, kind, spec, annotations, endpoint)
    pulls = isinstance(spec, PredictorSpec) and multimodel.is_multi_model(spec, object_at(isvc.spec, names.PREDICTOR))
    pod = agents.attached(pickles.told(pod, annotations), post, servers, config, multimodel.flags() if pulls else ())
    pod = multimodel.furnished(pod, isvc.metadata.name) if pulls else pod
    return Component(kind, name, spec, labels, annotations | agents.noted(post, config), pod)


def with_storage(
    isvc: InferenceService, pod: JsonObject, uri: str, several: Sequence[StorageUri] | None, config: Config
) -> JsonObject:
    """The pod with its model's volumes and initializer, and what annotations say about where and as whom. May raise
    InvalidPredictor."""
    read_only = isvc.metadata.annotations.get(names.READONLY_STORAGE, "true").lower() != "false"
    initializer = config.storage_initializer
    if several:
        pod = storage.with_several(pod, several, read_only=read_only, initializer=initializer)
    elif uri:
        held = localmodel.cached_uri(isvc, uri)
        pod = storage.with_model(pod, held, read_only=read_only, initializer=initializer)
    user = isvc.metadata.annotations.get(names.STORAGE_USER, "")
    return _with_accelerator(isvc, _with_initializer_user(pod, user) if user.isdecimal() else pod)


def _with_initializer_user(pod: JsonObject, user: str) -> JsonObject:
    """Istio lets the traffic of its own user pass before its proxy runs; the annotation says which user that is."""
    containers: list[Json] = [
        one | {"securityContext": object_at(one, "securityContext") | {"runAsUser": int(user)}}
        if isinstance(one, dict) and one.get("name") == names.STORAGE_INITIALIZER
        else one
        for one in list_at(pod, "initContainers")
    ]
    return pod | {"initContainers": containers} if containers else pod


def _with_accelerator(isvc: InferenceService, pod: JsonObject) -> JsonObject:
    """Google's nodes with GPUs are chosen by a label, for pods that ask for one."""
    kind = isvc.metadata.annotations.get(names.GKE_ACCELERATOR)
    limits = [object_at(one, "resources", "limits") for one in list_at(pod, "containers") if isinstance(one, dict)]
    if not kind or not any("nvidia.com/gpu" in one for one in limits):
        return pod
    return pod | {"nodeSelector": object_at(pod, "nodeSelector") | {"cloud.google.com/gke-accelerator": kind}}


def _with_first(pod: JsonObject, change: Callable[[JsonObject], JsonObject]) -> JsonObject:
    containers: list[Json] = [
        change(one) if index == 0 and isinstance(one, dict) else one
        for index, one in enumerate(list_at(pod, "containers"))
    ]
    return pod | {"containers": containers}


def _variable_uri(pod: JsonObject) -> str:
    main = next((one for one in list_at(pod, "containers") if isinstance(one, dict)), {})
    env = [one for one in list_at(main, "env") if isinstance(one, dict)]
    return next((text_at(one, "value") for one in env if one.get("name") == "STORAGE_URI"), "")
