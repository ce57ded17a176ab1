"""What the Knative Services say, as conditions and component statuses of the InferenceService."""

from collections.abc import Mapping

import msgspec

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.conditions import READY_OF, TRUE, UNKNOWN, Verdict, failed
from inferplane.controlplane.serving.knative.traffic import rolled_out
from inferplane.resources import knative
from inferplane.resources.knative import KnativeService
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.serving.inferenceservice import ComponentStatus

ROUTE_READY = {
    names.PREDICTOR: "PredictorRouteReady",
    names.TRANSFORMER: "TransformerRouteReady",
    # Plural, unlike its siblings (KServe).
    names.EXPLAINER: "ExplainerRoutesReady",
}
CONFIGURATION_READY = {
    names.PREDICTOR: "PredictorConfigurationReady",
    names.TRANSFORMER: "TransformerConfigurationReady",
    names.EXPLAINER: "ExplainerConfigurationReady",
}
ROUTES_READY = "RoutesReady"
LATEST_DEPLOYMENT_READY = "LatestDeploymentReady"
OUT_OF_DATE = "OutOfDate"

Seen = Mapping[str, KnativeService | None]
"""Kind of component → its Knative Service, None before there is one."""


def verdicts(seen: Seen) -> dict[str, Verdict]:
    """Three conditions of each component, and the two that sum them up."""
    found: dict[str, Verdict] = {}
    for kind, service in seen.items():
        found[READY_OF[kind]] = _copied(service, knative.READY)
        found[ROUTE_READY[kind]] = _copied(service, knative.ROUTES_READY)
        found[CONFIGURATION_READY[kind]] = _copied(service, knative.CONFIGURATIONS_READY)
    found[ROUTES_READY] = _across({ROUTE_READY[kind]: found[ROUTE_READY[kind]] for kind in seen})
    latest = {CONFIGURATION_READY[kind]: found[CONFIGURATION_READY[kind]] for kind in seen}
    found[LATEST_DEPLOYMENT_READY] = _across(latest)
    return found


def _copied(service: KnativeService | None, type: str) -> Verdict:
    if service is None:
        return UNKNOWN
    if not service.is_current:
        return Verdict(ConditionStatus.UNKNOWN, OUT_OF_DATE, f"{service.metadata.name} has not been looked at yet")
    one = condition(service.status.conditions, type)
    return Verdict(one.status, one.reason, one.message) if one else UNKNOWN


def _across(found: Mapping[str, Verdict]) -> Verdict:
    """True when all are; else the last that is not speaks for them (KServe's order: predictor, transformer, …)."""
    bad = [(name, one) for name, one in found.items() if not one.is_true]
    if not bad:
        return TRUE
    name, one = bad[-1]
    reason = f"{name} not ready"
    if one.status is ConditionStatus.UNKNOWN:
        return Verdict(ConditionStatus.UNKNOWN, reason, one.message)
    return failed(reason, one.message)


def component_status(before: ComponentStatus, service: KnativeService | None) -> ComponentStatus:
    """URLs are taken over while the Service is ready, and stay when it no longer is."""
    if service is None:
        return before
    found = rolled_out(before, service.status)
    if not is_ready(service):
        return found
    return msgspec.structs.replace(found, url=service.status.url, address=service.status.address)


def is_ready(service: KnativeService | None) -> bool:
    return _copied(service, knative.READY).is_true


def has_failed(service: KnativeService | None) -> bool:
    """Any of its conditions is False: without pods that is how a model that does not load shows."""
    conditions = service.status.conditions if service else []
    return any(one.status is ConditionStatus.FALSE for one in conditions)
