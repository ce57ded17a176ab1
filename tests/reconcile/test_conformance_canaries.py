"""Canaries in Standard mode, by the numbers of KServe's tests (C1 to C7; list: `scenarios`)."""

import pytest
from tests.reconcile.conformance import (
    ISVC,
    TRANSFORMER,
    backends,
    dicts,
    main_container,
    model,
    replicas,
    with_components,
)
from tests.reconcile.serving.world import World, config, isvc, serving

from inferplane.client.kubernetes.kinds import DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, HTTP_ROUTE, SERVICE
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at


def canary(name: str, percent: int) -> JsonObject:
    return {"predictor": {"name": name, "model": model(f"s3://m/{name}")}, "trafficPercent": percent}


def stable(*canaries: JsonObject, autoscaler: str = "none", name: str = "", uri: str = "s3://m/v1") -> JsonObject:
    body = isvc(autoscalerClass=autoscaler)
    predictor: JsonObject = {"minReplicas": 4, "model": model(uri)}
    return body | {
        "spec": {
            "predictor": predictor | ({"name": name} if name else {}),
            **({"canary": [*canaries]} if canaries else {}),
        }
    }


async def available(world: World, deployment: str) -> None:
    await world.says(
        DEPLOYMENT, deployment, {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}
    )


def shares(world: World, route: str = ISVC) -> list[tuple[str, int]]:
    [(_, found, _)] = backends(world.peek(HTTP_ROUTE, route))
    return found


def sources(world: World) -> dict[str, str]:
    key = "internal.serving.kserve.io/storage-initializer-sourceuri"
    return {
        text_at(one, "metadata", "name"): text_at(one, "spec", "template", "metadata", "annotations", key)
        for one in world.api.objects(DEPLOYMENT)
    }


async def test_c1_a_canary_takes_its_replicas_and_its_share_when_it_is_available() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-predictor")
        before = replicas(world), shares(world), world.condition("CanaryPredictorReady")
        await available(world, f"{ISVC}-v2-predictor")
        after = replicas(world), shares(world), shares(world, f"{ISVC}-predictor")
        found, status = world.condition("CanaryPredictorReady"), world.status()
        uris = sources(world)
    assert before[:2] == ({f"{ISVC}-predictor": 4, f"{ISVC}-v2-predictor": 1}, [(f"{ISVC}-predictor", 100)])
    assert (before[2]["status"], before[2]["reason"], before[2]["severity"]) == ("False", "CanariesNotReady", "Info")
    split = [(f"{ISVC}-predictor", 75), (f"{ISVC}-v2-predictor", 25)]
    assert after == ({f"{ISVC}-predictor": 3, f"{ISVC}-v2-predictor": 1}, split, split)
    assert (found["status"], found["reason"]) == ("True", "AllCanariesReady")
    assert status["canaryStatuses"] == [{"name": "v2", "ready": True, "trafficPercent": 25}]
    assert uris == {f"{ISVC}-predictor": "s3://m/v1", f"{ISVC}-v2-predictor": "s3://m/v2"}


async def test_c2_another_percentage_moves_replicas_and_traffic() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        await world.applied(stable(canary("v2", 50)))
        assert replicas(world) == {f"{ISVC}-predictor": 2, f"{ISVC}-v2-predictor": 2}
        assert shares(world) == [(f"{ISVC}-predictor", 50), (f"{ISVC}-v2-predictor", 50)]


async def test_c3_promotion_keeps_the_pods_of_the_canary() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        before = object_at(world.peek(DEPLOYMENT, f"{ISVC}-v2-predictor"), "spec", "template")
        await world.applied(stable(name="v2", uri="s3://m/v2"))
        after = object_at(world.peek(DEPLOYMENT, f"{ISVC}-v2-predictor"), "spec", "template")
        assert after == before
        assert replicas(world) == {f"{ISVC}-v2-predictor": 4}
        assert not world.exists(SERVICE, f"{ISVC}-predictor")
        assert shares(world) == [(f"{ISVC}-v2-predictor", 1)]
        hosts = object_at(world.peek(HTTP_ROUTE, f"{ISVC}-predictor"), "spec")["hostnames"]
        assert hosts == ["raw-foo-predictor-default.example.com"]
        assert "CanaryPredictorReady" not in world.conditions()


async def test_c4_removal_gives_the_stable_predictor_everything_back() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        await world.applied(stable())
        assert replicas(world) == {f"{ISVC}-predictor": 4}
        assert not world.exists(SERVICE, f"{ISVC}-v2-predictor")
        assert shares(world) == [(f"{ISVC}-predictor", 1)]
        assert "canaryStatuses" not in world.status()


async def test_c5_two_canaries() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25), canary("v3", 25)))
        for name in ("v2", "v3"):
            await available(world, f"{ISVC}-{name}-predictor")
        assert replicas(world) == {
            f"{ISVC}-predictor": 2,
            f"{ISVC}-v2-predictor": 1,
            f"{ISVC}-v3-predictor": 1,
        }
        assert shares(world) == [
            (f"{ISVC}-predictor", 50),
            (f"{ISVC}-v2-predictor", 25),
            (f"{ISVC}-v3-predictor", 25),
        ]


