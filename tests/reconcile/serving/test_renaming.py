"""Another `spec.predictor.name` behind a transformer: at no moment does a pod call a predictor that is not there."""

import pytest
from tests.reconcile.conformance import EXPLAINER, ISVC, TRANSFORMER, backends, main_container, with_components
from tests.reconcile.serving.world import World, isvc, serving

from inferplane.client.kubernetes.kinds import DEPLOYMENT, HTTP_ROUTE, POD, SERVICE
from inferplane.kernel.json import JsonObject, list_at, number_at

OLD, NEW = f"{ISVC}-predictor", f"{ISVC}-v2-predictor"


def body(kind: str, name: str = "") -> JsonObject:
    component = {"transformer": TRANSFORMER, "explainer": EXPLAINER}[kind]
    return with_components(isvc(predictor={"name": name} if name else {}), **{kind: component})


async def serves(world: World, name: str, *, replacing: bool = False) -> None:
    """`replacing`: one pod of its former template is left."""
    generation = number_at(world.peek(DEPLOYMENT, name), "metadata", "generation")
    await world.says(
        DEPLOYMENT,
        name,
        {
            "observedGeneration": generation,
            "replicas": 2 if replacing else 1,
            "updatedReplicas": 1,
            "availableReplicas": 1,
            "conditions": [{"type": "Available", "status": "True"}],
        },
    )


def called(world: World, kind: str) -> str:
    args = list_at(main_container(world.peek(DEPLOYMENT, f"{ISVC}-{kind}")), "args")
    return str(args[args.index("--predictor_host") + 1]).removesuffix(".default")


def there(world: World, name: str) -> bool:
    [found] = {world.exists(kind, name) for kind in (DEPLOYMENT, SERVICE)}
    return found


def pod(name: str, kind: str, **meta: str) -> JsonObject:
    labels: JsonObject = {"app": f"isvc.{ISVC}-{kind}", "serving.kserve.io/inferenceservice": ISVC}
    return {"metadata": {"name": name, "namespace": "default", "labels": labels, **meta}}


@pytest.mark.parametrize("kind", ["transformer", "explainer"])
async def test_the_old_predictor_serves_until_nobody_was_told_its_name(kind: str) -> None:
    async with serving() as world:
        await world.applied(body(kind))
        for name in (OLD, f"{ISVC}-{kind}"):
            await serves(world, name)
        await world.applied(body(kind, "v2"))
        started = called(world, kind), there(world, OLD)
        await serves(world, NEW)
        told = called(world, kind), there(world, OLD)
        await serves(world, f"{ISVC}-{kind}", replacing=True)
        await world.add(POD, pod("former", kind, deletionTimestamp="2026-01-01T00:00:00Z"))
        replaced = there(world, OLD)
        await serves(world, f"{ISVC}-{kind}")
        ending = there(world, OLD)
        world.api.remove(POD, "former")
        await world.rests()
        gone = there(world, OLD)
    assert started == (OLD, True)
    assert told == (NEW, True)
    assert (replaced, ending, gone) == (True, True, False)


async def test_requests_for_the_predictor_itself_go_to_the_one_that_is_available() -> None:
    async with serving() as world:
        await world.applied(body("transformer"))
        for name in (OLD, f"{ISVC}-transformer"):
            await serves(world, name)
        await world.applied(body("transformer", "v2"))
        before = [shares for _, shares, _ in backends(world.peek(HTTP_ROUTE, OLD))]
        await serves(world, NEW)
        after = [shares for _, shares, _ in backends(world.peek(HTTP_ROUTE, OLD))]
    assert (before, after) == ([[(OLD, 1)]], [[(NEW, 1)]])
