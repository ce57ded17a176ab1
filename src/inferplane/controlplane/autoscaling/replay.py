"""Replays a trace: what would our autoscaler have decided, and where is that not what was recorded?"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

from inferplane.controlplane.autoscaling.decide import Instant, Verdict
from inferplane.controlplane.autoscaling.decider import Decider
from inferplane.controlplane.autoscaling.traces import NOT_FOUND, Poke, Ready, Rules, Stat, Tick, Trace, Update
from inferplane.controlplane.autoscaling.windows import Load

TOLERANCE = 1e-9
"""Of averages, relative: Go's power function differs from C's in the last digit."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision, its step in the trace, the load that was known (None: no data) and the state after it."""

    step: Tick | Poke
    load: Load | None
    verdict: Verdict | None
    is_panicking: bool
    most_in_panic: int


def replay(trace: Trace) -> Iterator[Replayed]:
    """The decisions, in the order of the trace."""

    def at(t: float) -> Instant:
        return Instant(trace.epoch_unix_seconds * 1000 + round(t * 1000))

    decider = Decider(trace.spec(), max(0, trace.construct.ready), at(trace.construct.t))
    ready = 0
    for step in trace.steps:
        now = at(step.t)
        match step:
            case Ready():
                ready = step.count
            case Stat():
                concurrency = step.concurrency - step.proxied_concurrency
                decider.record(now // 1000, concurrency, step.requests - step.proxied_requests)
            case Update():
                decider.update(step.rules.spec(), now)
            case Tick() | Poke():
                yield _decided(decider, step, ready, now)


def _decided(decider: Decider, step: Tick | Poke, ready: int, now: Instant) -> Replayed:
    load = decider.load(now)
    verdict = decider.decide(max(0, ready), now) if ready >= NOT_FOUND else None
    if verdict is not None:
        decider.take(verdict)
    return Replayed(step, load, verdict, decider.is_panicking, decider.most_in_panic)


def differences(trace: Trace) -> list[str]:
    """A line for each thing that is not as the trace recorded it: rules made of the configuration, and decisions."""
    updates = [one for one in trace.steps if isinstance(one, Update)]
    rules = [("config", trace), *((f"update at {one.t:g}", one.rules) for one in updates)]
    found = [line for where, one in rules for line in _of_rules(where, one)]
    return found + [line for one in replay(trace) if one.step.valid is not None for line in _of_decision(one)]


def _of_rules(where: str, rules: Rules) -> Iterator[str]:
    if rules.resolved is None:
        return
    recorded, ours = rules.resolved.as_spec(), rules.config.resolved()
    for name in recorded.__slots__:
        if getattr(recorded, name) != getattr(ours, name):
            yield f"{where}: {name}: recorded {getattr(recorded, name)}, here {getattr(ours, name)}"


def _of_decision(one: Replayed) -> Iterator[str]:
    step, verdict = one.step, one.verdict
    desired, excess = (verdict.desired, verdict.excess_burst_capacity) if verdict else (0, 0)
    recorded = {
        "valid": (step.valid, int(verdict is not None)),
        "desired": (step.desired, desired),
        "ebc": (step.ebc, excess),
        "panicMode": (step.panic_mode, int(one.is_panicking)),
        "maxPanicPods": (step.max_panic_pods, one.most_in_panic),
    }
    averages = {
        "stable": (step.stable, one.load.stable if one.load else None),
        "panic": (step.panic, one.load.panic if one.load else None),
    }
    kind = "poke" if step.poke else "tick"
    for name, (there, here) in recorded.items():
        if there != here:
            yield f"{kind} at {step.t:g}: {name}: recorded {there}, here {here}"
    for name, (average, ours) in averages.items():
        if not _alike(average, ours):
            yield f"{kind} at {step.t:g}: {name}: recorded {average}, here {ours}"


def _alike(recorded: float | None, ours: float | None) -> bool:
    if recorded is None or ours is None:
        return recorded is ours
    return isclose(recorded, ours, rel_tol=TOLERANCE)
