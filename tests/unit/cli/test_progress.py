import msgspec
import pytest

from inferplane.cli.progress import is_hopeless, is_ready, is_rolled_out, stages
from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Deployment, Service
from inferplane.kernel.json import JsonObject


def service(status: JsonObject, generation: int = 1) -> Service:
    return msgspec.convert({"metadata": {"name": "iris", "generation": generation}, "status": status}, Service)


READY: JsonObject = {
    "observedGeneration": 1,
    "clusterServingRuntimeName": "kserve-sklearnserver",
    "modelStatus": {"copies": {"totalCopies": 2}},
    "conditions": [{"type": "Ready", "status": "True"}],
}


def test_a_service_tells_how_far_it_has_come() -> None:
    assert stages(service({})) == ["applied"]
    assert stages(service(READY)) == ["applied", "runtime kserve-sklearnserver", "2 replicas", "Ready"]


def test_ready_of_an_older_spec_is_not_ready() -> None:
    assert is_ready(service(READY, generation=1))
    assert not is_ready(service(READY, generation=2))


@pytest.mark.parametrize(
    ("kind", "in_vain"),
    [
        (Kind.STARTING, False),
        (Kind.NO_ENDPOINTS, False),
        (Kind.UNSCHEDULABLE, False),
        (Kind.UNKNOWN_FORMAT, True),
        (Kind.MODEL_NOT_LOADED, True),
        (Kind.IMAGE_NOT_RUNNABLE, True),
    ],
)
def test_waiting_is_in_vain_when_only_the_user_can_help(kind: Kind, in_vain: bool) -> None:
    assert is_hopeless((Cause(kind, "predictor", "…"),)) is in_vain


ROLLED: JsonObject = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


@pytest.mark.parametrize(
    ("change", "rolled_out"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"updatedReplicas": 0}, False),
        ({"replicas": 2, "availableReplicas": 2}, False),
        ({"availableReplicas": 0}, False),
    ],
)
def test_a_rollout_is_over_when_only_new_replicas_are_left(change: JsonObject, rolled_out: bool) -> None:
    body: JsonObject = {"metadata": {"name": "d", "generation": 2}, "spec": {"replicas": 1}, "status": ROLLED | change}
    assert is_rolled_out(msgspec.convert(body, Deployment)) is rolled_out
