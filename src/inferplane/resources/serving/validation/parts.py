"""The parts of a spec that the rules look at: components, containers, variables."""

from collections.abc import Iterator

from inferplane.kernel.json import Json, JsonObject, list_at, text_at
from inferplane.resources.serving.inferenceservice import ComponentExtension, InferenceServiceSpec

COMPONENTS = ("predictor", "transformer", "explainer")


def named_components(spec: InferenceServiceSpec) -> Iterator[tuple[str, ComponentExtension]]:
    for name, component in zip(COMPONENTS, (spec.predictor, spec.transformer, spec.explainer), strict=True):
        if component is not None:
            yield name, component


def containers_of(pod: JsonObject, kind: str = "containers") -> list[JsonObject]:
    return [one for one in list_at(pod, kind) if isinstance(one, dict)]


def environment(container: Json) -> dict[str, str]:
    """Name → value; "" for a variable that takes its value from elsewhere."""
    entries = list_at(container, "env") if isinstance(container, dict) else []
    return {text_at(one, "name"): text_at(one, "value") for one in entries if isinstance(one, dict)}
