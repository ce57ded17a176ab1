"""What to do next for one pod, as a pure function of its spec, its containers and the time. A kubelet's rules.

Init containers run one after the other, each to its end (a sidecar: until it has started); then all containers run.
What ends is started again as the restart policy says, with back-off; what must end gets SIGTERM, its grace period and
SIGKILL.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from inferplane.controlplane.node.observed import ABSENT, Containers, Seen, started
from inferplane.controlplane.node.runs import Run
from inferplane.kernel.backoff import Backoff
from inferplane.resources.core import Container, Pod

# kubelet: MaxContainerBackOff and its reset (10 min without a failure).
RESTART_BACKOFF = Backoff(first=10.0, limit=300.0)
FAILURES_FORGOTTEN_AFTER = 600.0
# A run that served this long before it died is started again at once: its users wait for it, and restarts stay rare.
SERVED_LONG_ENOUGH = 10.0
# The exit reason of runs that the node ended because it was told to end itself: no failure of theirs.
NODE_SHUTDOWN = "NodeShutdown"


@dataclass(frozen=True, slots=True)
class Start:
    """`failures`: how many runs in a row ended before this one."""

    container: Container
    attempt: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Terminate:
    """SIGTERM, because of `reason` (a sentence for the Killing event)."""

    container: Container
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL: the grace period is over."""

    container: Container


@dataclass(frozen=True, slots=True)
class Remove:
    """Everything has ended: clean up, and delete the object if it is being deleted."""


Action: TypeAlias = Start | Terminate | Kill | Remove


@dataclass(frozen=True, slots=True)
class Decision:
    """`wake_at`: when to decide again if nothing happens before (seconds since the epoch), None for never.

    `backing_off`: seconds to wait before the next start, by the container's name.
    """

    actions: list[Action] = field(default_factory=list)
    wake_at: float | None = None
    backing_off: dict[str, float] = field(default_factory=dict)

    def wake(self, at: float) -> "Decision":
        sooner = at if self.wake_at is None else min(at, self.wake_at)
        return Decision(self.actions, sooner, self.backing_off)