async def test_c6_with_class_hpa_the_canary_has_an_autoscaler_that_holds_its_number() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 50), autoscaler="hpa"))
        await available(world, f"{ISVC}-v2-predictor")
        found, of_stable = (
            world.peek(HORIZONTAL_POD_AUTOSCALER, f"{ISVC}-{name}") for name in ("v2-predictor", "predictor")
        )
    [owner] = dicts(list_at(found, "metadata", "ownerReferences"))
    assert (owner["kind"], owner["name"], owner["controller"]) == ("InferenceService", ISVC, True)
    assert (object_at(found, "spec")["minReplicas"], object_at(found, "spec")["maxReplicas"]) == (2, 2)
    assert object_at(of_stable, "spec")["minReplicas"] == 2


async def test_c7_stop_ends_canaries_too() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        body = stable(canary("v2", 25))
        object_at(body, "metadata", "annotations")["serving.kserve.io/stop"] = "true"
        await world.applied(body)
        assert replicas(world) == {}
        assert world.condition("CanaryPredictorReady")["reason"] == "Stopped"


async def test_with_a_transformer_each_canary_has_one_so_that_its_share_is_transformed_too() -> None:
    body = with_components(stable(canary("v2", 25)), transformer=TRANSFORMER)
    async with serving() as world:
        await world.applied(body)
        args = main_container(world.peek(DEPLOYMENT, f"{ISVC}-v2-transformer"))["args"]
        await available(world, f"{ISVC}-v2-predictor")
        before = shares(world)
        await available(world, f"{ISVC}-v2-transformer")
        after, predictors = shares(world), shares(world, f"{ISVC}-predictor")
    assert isinstance(args, list)
    assert f"{ISVC}-v2-predictor.default" in args
    assert before == [(f"{ISVC}-transformer", 100)]
    assert after == [(f"{ISVC}-transformer", 75), (f"{ISVC}-v2-transformer", 25)]
    assert predictors == [(f"{ISVC}-predictor", 75), (f"{ISVC}-v2-predictor", 25)]


async def test_a_canary_that_cannot_be_made_is_told_and_holds_up_nobody() -> None:
    unknown = canary("v2", 25)
    object_at(unknown, "predictor", "model")["runtime"] = "nobody"
    async with serving() as world:
        await world.applied(stable(unknown, canary("v3", 25)))
        await available(world, f"{ISVC}-predictor")
        await available(world, f"{ISVC}-v3-predictor")
        await world.accepted(ISVC, f"{ISVC}-predictor")
        found, conditions, split = world.condition("CanaryPredictorReady"), world.conditions(), shares(world)
    assert found["reason"] == "CanariesNotReady"
    assert str(found["message"]).startswith("v2: Waiting for runtime to become available")
    assert conditions["Ready"] == "True"
    assert split == [(f"{ISVC}-predictor", 75), (f"{ISVC}-v3-predictor", 25)]


async def test_a_canary_without_traffic_runs_and_takes_nothing_off_the_stable_predictor() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 0)))
        await available(world, f"{ISVC}-v2-predictor")
        assert replicas(world) == {f"{ISVC}-predictor": 4, f"{ISVC}-v2-predictor": 1}
        assert shares(world) == [(f"{ISVC}-predictor", 100), (f"{ISVC}-v2-predictor", 0)]


@pytest.mark.parametrize(
    ("ingress", "labels", "why"),
    [
        ('{"enableGatewayApi": false, "ingressDomain": "example.com"}', {}, "an Ingress has no weights"),
        ('{"ingressDomain": "example.com"}', {"networking.kserve.io/visibility": "cluster-local"}, "has no routes"),
        ('{"ingressDomain": "example.com", "disableIngressCreation": true}', {}, "has no routes"),
    ],
)
async def test_where_nothing_splits_the_requests_a_canary_says_so_and_takes_no_replica(
    ingress: str, labels: JsonObject, why: str
) -> None:
    body = stable(canary("v2", 25))
    object_at(body, "metadata")["labels"] = labels
    async with serving(config_map=config(ingress=ingress)) as world:
        await world.applied(body)
        waiting = world.condition("CanaryPredictorReady")["reason"]
        for name in ("predictor", "v2-predictor"):
            await available(world, f"{ISVC}-{name}")
        found, split = world.condition("CanaryPredictorReady"), replicas(world)
        status = world.status()
    assert waiting == "CanariesNotReady"
    assert (found["status"], found["reason"], found["severity"]) == ("False", "NoTrafficSplit", "Info")
    assert why in str(found["message"])
    assert str(found["message"]).endswith(f"they are at {ISVC}-v2-predictor")
    assert split == {f"{ISVC}-predictor": 4, f"{ISVC}-v2-predictor": 1}
    assert status["canaryStatuses"] == [{"name": "v2", "ready": True, "trafficPercent": 25}]
