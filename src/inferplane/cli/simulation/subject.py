"""What of files is simulated: a component of an InferenceService in Knative mode, or a Knative Service."""

from collections.abc import Sequence
from dataclasses import dataclass

from inferplane.cli.manifests import Manifest
from inferplane.cli.offline.checking import check
from inferplane.cli.offline.rendering import children
from inferplane.cli.offline.world import is_service, world_of
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, number_at, object_at, text_at
from inferplane.resources.autoscaling_knative import annotations as spoken
from inferplane.resources.autoscaling_knative import config
from inferplane.resources.autoscaling_knative.annotations import PREFIX
from inferplane.resources.autoscaling_knative.config import KPA, AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, ScaleLimits, decider_spec, scale_limits

_KNATIVE = "serving.knative.dev/"
_TIMEOUT = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """A Knative Service, as far as the autoscaler is concerned."""

    name: str
    spec: DeciderSpec
    limits: ScaleLimits
    container_concurrency: int
    timeout: float


def subject_of(manifests: Sequence[Manifest], namespace: str, name: str = "", component: str = "") -> Subject:
    """The one service of the files, or the one that `name` and `component` pick. Raises InferplaneError.

    A ConfigMap config-autoscaler among the files counts; else that of one machine.
    """
    found = [one for one in _knative_services(manifests, namespace) if _is_meant(one, name, component)]
    if len(found) != 1:
        have = ", ".join(text_at(one, "metadata", "name") for one in _knative_services(manifests, namespace)) or "none"
        raise InferplaneError(
            f"expected one service to simulate, found {len(found)} of: {have}", fix="choose with --name or --component"
        )
    return _subject(found[0], _config(manifests))


def _knative_services(manifests: Sequence[Manifest], namespace: str) -> list[JsonObject]:
    given = [one.body for one in manifests if one.kind == "Service" and one.api_version.startswith(_KNATIVE)]
    services = [one for one in manifests if is_service(one)]
    _refuse_faults(manifests, namespace)
    world = world_of(manifests, namespace)
    made = [body for one in services for body in children(one, world, namespace, "Knative")]
    return given + [one for one in made if text_at(one, "apiVersion").startswith(_KNATIVE)]


def _refuse_faults(manifests: Sequence[Manifest], namespace: str) -> None:
    faults = [one for one in check(manifests, namespace) if one.is_error]
    if faults:
        raise InferplaneError("\n".join(map(str, faults)))


def _is_meant(service: JsonObject, name: str, component: str) -> bool:
    labels = object_at(service, "metadata", "labels")
    names = (text_at(service, "metadata", "name"), labels.get("serving.kserve.io/inferenceservice"))
    # Of an InferenceService the predictor is meant where nothing else is said.
    part = labels.get("component", "predictor")
    return (not name or name in names) and part == (component or "predictor")


def _config(manifests: Sequence[Manifest]) -> AutoscalerConfig:
    given = [one.body for one in manifests if (one.kind, one.name) == ("ConfigMap", config.NAME)]
    data = object_at((given or [config.config_map()])[0], "data")
    return config.read({key: text for key, text in data.items() if isinstance(text, str)})


def _subject(service: JsonObject, settings: AutoscalerConfig) -> Subject:
    template = object_at(service, "spec", "template")
    given = object_at(template, "metadata", "annotations")
    annotations = {key: text for key, text in given.items() if isinstance(text, str)}
    name = text_at(service, "metadata", "name")
    if found := spoken.problems(annotations, settings):
        raise InferplaneError("\n".join(f"{name}: {one}" for one in found))
    if annotations.get(f"{PREFIX}class", settings.pod_autoscaler_class) != KPA:
        raise InferplaneError(f"{name}: its class is not {KPA}", fix="only that autoscaler can be simulated")
    concurrency = number_at(template, "spec", "containerConcurrency")
    return Subject(
        name=name,
        spec=decider_spec(annotations, settings, container_concurrency=concurrency),
        limits=scale_limits(annotations, settings),
        container_concurrency=concurrency,
        timeout=number_at(template, "spec", "timeoutSeconds") or _TIMEOUT,
    )
