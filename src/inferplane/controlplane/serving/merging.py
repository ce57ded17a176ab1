"""The predictor's pod: the runtime's part and the InferenceService's part made one, templates filled in.

An InferenceService (defaulted) and its runtime, or none for containers of the user's own, go in; a pod spec comes out,
still without storage and without the defaults of a Deployment (`storage`, `render`).
"""

import msgspec

from inferplane.controlplane.serving import images, names, servertypes
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources import strategic
from inferplane.resources.serving.inferenceservice import InferenceService, ModelSpec, PredictorSpec, passthrough
from inferplane.resources.serving.runtime import RuntimePodSpec, ServingRuntime
from inferplane.resources.serving.templates import rendered_tree

_POD_PARTS = frozenset(
    {"nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets", "schedulerName", "resourceClaims"}
)
_TEMPLATED = (names.MAIN_CONTAINER, names.TRANSFORMER_CONTAINER)


class InvalidPredictor(InferplaneError):
    """Runtime and InferenceService do not make a pod together."""


def pod_of_model(isvc: InferenceService, runtime: ServingRuntime) -> JsonObject:
    """Containers in order: kserve-container, transformer-container, the runtime's others, the service's others."""
    predictor = object_at(isvc.spec, "predictor")
    theirs = {text_at(one, "name"): one for one in runtime.spec.containers}
    if names.MAIN_CONTAINER not in theirs:
        raise InvalidPredictor(
            f"runtime {runtime.metadata.name} has no container named {names.MAIN_CONTAINER}; has: {', '.join(theirs)}"
        )
    ours = {text_at(one, "name"): one for one in list_at(predictor, "containers") if isinstance(one, dict)}
    main = _main_container(isvc, object_at(predictor, "model"), theirs.pop(names.MAIN_CONTAINER), runtime)
    containers = [main]
    if names.TRANSFORMER_CONTAINER in theirs or names.TRANSFORMER_CONTAINER in ours:
        base, overlay = (side.pop(names.TRANSFORMER_CONTAINER, {}) for side in (theirs, ours))
        containers.append(merged_container(base, overlay))
    containers += [*theirs.values(), *ours.values()]
    overlay = {key: value for key, value in passthrough(predictor, PredictorSpec).items() if key != "containers"}
    pod = strategic.merged(pod_parts(runtime.spec), without_empty(overlay), strategic.POD_SPEC)
    return pod | {"containers": [_finished(isvc, one) for one in containers]}


def pod_of_containers(isvc: InferenceService) -> JsonObject:
    """Containers of the user's own; kserve-container goes first."""
    pod = passthrough(object_at(isvc.spec, "predictor"), PredictorSpec)
    containers = [one for one in list_at(pod, "containers") if isinstance(one, dict)]
    ordered = sorted(containers, key=lambda one: text_at(one, "name") != names.MAIN_CONTAINER)
    return pod | {"containers": [with_service_name(isvc, one) for one in ordered]}


def _main_container(isvc: InferenceService, model: JsonObject, base: JsonObject, runtime: ServingRuntime) -> JsonObject:
    container = merged_container(base, passthrough(model, ModelSpec))
    image = images.tagged(
        text_at(container, "image"),
        version=text_at(model, "runtimeVersion") or None,
        server=servertypes.of(runtime),
        gpu=images.wants_gpu(container),
    )
    return container | {"name": names.MAIN_CONTAINER, "image": image}


def merged_container(base: JsonObject, overlay: JsonObject) -> JsonObject:
    """A strategic merge, but arguments add up and a variable's `value` and `valueFrom` exclude each other."""
    overlay = without_empty(overlay)
    container = strategic.merged(base, overlay, strategic.CONTAINER)
    if args := list_at(base, "args") + list_at(overlay, "args"):
        container["args"] = args
    literal = {text_at(one, "name"): "value" in one for one in list_at(overlay, "env") if isinstance(one, dict)}
    if env := list_at(container, "env"):
        container["env"] = [_of_one_kind(one, literal) for one in env if isinstance(one, dict)]
    return container


def _of_one_kind(variable: JsonObject, literal: dict[str, bool]) -> JsonObject:
    drop = "valueFrom" if literal.get(text_at(variable, "name"), True) else "value"
    both = "value" in variable and "valueFrom" in variable
    return {key: value for key, value in variable.items() if not (both and key == drop)}


def without_empty(overlay: JsonObject) -> JsonObject:
    """An empty text or list says nothing, as in Go's `omitempty`, so it overrides nothing."""
    return {key: value for key, value in overlay.items() if value not in ("", [], None)}


def pod_parts(theirs: RuntimePodSpec) -> JsonObject:
    """What a runtime brings to a pod beside containers."""
    spec: JsonObject = msgspec.to_builtins(theirs)
    return {key: value for key, value in spec.items() if key in _POD_PARTS}


def _finished(isvc: InferenceService, container: JsonObject) -> JsonObject:
    if text_at(container, "name") in _TEMPLATED:
        filled = rendered_tree(container, template_data(isvc))
        container = filled if isinstance(filled, dict) else container
    return with_service_name(isvc, container)


def template_data(isvc: InferenceService) -> JsonObject:
    """The fields of the InferenceService's metadata, under Go's names."""
    meta = isvc.metadata
    labels: JsonObject = {**meta.labels}
    annotations: JsonObject = {**meta.annotations}
    return {
        "Name": meta.name,
        "Namespace": meta.namespace,
        "UID": meta.uid,
        "Labels": labels,
        "Annotations": annotations,
    }


def with_service_name(isvc: InferenceService, container: JsonObject) -> JsonObject:
    """`container` with the service's name in its environment."""
    return set_variable(container, "INFERENCE_SERVICE_NAME", isvc.metadata.name)


def set_variable(container: JsonObject, name: str, value: str) -> JsonObject:
    """`container` with the variable set, in its place when it is there already."""
    env = [one for one in list_at(container, "env") if isinstance(one, dict)]
    entry: JsonObject = {"name": name, "value": value}
    if any(one.get("name") == name for one in env):
        changed: list[Json] = [entry if one.get("name") == name else one for one in env]
    else:
        changed = [*env, entry]
    return container | {"env": changed}
