"""Which predictors of before are still called: by argument, and until the last pod that was told so is gone."""

import pytest

from inferplane.controlplane.serving.handover import still_called
from inferplane.resources.apps import Deployment, DeploymentSpec, DeploymentStatus
from inferplane.resources.core import Container, PodSpec, PodTemplate
from inferplane.resources.meta import ObjectMeta

ROLLED_OUT = DeploymentStatus(observed_generation=2, replicas=2, updated_replicas=2, available_replicas=2)


def deployment(name: str, *args: str, status: DeploymentStatus = ROLLED_OUT) -> Deployment:
    template = PodTemplate(spec=PodSpec(containers=[Container(name="kserve-container", args=[*args])]))
    meta = ObjectMeta(name=name, namespace="ml", generation=2)
    return Deployment(metadata=meta, spec=DeploymentSpec(replicas=2, template=template), status=status)


OLD, NEW = deployment("iris-predictor"), deployment("iris-v2-predictor")


@pytest.mark.parametrize(
    ("args", "called"),
    [
        (("--predictor_host", "iris-predictor.ml"), {"iris-predictor"}),
        (("--predictor_host=iris-v2-predictor.ml:80",), {"iris-v2-predictor"}),
        (("--predictor_host", "an-iris-predictor.ml"), set()),
        (("--predictor_host", "iris-predictor.other"), set()),
    ],
)
def test_an_argument_says_who_is_called(args: tuple[str, ...], called: set[str]) -> None:
    assert still_called([OLD, NEW, deployment("iris-transformer", *args)], []) == called
    assert still_called([OLD, NEW, deployment("iris-explainer", *args)], []) == called


@pytest.mark.parametrize(
    "status",
    [
        DeploymentStatus(observed_generation=1, replicas=2, updated_replicas=2, available_replicas=2),
        DeploymentStatus(observed_generation=2, replicas=3, updated_replicas=1, available_replicas=2),
        DeploymentStatus(observed_generation=2, replicas=3, updated_replicas=2, available_replicas=3),
        DeploymentStatus(observed_generation=2, replicas=2, updated_replicas=2, available_replicas=1),
        DeploymentStatus(observed_generation=2, replicas=1, updated_replicas=1, available_replicas=1),
    ],
)
def test_while_pods_are_replaced_any_may_be_called(status: DeploymentStatus) -> None:
    asking = deployment("iris-transformer", "--predictor_host", "iris-v2-predictor.ml", status=status)
    assert still_called([OLD, NEW, asking], []) == {"iris-predictor", "iris-v2-predictor"}


def test_pods_that_are_ending_still_call() -> None:
    asking = deployment("iris-transformer", "--predictor_host", "iris-v2-predictor.ml")
    assert still_called([OLD, asking], ["iris-transformer"]) == {"iris-predictor"}
    assert still_called([OLD, asking], ["iris-predictor"]) == set()


def test_without_callers_nobody_is_called() -> None:
    assert still_called([OLD, NEW], []) == set()
