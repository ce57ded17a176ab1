"""What `why` says about the autoscalers of a service that is ready."""

import msgspec
import pytest
from tests.unit.cli.why.test_decide import explained, ready, service, the_cause

from inferplane.cli.why.causes import Kind
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.autoscaling import HorizontalPodAutoscaler

LONG_AGO, JUST_NOW = "2026-05-01T11:00:00Z", "2026-05-01T12:00:10Z"


def hpa(*conditions: Json, least: int = 1, most: int = 3, measured: Json = None) -> HorizontalPodAutoscaler:
    cpu: Json = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    status: JsonObject = {"currentReplicas": 2, "desiredReplicas": 2, "conditions": list(conditions)}
    if measured is not None:
        resource: Json = {"name": "cpu", "current": {"averageUtilization": measured, "averageValue": "1"}}
        status["currentMetrics"] = [{"type": "Resource", "resource": resource}]
    spec: Json = {
        "scaleTargetRef": {"kind": "Deployment", "name": "fraud-predictor"},
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    body: Json = {"metadata": {"name": "fraud-predictor"}, "spec": spec, "status": status}
    return msgspec.convert(body, HorizontalPodAutoscaler)


def says(kind: str, status: str, reason: str, message: str = "", since: str = LONG_AGO) -> JsonObject:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


@pytest.mark.parametrize(
    ("condition", "fix"),
    [
        (
            says(
                "ScalingActive", "False", "FailedGetResourceMetric", "missing request for cpu in container c of Pod p"
            ),
            "set  resources.requests.cpu  of container c: its use is measured against that",
        ),
        (
            says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics returned"),
            "look at  kubectl top pods: on a cluster that needs metrics-server",
        ),
        (
            says("ScalingActive", "False", "ScalingDisabled", "scaling is disabled"),
            "kubectl scale deployment/fraud-predictor --replicas=1",
        ),
        (
            says("ScalingActive", "False", "FailedGetExternalMetric", "no adapter"),
            "use a metric of type Resource, or on a cluster install the adapter for it",
        ),
        (says("AbleToScale", "False", "FailedUpdateScale", "exceeded quota"), ""),
    ],
)
def test_an_autoscaler_that_cannot_work_is_told_with_what_to_do(condition: JsonObject, fix: str) -> None:
    found = the_cause(service=service(status=ready()), autoscalers=(hpa(condition),))
    assert (found.kind, found.fix, found.details) == (Kind.NOT_SCALED, fix, (condition["message"],))
    told = explained(service=service(status=ready()), autoscalers=(hpa(condition),))
    assert told.headline == "inferenceservice/fraud says it is ready, but"


@pytest.mark.parametrize(
    "one",
    [
        hpa(says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics returned", JUST_NOW)),
        hpa(says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics returned"), most=1),
        hpa(),
    ],
)
def test_one_that_is_new_or_cannot_move_anyway_is_no_cause(one: HorizontalPodAutoscaler) -> None:
    told = explained(service=service(status=ready()), autoscalers=(one,))
    assert (told.fine, told.notes) == (True, ())


@pytest.mark.parametrize(
    ("able", "limited", "words"),
    [
        ("ReadyForNewScale", "DesiredWithinRange", ""),
        ("ReadyForNewScale", "TooManyReplicas", "; more are asked for than maxReplicas"),
        ("ScaleDownStabilized", "DesiredWithinRange", "; held for the load of the last minutes"),
    ],
)
def test_one_that_works_gets_a_line(able: str, limited: str, words: str) -> None:
    conditions = says("AbleToScale", "True", able), says("ScalingLimited", "True", limited)
    told = explained(service=service(status=ready()), autoscalers=(hpa(*conditions, measured=120),))
    line = f"autoscaler fraud-predictor: 2 of 1 to 3 replicas, cpu at 120% (target 80%){words}."
    assert (told.fine, told.notes) == (True, (line,))


def test_a_service_that_is_not_ready_has_other_worries() -> None:
    blind = hpa(says("ScalingActive", "False", "FailedGetResourceMetric", "no metrics returned"))
    assert Kind.NOT_SCALED not in [one.kind for one in explained(autoscalers=(blind,)).causes]
