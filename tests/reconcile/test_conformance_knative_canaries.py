"""K29 and K30: canaries in Knative mode, which share the traffic between revisions."""

from tests.reconcile.serving.knative_world import LATEST, NAME, annotated, canary, knative, says, service, traffic
from tests.reconcile.serving.world import World

from inferplane.kernel.json import Json, object_at, text_at


def revisions(world: World) -> list[str]:
    found = object_at(world.status(NAME), "components", "predictor")
    words = ("latestReadyRevision", "latestRolledoutRevision", "previousRolledoutRevision")
    return [text_at(found, one) for one in words]


async def test_k29_a_canary_gets_its_share_and_what_was_rolled_out_the_rest() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        before = revisions(world)
        await world.applied(canary(20))
        found = traffic(world)
    assert before == ["revision-v1", "revision-v1", ""]
    assert found == [
        {"latestRevision": True, "percent": 20},
        {"tag": "prev", "revisionName": "revision-v1", "latestRevision": False, "percent": 80},
    ]


async def test_k30_without_the_percentage_the_canary_is_promoted() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await world.applied(canary(20))
        await world.applied(canary(None))
        found = traffic(world)
        await says(world, revision="revision-v2")
        assert (found, revisions(world)) == ([LATEST], ["revision-v2", "revision-v2", "revision-v1"])


async def test_a_canary_of_nothing_pins_and_rolling_back_is_noticed() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await world.applied(canary(0))
        pinned = traffic(world)
        await world.applied(canary(None))
        await says(world, revision="revision-v2")
        one: list[Json] = [
            {"revisionName": "revision-v2", "latestRevision": True, "percent": 10},
            {"revisionName": "revision-v2", "latestRevision": False, "percent": 90, "tag": "prev"},
        ]
        await says(world, revision="revision-v2", targets=one)
        after = revisions(world)
    assert pinned == [
        {"latestRevision": True, "percent": 0},
        {"tag": "prev", "revisionName": "revision-v1", "latestRevision": False, "percent": 100},
    ]
    assert after == ["revision-v2", "revision-v1", "revision-v1"]


async def test_the_latest_revision_has_a_tag_when_asked_for() -> None:
    async with knative() as world:
        await world.applied(annotated(service(), **{"serving.kserve.io/enable-tag-routing": "true"}))
        assert traffic(world) == [LATEST | {"tag": "latest"}]
