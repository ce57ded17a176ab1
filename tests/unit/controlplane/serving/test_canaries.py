"""What a canary's predictor is, and what its readiness takes off the stable one."""

import msgspec
import pytest

from inferplane.controlplane.serving.canaries import Share, overlaid, shares, stable_percent, stable_replicas
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.inferenceservice import InferenceServiceSpec

SKLEARN: JsonObject = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://v1", "runtime": "rt"}


def test_what_the_canary_says_wins_and_scaling_is_its_own() -> None:
    stable: JsonObject = {
        "minReplicas": 4,
        "maxReplicas": 9,
        "timeout": 30,
        "nodeSelector": {"a": "1", "b": "1"},
        "tolerations": [{"key": "x"}],
        "model": SKLEARN,
    }
    canary: JsonObject = {
        "name": "v2",
        "timeout": None,
        "nodeSelector": {"b": "2"},
        "tolerations": [],
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://v2"},
    }
    assert overlaid(stable, canary) == {
        "name": "v2",
        "timeout": 30,
        "nodeSelector": {"a": "1", "b": "2"},
        "tolerations": [{"key": "x"}],
        "model": SKLEARN | {"storageUri": "s3://v2"},
    }


def test_another_implementation_takes_the_place_of_the_stable_one() -> None:
    own: JsonObject = {"containers": [{"name": "kserve-container", "image": "i"}]}
    assert overlaid({"model": SKLEARN, "timeout": 5}, {"name": "v2", **own}) == {"name": "v2", "timeout": 5, **own}
    assert overlaid(own, {"name": "v2", "model": SKLEARN}) == {"name": "v2", "model": SKLEARN}


def spec(least: int | None, *canaries: JsonObject) -> InferenceServiceSpec:
    predictor: JsonObject = {"model": SKLEARN} | ({} if least is None else {"minReplicas": least})
    return msgspec.convert({"predictor": predictor, "canary": [*canaries]}, InferenceServiceSpec)


@pytest.mark.parametrize(
    ("least", "percent", "own", "replicas"),
    [(4, 25, None, 1), (4, 26, None, 2), (None, 10, None, 1), (10, 50, 2, 2), (4, 0, None, 1), (4, 0, 0, 0)],
)
def test_a_canary_has_its_share_of_the_replicas(
    least: int | None, percent: int, own: int | None, replicas: int
) -> None:
    predictor: JsonObject = {"name": "v2"} | ({} if own is None else {"minReplicas": own})
    assert shares(spec(least, {"predictor": predictor, "trafficPercent": percent})) == [Share("v2", percent, replicas)]


@pytest.mark.parametrize(
    ("least", "ready", "left"),
    [
        (4, [Share("a", 25, 1)], 3),
        (4, [Share("a", 25, 1), Share("b", 25, 1)], 2),
        (2, [Share("a", 100, 2)], 1),
        (4, [Share("a", 0, 1)], 4),
        (0, [Share("a", 50, 1)], 0),
        (None, [Share("a", 50, 1)], None),
        (4, [], 4),
    ],
)
def test_canaries_that_are_ready_take_over_from_stable_replicas(
    least: int | None, ready: list[Share], left: int | None
) -> None:
    assert stable_replicas(least, ready) == left


def test_what_canaries_do_not_take_is_the_stable_ones() -> None:
    assert [stable_percent(ready) for ready in ([], [Share("a", 10, 1), Share("b", 30, 1)])] == [100, 60]