def decide(pod: Pod, containers: Containers, now: float, *, stopping: bool = False) -> Decision:
    """`stopping`: the node ends and takes its pods' processes with it; the objects stay."""
    if pod.metadata.deleting or stopping:
        return _end(pod, containers, now)
    decision = Decision()
    for container in _due(pod, containers):
        decision = _tend(pod, container, containers.get(container.name, ABSENT), now, decision)
    return decision


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running (KEP-753)."""
    return container.restart_policy == "Always"


def initialized(pod: Pod, containers: Containers) -> bool:
    """All init containers have ended well, all sidecars have started."""
    return all(passed(one, containers.get(one.name, ABSENT)) for one in pod.spec.init_containers)


def failures(run: Run) -> int:
    """How many runs in a row have failed, this ended one included. A long life makes all forgotten."""
    if run.exit is not None and run.exit.reason == NODE_SHUTDOWN:
        return run.failures
    if run.exit is None or run.exit.at - run.started_at >= FAILURES_FORGOTTEN_AFTER:
        return 1
    return run.failures + 1


def restart_delay(run: Run) -> float:
    """Seconds from the end of a run to the next start. The first failure is answered at once, as by a kubelet."""
    if run.exit is None or run.exit.reason == NODE_SHUTDOWN:
        return 0.0
    if run.ready_at and run.exit.at - run.ready_at >= SERVED_LONG_ENOUGH:
        return 0.0
    return RESTART_BACKOFF.delay(failures(run) - 1)


def restarts(pod: Pod, container: Container, run: Run) -> bool:
    """Does the restart policy start an ended container again?"""
    if is_sidecar(container):
        return True
    succeeded = run.exit is not None and run.exit.code == 0
    if any(one.name == container.name for one in pod.spec.init_containers):
        return not succeeded and pod.spec.restart_policy != "Never"
    match pod.spec.restart_policy:
        case "Never":
            return False
        case "OnFailure":
            return not succeeded
        case _:
            return True


def passed(init: Container, seen: Seen) -> bool:
    """May the next container start? Once a sidecar ran, its later restarts hold nobody up."""
    if is_sidecar(init):
        once = seen.run is not None and (init.startup_probe is None or seen.run.attempt > 0 or seen.run.ready_at > 0)
        return started(init, seen) or once
    return seen.succeeded


def _due(pod: Pod, containers: Containers) -> Iterator[Container]:
    """Containers whose turn has come: init containers up to the first that has not passed, then all the others."""
    for init in pod.spec.init_containers:
        seen = containers.get(init.name, ABSENT)
        if is_sidecar(init) or not passed(init, seen):
            yield init
        if not passed(init, seen):
            return
    yield from pod.spec.containers


def _tend(pod: Pod, container: Container, seen: Seen, now: float, decision: Decision) -> Decision:
    if seen.launching:
        return decision
    if seen.running:
        return _watch_over(pod, container, seen, now, decision)
    if seen.problem is not None and now < seen.problem.retry_at:
        return decision.wake(seen.problem.retry_at)
    if seen.run is None:
        return _with(decision, Start(container, 0))
    if not restarts(pod, container, seen.run):
        return decision
    return _restart(container, seen.run, now, decision)


def _restart(container: Container, run: Run, now: float, decision: Decision) -> Decision:
    ended_at = run.exit.at if run.exit is not None else now
    delay = restart_delay(run)
    if now >= ended_at + delay:
        return _with(decision, Start(container, run.attempt + 1, failures(run)))
    waiting = {**decision.backing_off, container.name: delay}
    return Decision(decision.actions, decision.wake_at, waiting).wake(ended_at + delay)


def _watch_over(pod: Pod, container: Container, seen: Seen, now: float, decision: Decision) -> Decision:
    """A living run is left alone unless a probe has given up on it."""
    if seen.terminated_at:
        return _kill_in_time(container, seen, now, grace_period(pod, container), decision)
    if seen.health.unhealthy:
        return _with(decision, Terminate(container, seen.health.unhealthy))
    deadline = _announcement_deadline(container, seen)
    if deadline is None:
        return decision
    if now < deadline:
        return decision.wake(deadline)
    return _with(decision, Terminate(container, "did not announce that it is ready within its startup probe's time"))


def _announcement_deadline(container: Container, seen: Seen) -> float | None:
    """For a run that announces itself, a startup probe says only how long that may take."""
    probe = container.startup_probe
    if probe is None or seen.run is None or not seen.announces or seen.run.ready_at:
        return None
    return seen.run.started_at + probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold


def grace_period(pod: Pod, container: Container) -> float:
    """Seconds from being told to end to being killed."""
    probe = container.liveness_probe
    if not pod.metadata.deleting and probe is not None and probe.termination_grace_period_seconds is not None:
        return probe.termination_grace_period_seconds
    asked = pod.metadata.deletion_grace_period_seconds
    return pod.spec.termination_grace_period_seconds if asked is None else asked


def _kill_in_time(container: Container, seen: Seen, now: float, grace: float, decision: Decision) -> Decision:
    deadline = seen.terminated_at + grace
    if seen.killed:
        return decision
    return _with(decision, Kill(container)) if now >= deadline else decision.wake(deadline)


def _end(pod: Pod, containers: Containers, now: float) -> Decision:
    """Containers end together, sidecars after them."""
    decision = Decision()
    everyone = [*pod.spec.containers, *pod.spec.init_containers]
    living = [one for one in everyone if _busy(containers.get(one.name, ABSENT))]
    if not living:
        return _with(decision, Remove())
    ordinary = [one for one in living if not is_sidecar(one)]
    for container in ordinary or living:
        seen = containers.get(container.name, ABSENT)
        if not seen.running:
            continue  # a start under way is stopped once it has become a process
        if seen.terminated_at:
            decision = _kill_in_time(container, seen, now, grace_period(pod, container), decision)
        else:
            decision = _with(decision, Terminate(container, "Stopping container"))
    return decision


def _busy(seen: Seen) -> bool:
    return seen.running or seen.launching


def _with(decision: Decision, action: Action) -> Decision:
    return Decision([*decision.actions, action], decision.wake_at, decision.backing_off)
