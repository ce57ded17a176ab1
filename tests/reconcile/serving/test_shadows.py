"""A share of a service's requests to another one: the annotation in; routes, conditions and events out."""

from collections.abc import AsyncIterator

import pytest
from tests.reconcile.serving.world import World, config, isvc, serving

from inferplane.client.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE, INFERENCE_SERVICE
from inferplane.kernel.json import Json, JsonObject, list_at, object_at

INGRESS = '{"ingressDomain": "example.com", "enableGatewayApi": %s}'
MODEL: JsonObject = {"tensorflow": {"storageUri": "s3://b/m", "args": ["--model_name=flowers"]}}


def service(name: str, shadow: str = "", predictor: JsonObject | None = None) -> JsonObject:
    body = isvc(name, predictor)
    metadata = object_at(body, "metadata")
    annotations: JsonObject = {"inferplane.dev/shadow": shadow} if shadow else {}
    return body | {"metadata": metadata | {"annotations": annotations}}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with serving(config_map=config(ingress=INGRESS % "true")) as one:
        yield one


def rules(world: World, route: str) -> list[JsonObject]:
    found = list_at(world.peek(HTTP_ROUTE, route), "spec", "rules")
    return [one for one in found if isinstance(one, dict)]


def mirrors(world: World, route: str) -> list[Json]:
    filters = [one for rule in rules(world, route) for one in list_at(rule, "filters") if isinstance(one, dict)]
    return [one["requestMirror"] for one in filters if one["type"] == "RequestMirror"]


async def test_requests_to_the_service_are_mirrored_and_no_pod_is_started_anew(world: World) -> None:
    await world.applied(service("old"))
    await world.applied(service("new"))
    pods = world.peek(DEPLOYMENT, "old-predictor")
    await world.applied(service("old", "new=20"))
    mirror: JsonObject = {
        "backendRef": {"group": "", "kind": "Service", "name": "new-predictor", "namespace": "default", "port": 80},
        "percent": 20,
    }
    assert mirrors(world, "old") == [mirror]
    assert mirrors(world, "old-path") == [mirror]
    # By its own host the predictor is asked by other components: these requests were mirrored already.
    assert mirrors(world, "old-predictor") == []
    hint = object_at(world.peek(HTTP_ROUTE, "old"), "metadata", "annotations")["inferplane.dev/mirror-host"]
    assert list_at(world.peek(HTTP_ROUTE, "old-shadow"), "spec", "hostnames") == [hint]
    assert hint == "old-shadow-default.example.com"
    assert world.peek(DEPLOYMENT, "old-predictor") == pods
    condition = world.condition("ShadowReady", "old")
    assert (condition["status"], condition["message"]) == ("True", "20 % of the requests go to new too")


def ways(world: World) -> list[tuple[Json, Json]]:
    """(what matches, what it is rewritten to) of the shadow's own route."""
    found: list[tuple[Json, Json]] = []
    for rule in rules(world, "old-shadow"):
        [match] = list_at(rule, "matches")
        assert isinstance(match, dict)
        rewrites = [object_at(one, "urlRewrite", "path") for one in list_at(rule, "filters") if isinstance(one, dict)]
        path = next((one for one in rewrites if one), {})
        found.append((object_at(match, "path")["value"], path.get("replaceFullPath") or path.get("replacePrefixMatch")))
    return found


async def test_a_mirrored_request_asks_for_the_targets_model(world: World) -> None:
    await world.applied(service("new", predictor=MODEL))
    await world.applied(service("old", "new=100"))
    assert ways(world) == [
        ("/v1/models/old:predict", "/v1/models/flowers:predict"),
        ("/v1/models/old:explain", "/v1/models/flowers:explain"),
        ("/v2/models/old", "/v2/models/flowers"),
        ("^/.*$", None),
    ]
    backends = [one for rule in rules(world, "old-shadow") for one in list_at(rule, "backendRefs")]
    assert [(one["name"], one["port"]) for one in backends if isinstance(one, dict)] == [("new-predictor", 80)] * 4


async def test_models_of_one_name_need_no_rewriting(world: World) -> None:
    await world.applied(service("new", predictor=MODEL))
    await world.applied(service("old", "new=100", predictor=MODEL))
    assert ways(world) == [("^/.*$", None)]


async def test_a_share_below_a_percent_is_a_fraction(world: World) -> None:
    await world.applied(service("new"))
    await world.applied(service("old", "new=0.25"))
    [mirror] = mirrors(world, "old")
    assert isinstance(mirror, dict)
    assert mirror["fraction"] == {"numerator": 25, "denominator": 10_000}


async def test_a_missing_target_is_said_and_the_service_goes_on(world: World) -> None:
    await world.applied(service("old", "new=20"))
    await world.available("old-predictor")
    await world.accepted("old", "old-path", "old-predictor")
    condition = world.condition("ShadowReady", "old")
    assert (condition["status"], condition["reason"]) == ("False", "ShadowTargetNotFound")
    assert condition["message"] == "no InferenceService default/new: nothing is mirrored"
    assert world.conditions("old")["Ready"] == "True"
    assert "Warning ShadowTargetNotFound" in world.events()
    assert mirrors(world, "old") == []


async def test_a_target_that_comes_later_is_mirrored_to_and_one_that_goes_no_longer_is(world: World) -> None:
    await world.applied(service("old", "new=20"))
    await world.applied(service("new"))
    assert len(mirrors(world, "old")) == 1
    await world.api.delete(INFERENCE_SERVICE, "new", "default")
    await world.rests()
    assert mirrors(world, "old") == []
    assert not world.exists(HTTP_ROUTE, "old-shadow")
    assert world.condition("ShadowReady", "old")["reason"] == "ShadowTargetNotFound"


async def test_taking_the_annotation_away_takes_everything_away(world: World) -> None:
    await world.applied(service("new"))
    await world.applied(service("old", "new=20"))
    await world.applied(service("old"))
    assert mirrors(world, "old") == []
    assert not world.exists(HTTP_ROUTE, "old-shadow")
    assert "ShadowReady" not in world.conditions("old")
    annotations = object_at(world.peek(HTTP_ROUTE, "old"), "metadata", "annotations")
    assert "inferplane.dev/mirror-host" not in annotations


async def test_a_shadow_throws_no_shadow(world: World) -> None:
    await world.applied(service("new"))
    await world.applied(service("old", "new=20"))
    await world.applied(service("new", "old=20"))
    assert mirrors(world, "old-shadow") == []
    assert mirrors(world, "new-shadow") == []
    assert len(mirrors(world, "new")) == 1


@pytest.mark.parametrize("value", ["new", "new=", "new=101", "new=-1", "old=20", "a/new=20", "new=20;x", "new=1.234"])
async def test_what_cannot_be_understood_is_said(world: World, value: str) -> None:
    await world.applied(service("new"))
    await world.applied(service("old", value))
    condition = world.condition("ShadowReady", "old")
    assert (condition["status"], condition["reason"]) == ("False", "InvalidShadow")
    assert f"got '{value}'" in str(condition["message"])
    assert mirrors(world, "old") == []


async def test_an_ingress_cannot_mirror() -> None:
    async with serving(config_map=config(ingress=INGRESS % "false")) as world:
        await world.applied(service("new"))
        await world.applied(service("old", "new=20"))
        assert world.condition("ShadowReady", "old")["status"] == "False"
