"""The controllers over made-up time, under the load that a simulation saw, scale as it said, second by second.

Scale-up, panic, bounds, the way to zero and the wake-up: loop, PodAutoscaler and ServerlessService with their API
server in memory, and `autoscaler simulate`, which has none of them.
"""

from dataclasses import dataclass

import pytest
from tests.reconcile.autoscaling.world import World, world

from inferplane.controlplane.autoscaling.curves import parse
from inferplane.controlplane.autoscaling.simulate import Run, Scenario, What, simulate
from inferplane.resources.autoscaling_knative.annotations import PREFIX
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.resolution import decider_spec, scale_limits


@dataclass(frozen=True)
class Case:
    """A request takes 0.1 s; a pod starts in one second; so many requests a second over time."""

    load: str
    until: int
    said: dict[str, str]
    burst: float = 0


CASES = {
    "from zero and back": Case("5:20,35:0", 150, {"target": "5"}),
    "a surge": Case("3:60,40:400,45:60,130:0", 160, {"target": "10", "window": "30s"}),
    "within bounds": Case("2:300,40:0", 120, {"target": "5", "min-scale": "1", "max-scale": "4", "window": "20s"}),
    "woken twice": Case("3:10,6:0,70:10,72:0", 130, {"window": "15s", "activation-scale": "2"}),
    "down later": Case("2:200,30:20", 110, {"target": "5", "scale-down-delay": "20s", "window": "15s"}),
    "newer seconds count more": Case(
        "2:50,20:250,40:50",
        120,
        {"target": "5", "window": "20s", "metric-aggregation-algorithm": "weighted-exponential"},
    ),
    "the activator in the path": Case("2:100,40:0", 90, {"target": "5", "window": "20s"}, burst=30),
}


def simulated(case: Case) -> Run:
    annotations = {PREFIX + key: text for key, text in case.said.items()}
    config = AutoscalerConfig(target_burst_capacity=case.burst)
    spec, limits = decider_spec(annotations, config), scale_limits(annotations, config)
    load = parse(case.load, "load")
    return simulate(Scenario(spec, limits, load, case.until, duration=0.1, replicas=limits.min_scale))


async def at_rest(one: World, case: Case) -> None:
    """As the simulation begins: long after the last request."""
    await one.configured(target_burst_capacity=f"{case.burst:g}")
    await one.revision(1, 0, **{key.replace("-", "_"): text for key, text in case.said.items()})
    await one.passes(200)
    one.startup = 1


async def followed(one: World, run: Run) -> list[tuple[int, int]]:
    """(second, replicas) at each change, with the load of the simulation's seconds."""
    changes = [(0, one.replicas)]
    wakes = {int(event.t) for event in run.events if event.what == What.WAKE}
    for second, frame in enumerate(run.frames):
        first = second in wakes
        if first:
            await one.asks()
            changes.append((second, one.replicas))
        await one.passes(1, load=max(0.0, frame.in_flight - first))
        if one.replicas != changes[-1][1]:
            changes.append((second + 1, one.replicas))
    return changes


def of(run: Run, replicas: int) -> list[tuple[int, int]]:
    return [(0, replicas), *((int(one.t), one.after) for one in run.events if one.what == What.SCALE)]


@pytest.mark.parametrize("name", CASES)
async def test_the_controllers_scale_as_the_simulation_says(name: str) -> None:
    run = simulated(CASES[name])
    async with world() as one:
        await at_rest(one, CASES[name])
        expected = of(run, one.replicas)
        assert len(expected) >= 4
        assert await followed(one, run) == expected
