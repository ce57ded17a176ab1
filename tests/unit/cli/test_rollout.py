import msgspec
import pytest

from inferplane.cli.rollout import Verdict, stages, verdict
from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Service
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
    assert verdict(service(READY, generation=1), ()) is Verdict.READY
    assert verdict(service(READY, generation=2), ()) is Verdict.WAITING


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.STARTING, Verdict.WAITING),
        (Kind.NO_ENDPOINTS, Verdict.WAITING),
        (Kind.UNSCHEDULABLE, Verdict.WAITING),
        (Kind.UNKNOWN_FORMAT, Verdict.FAILED),
        (Kind.MODEL_NOT_LOADED, Verdict.FAILED),
        (Kind.IMAGE_NOT_RUNNABLE, Verdict.FAILED),
    ],
)
def test_waiting_ends_when_only_the_user_can_help(kind: Kind, expected: Verdict) -> None:
    assert verdict(service({}), (Cause(kind, "predictor", "…"),)) is expected
