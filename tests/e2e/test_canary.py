"""A canary beside a stable predictor, under load: shares of the traffic, promotion and roll-back fail no request."""

import json
from collections.abc import Iterator

import pytest
from tests.e2e.two_models import model, two_models, under_load
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("canary") / "home") as started:
        two_models(started)
        yield started


def service(version: int = 1, name: str = "", canary: int | None = None) -> str:
    predictor: dict[str, object] = {"minReplicas": 2, "model": model(version), **({"name": name} if name else {})}
    spec: dict[str, object] = {"predictor": predictor}
    if canary is not None:
        spec["canary"] = [{"predictor": {"name": "v2", "model": model(2)}, "trafficPercent": canary}]
    marks = {"autoscalerClass": "none", "deploymentMode": "Standard"}
    meta = {"name": "iris", "annotations": {f"serving.kserve.io/{key}": text for key, text in marks.items()}}
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": meta, "spec": spec}
    return json.dumps(body)


def apply(platform: Whole, body: str) -> None:
    platform.kubectl("apply", "-f", "-", stdin=body)


def wait(platform: Whole, condition: str) -> None:
    platform.kubectl("wait", f"--for={condition}", "isvc/iris", "--timeout=60s")


def test_a_canary_its_promotion_and_a_renamed_predictor_fail_no_request(platform: Whole) -> None:
    apply(platform, service())
    wait(platform, "condition=Ready")
    with under_load(platform.gateway, "iris-default.localhost") as load:
        assert load.next(50)[2] == 0

        apply(platform, service(canary=50))
        wait(platform, "condition=CanaryPredictorReady")
        eventually(lambda: load.answers[2] > 0, 60)
        half = load.next(400)

        apply(platform, service(canary=0))
        eventually(lambda: load.next(50)[2] == 0, 60)

        apply(platform, service(canary=100))
        eventually(lambda: load.next(50)[1] == 0, 60)

        apply(platform, service(version=2, name="v2"))
        eventually(lambda: deployments(platform) == ["iris-v2-predictor"], 60)
        eventually(lambda: pods(platform) == 2, 60)
        promoted = load.next(50)

        apply(platform, service(version=1, name="v3"))
        eventually(lambda: load.next(50)[2] == 0, 60)
        eventually(lambda: deployments(platform) == ["iris-v3-predictor"], 60)
    assert load.failures == []
    assert 0.3 < half[2] / half.total() < 0.7
    assert promoted[1] == 0


def deployments(platform: Whole) -> list[str]:
    return [one.removeprefix("deployment.apps/") for one in platform.kubectl("get", "deploy", "-o", "name").split()]


def pods(platform: Whole) -> int:
    """Ready ones; those of the old version must be gone."""
    found = json.loads(platform.kubectl("get", "pods", "-o", "json"))["items"]
    ready = [{one["type"]: one["status"] for one in pod["status"].get("conditions", [])}.get("Ready") for pod in found]
    return len(ready) if set(ready) == {"True"} else 0
