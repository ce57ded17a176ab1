"""Autoscaling annotations of a revision: the component's scaling fields in Knative's words."""

from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.inferenceservice import ComponentExtension

PREFIX = "autoscaling.knative.dev/"
CLASS = PREFIX + "class"
INITIAL_SCALE = PREFIX + "initial-scale"
KPA = "kpa.autoscaling.knative.dev"


def annotated(given: JsonObject, component: ComponentExtension, *, allow_zero_initial_scale: bool) -> JsonObject:
    """`given` with the scaling annotations; what the user set of Knative's others (window, panic, …) stays.

    `allow_zero_initial_scale` is the key of that name of Knative's ConfigMap `config-autoscaler`.
    """
    least = 1 if component.min_replicas is None else component.min_replicas
    scaling: JsonObject = {CLASS: given.get(CLASS) or KPA, PREFIX + "min-scale": str(least)}
    if component.max_replicas:
        scaling[PREFIX + "max-scale"] = str(component.max_replicas)
    if component.scale_metric is not None:
        scaling[PREFIX + "metric"] = component.scale_metric.value
    if component.scale_target is not None:
        scaling[PREFIX + "target"] = str(component.scale_target)
    kept = {key: value for key, value in given.items() if key != INITIAL_SCALE}
    initial = str(given.get(INITIAL_SCALE, ""))
    if _is_initial_scale(initial, allow_zero=allow_zero_initial_scale):
        scaling[INITIAL_SCALE] = initial
    return kept | scaling


def _is_initial_scale(text: str, *, allow_zero: bool) -> bool:
    """Knative's webhook would refuse the whole Service for any other."""
    return text.isascii() and text.isdigit() and (allow_zero or int(text) > 0)
