"""Conditions across components, as KServe sums them up."""

from inferplane.controlplane.serving.knative.status import verdicts
from inferplane.resources.knative import KnativeService, KnativeServiceStatus
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta

TYPES = ("Ready", "RoutesReady", "ConfigurationsReady")


def service(status: str, *, observed: int = 0, generation: int = 1, reason: str = "") -> KnativeService:
    conditions = [Condition(type=one, status=ConditionStatus(status), reason=reason) for one in TYPES]
    return KnativeService(
        metadata=ObjectMeta(name="s", generation=generation),
        status=KnativeServiceStatus(conditions=conditions, observed_generation=observed),
    )


def said(**services: KnativeService | None) -> dict[str, tuple[str, str]]:
    return {name: (one.status.value, one.reason) for name, one in verdicts(services).items()}


def test_each_component_has_three_conditions_and_two_sum_them_up() -> None:
    assert said(predictor=service("True"), explainer=service("True")) == {
        "PredictorReady": ("True", ""),
        "PredictorRouteReady": ("True", ""),
        "PredictorConfigurationReady": ("True", ""),
        "ExplainerReady": ("True", ""),
        "ExplainerRoutesReady": ("True", ""),
        "ExplainerConfigurationReady": ("True", ""),
        "RoutesReady": ("True", ""),
        "LatestDeploymentReady": ("True", ""),
    }


def test_the_last_that_is_not_ready_speaks_for_all() -> None:
    found = said(predictor=service("Unknown"), transformer=service("False", reason="RevisionFailed"))
    assert found["RoutesReady"] == ("False", "TransformerRouteReady not ready")
    found = said(predictor=service("False"), transformer=service("Unknown"))
    assert found["LatestDeploymentReady"] == ("Unknown", "TransformerConfigurationReady not ready")


def test_before_there_is_a_service_nothing_is_known() -> None:
    found = said(predictor=None)
    assert (found["PredictorReady"], found["RoutesReady"]) == (
        ("Unknown", ""),
        ("Unknown", "PredictorRouteReady not ready"),
    )


def test_a_status_of_an_older_spec_is_not_believed() -> None:
    assert said(predictor=service("True", observed=1, generation=2))["PredictorReady"] == ("Unknown", "OutOfDate")
    assert said(predictor=service("True", observed=2, generation=2))["PredictorReady"] == ("True", "")
