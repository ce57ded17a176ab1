"""Deployments and ReplicaSets (selector, template, strategy), leases."""

import msgspec

from inferplane.controlplane.apiserver.builtin.metadata import label_errors
from inferplane.controlplane.apiserver.builtin.pods import template_errors
from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.meta import LabelSelector
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, not_supported, required

_NEGATIVE = "must be greater than or equal to 0"
_STRATEGIES: list[Json] = ["Recreate", "RollingUpdate"]
_COUNTS = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")


def deployment_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    return _replicated_errors(spec, "deployment") + _strategy_errors(object_at(spec, "strategy"))


def replica_set_errors(obj: JsonObject) -> list[FieldError]:
    return _replicated_errors(object_at(obj, "spec"), "deployment")


def _replicated_errors(spec: JsonObject, kind: str) -> list[FieldError]:
    found = [
        invalid(f"spec.{key}", number, _NEGATIVE)
        for key in _COUNTS
        if isinstance(number := spec.get(key), int) and number < 0
    ]
    found += _selector_errors(spec, kind)
    template = object_at(spec, "template")
    policy = object_at(template, "spec").get("restartPolicy")
    found += template_errors(template, "spec.template")
    if policy != "Always" and policy in ("OnFailure", "Never"):
        found.append(not_supported("spec.template.spec.restartPolicy", policy, ["Always"]))
    return found


def _selector_errors(spec: JsonObject, kind: str) -> list[FieldError]:
    selector = spec.get("selector")
    if not isinstance(selector, dict):
        return [required("spec.selector")]
    if not selector:
        return [invalid("spec.selector", selector, f"empty selector is invalid for {kind}")]
    found = label_errors(selector.get("matchLabels"), "spec.selector.matchLabels")
    labels = object_at(spec, "template", "metadata", "labels")
    if not found and not _selects(selector, labels):
        message = "`selector` does not match template `labels`"
        found.append(invalid("spec.template.metadata.labels", labels, message))
    return found


def _selects(selector: JsonObject, labels: JsonObject) -> bool:
    parsed = msgspec.convert(selector, LabelSelector)
    return parsed.matches({key: str(value) for key, value in labels.items()})


def _strategy_errors(strategy: JsonObject) -> list[FieldError]:
    path = "spec.strategy"
    kind = strategy.get("type")
    if kind not in _STRATEGIES:
        return [not_supported(f"{path}.type", kind, _STRATEGIES)]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate":
        message = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden(f"{path}.rollingUpdate", message)] if rolling is not None else []
    amounts = object_at(strategy, "rollingUpdate")
    if all(amounts.get(key) in (0, "0%") for key in ("maxUnavailable", "maxSurge")):
        message = "may not be 0 when `maxSurge` is 0"
        return [invalid(f"{path}.rollingUpdate.maxUnavailable", amounts.get("maxUnavailable"), message)]
    return []


def selector_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    before, after = object_at(old, "spec", "selector"), object_at(new, "spec", "selector")
    return [] if before == after else [invalid("spec.selector", after, "field is immutable")]


def lease_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    found = []
    if isinstance(seconds := spec.get("leaseDurationSeconds"), int) and seconds <= 0:
        found.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if isinstance(changes := spec.get("leaseTransitions"), int) and changes < 0:
        found.append(invalid("spec.leaseTransitions", changes, _NEGATIVE))
    return found
