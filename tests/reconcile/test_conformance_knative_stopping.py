"""K11 to K22: what `serving.kserve.io/stop` takes away in Knative mode, and that it comes back."""

import pytest
from tests.reconcile.serving.knative_world import EXPLAINER, NAME, TRANSFORMER, annotated, knative, service, started
from tests.reconcile.serving.world import World

from inferplane.client.kubernetes.kinds import KNATIVE_SERVICE, SERVICE, VIRTUAL_SERVICE
from inferplane.kernel.json import Json, JsonObject

STOP = "serving.kserve.io/stop"
SHAPES: list[tuple[str, dict[str, JsonObject]]] = [
    ("predictor", {}),
    ("transformer", {"transformer": TRANSFORMER}),
    ("explainer", {"explainer": EXPLAINER}),
]


def children(world: World, component: str) -> list[bool]:
    wanted = ((KNATIVE_SERVICE, "foo-predictor"), (KNATIVE_SERVICE, f"foo-{component}"))
    return [world.exists(*one) for one in (*wanted, (VIRTUAL_SERVICE, NAME), (SERVICE, NAME))]


def readiness(world: World, component: str) -> tuple[Json, ...]:
    found = world.conditions(NAME)
    return tuple(
        found.get(one) for one in ("PredictorReady", f"{component.capitalize()}Ready", "IngressReady", "Stopped")
    )


RUNS = ("True", "True", "True", "False")
STOPS = ("False", "False", "False", "True")


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k11_k15_k19_not_stopped_all_is_there(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await started(world, component, annotated(service(**parts), **{STOP: "false"}))
        assert (children(world, component), readiness(world, component)) == ([True] * 4, RUNS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k12_k16_k20_stopped_from_the_start_nothing_is(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        assert (children(world, component), readiness(world, component)) == ([False] * 4, STOPS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k13_k17_k21_stopping_deletes_all(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await started(world, component, service(**parts))
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        assert (children(world, component), readiness(world, component)) == ([False] * 4, STOPS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k14_k18_k22_starting_again_makes_all_anew(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        await started(world, component, annotated(service(**parts), **{STOP: "false"}))
        assert (children(world, component), readiness(world, component)) == ([True] * 4, RUNS)
