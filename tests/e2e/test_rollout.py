"""A canary in Knative mode, the default, driven by `inferplane rollout` under load: shares hold, no request fails."""

import json
from collections.abc import Iterator
from math import sqrt

import pytest
from tests.e2e.two_models import Load, model, two_models, under_load
from tests.e2e.whole import INFERPLANE, Whole, eventually, whole_platform

from inferplane.kernel.json import Json, JsonObject, list_at

pytestmark = pytest.mark.e2e

HOST = "iris.default.localhost"
# Four connections of that pause: about 200 requests a second where the machine has the time.
PAUSE = 0.019
COUNTED = 400
PATIENCE = 60.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("rollout") / "home") as started:
        two_models(started)
        yield started


def apply(platform: Whole, version: int, percent: int | None = None) -> None:
    predictor: dict[str, object] = {"model": model(version)}
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    body = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {"predictor": predictor},
    }
    platform.run(INFERPLANE, "apply", "-f", "-", stdin=json.dumps(body), timeout=180)


def rollout(platform: Whole, *words: str) -> dict[str, Json]:
    """Revision → percent, once requests are shared so."""
    found: JsonObject = json.loads(platform.inferplane("rollout", "iris", *words, "-o", "json"))
    (component,) = [one for one in list_at(found, "components") if isinstance(one, dict)]
    revisions = [one for one in list_at(component, "revisions") if isinstance(one, dict)]
    return {str(one["name"]): one["percent"] for one in revisions}


def is_shared(load: Load, percent: int) -> bool:
    """Whether the second model's part of the next requests is what chance makes of that share: five deviations."""
    answers, share = load.next(COUNTED), percent / 100
    expected = answers.total() * share
    return bool(abs(answers[2] - expected) <= 5 * sqrt(expected * (1 - share)))


def test_a_canary_takes_its_share_is_promoted_and_rolled_back_without_a_failed_request(platform: Whole) -> None:
    apply(platform, 1)
    with under_load(platform.gateway, HOST, PAUSE) as load:
        assert load.next(20)[2] == 0
        apply(platform, 2, percent=10)
        assert rollout(platform) == {"iris-predictor-00002": 10, "iris-predictor-00001": 90}
        for percent in (10, 50):
            rollout(platform, "--percent", str(percent))
            eventually(lambda asked=percent: is_shared(load, asked), PATIENCE)  # type: ignore[misc]  # bound at once
        assert rollout(platform, "--promote") == {"iris-predictor-00002": 100, "iris-predictor-00001": 0}
        eventually(lambda: is_shared(load, 100), PATIENCE)
        assert rollout(platform, "--rollback") == {"iris-predictor-00002": 0, "iris-predictor-00001": 100}
        eventually(lambda: is_shared(load, 0), PATIENCE)
    assert load.failures == []
    assert "revision iris-predictor-00001 takes 100 %" in platform.inferplane("why", "iris")
