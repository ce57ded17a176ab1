"""What `inferplane rollout` writes, through the controller: the Knative Service's targets, and who is rolled out."""

import msgspec
from tests.reconcile.serving.knative_world import LATEST, NAME, NAMED, canary, knative, says, service, traffic
from tests.reconcile.serving.world import World

from inferplane.cli.rollout.collect import rollout_of
from inferplane.cli.rollout.facts import Component
from inferplane.cli.rollout.plan import Change, promote, rollback, share
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE, KNATIVE_REVISION
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import Revision

FIRST, SECOND = "revision-v1", "revision-v2"


def component(world: World) -> Component:
    revisions = [msgspec.convert(one, Revision) for one in world.api.objects(KNATIVE_REVISION)]
    return rollout_of(world.peek(INFERENCE_SERVICE, NAME), revisions).components["predictor"]


async def both_revisions(world: World) -> None:
    """The first is rolled out, the second has 10 % of the requests."""
    for number, name in enumerate((FIRST, SECOND), 1):
        labels: JsonObject = {
            **NAMED,
            "component": "predictor",
            "serving.knative.dev/configurationGeneration": str(number),
        }
        await world.add(KNATIVE_REVISION, {"metadata": {"name": name, "labels": labels}}, "default")
    await world.applied(service())
    await says(world)
    await world.applied(canary(10))
    await says(world, revision=SECOND, targets=shared({SECOND: 10, FIRST: 90}))


def shared(shares: dict[str, int]) -> list[Json]:
    """What Knative says of targets; the latest one is named first and even when it has nothing."""
    rest: list[Json] = [
        {"revisionName": name, "percent": percent, "latestRevision": False, "tag": "prev"}
        for name, percent in shares.items()
        if name != SECOND
    ]
    return [{"revisionName": SECOND, "percent": shares.get(SECOND, 0), "latestRevision": True}, *rest]


async def changed(world: World, change: Change) -> None:
    await world.api.patch(INFERENCE_SERVICE, NAME, change.patch, "default")
    await world.rests()


def rolled_out(world: World) -> tuple[str, str]:
    """Last, and before it."""
    status = component(world).status
    return status.latest_rolledout_revision, status.previous_rolledout_revision


async def test_a_percentage_becomes_targets_and_is_what_the_status_says() -> None:
    async with knative() as world:
        await both_revisions(world)
        change = share(component(world), 50)
        await changed(world, change)
        found = traffic(world)
        await says(world, revision=SECOND, targets=shared(change.shares))
        assert component(world).shares() == change.shares == {SECOND: 50, FIRST: 50}
        assert rolled_out(world) == (FIRST, "")
    assert found == [
        {"latestRevision": True, "percent": 50},
        {"tag": "prev", "revisionName": FIRST, "latestRevision": False, "percent": 50},
    ]


async def test_promotion_rolls_the_canary_out() -> None:
    async with knative() as world:
        await both_revisions(world)
        change = promote(component(world))
        await changed(world, change)
        found = traffic(world)
        await says(world, revision=SECOND)
        assert component(world).shares() == change.shares
        assert (found, rolled_out(world)) == ([LATEST], (SECOND, FIRST))


async def test_a_canary_is_rolled_back_at_once() -> None:
    async with knative() as world:
        await both_revisions(world)
        change = rollback(component(world))
        await changed(world, change)
        assert traffic(world) == [
            {"latestRevision": True, "percent": 0},
            {"tag": "prev", "revisionName": FIRST, "latestRevision": False, "percent": 100},
        ]
        await says(world, revision=SECOND, targets=shared(change.shares))
        assert (component(world).shares(), rolled_out(world)) == ({FIRST: 100}, (FIRST, ""))


async def test_what_was_promoted_is_rolled_back_once_knative_says_that_the_latest_is_a_canary_of_itself() -> None:
    async with knative() as world:
        await both_revisions(world)
        await changed(world, promote(component(world)))
        await says(world, revision=SECOND)
        change = rollback(component(world))
        await changed(world, change)
        of_itself = traffic(world)
        of_the_latest_itself: Json = {"revisionName": SECOND, "percent": 100, "latestRevision": False, "tag": "prev"}
        await says(
            world,
            revision=SECOND,
            targets=[*shared({SECOND: 0}), of_the_latest_itself],
        )
        found = traffic(world)
        await says(world, revision=SECOND, targets=shared(change.shares))
        assert component(world).shares() == change.shares == {FIRST: 100}
    assert of_itself[1] == {"tag": "prev", "revisionName": SECOND, "latestRevision": False, "percent": 100}
    assert found[1] == {"tag": "prev", "revisionName": FIRST, "latestRevision": False, "percent": 100}
