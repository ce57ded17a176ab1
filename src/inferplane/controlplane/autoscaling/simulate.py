"""What the autoscaler would do with a service under a load: its decisions, over made-up time, on made-up pods.

A load comes in; frames (one a second), events and totals go out. Decisions and bounds are those of the platform. Made
up are the pods: they take `startup` seconds to become ready, work on so many requests at a time, `duration` on each.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil, inf

from inferplane.controlplane.autoscaling import bounds
from inferplane.controlplane.autoscaling.bounds import Standing
from inferplane.controlplane.autoscaling.curves import Curve
from inferplane.controlplane.autoscaling.decide import Instant
from inferplane.controlplane.autoscaling.decider import Decider
from inferplane.controlplane.autoscaling.delay import TICK
from inferplane.controlplane.autoscaling.queueing import STEP, STEP_MS, Line
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec, ScaleLimits
from inferplane.resources.autoscaling_knative.serverlessservice import Mode
from inferplane.resources.meta import ConditionStatus

_STEPS_A_SECOND = 1000 // STEP_MS
_EPOCH = 946_684_800
_LONG = 1e9


@dataclass(frozen=True, slots=True)
class Scenario:
    """`slots`: requests that a pod works on at a time (0: any number). `duration`, `startup`, `timeout`: seconds.

    `replicas`: ready at the beginning, after a long time without load. `until`: when to stop looking, in seconds.
    """

    spec: DeciderSpec
    limits: ScaleLimits
    load: Curve
    until: float
    duration: float = 0.02
    slots: int = 0
    startup: float = 1.0
    timeout: float = 300.0
    replicas: int = 0
    progress_deadline: float = 600.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The second that ends at `t`. `in_flight`: the average, `waiting`: for a pod, at its end.

    `wanted` is the decision, `replicas` what it has become within bounds; `stable` and `panic`: the averages known.
    """

    t: float
    rate: float
    in_flight: float
    waiting: int
    wanted: int
    replicas: int
    ready: int
    is_panicking: bool
    through_activator: bool
    stable: float | None
    panic: float | None


class What(StrEnum):
    WAKE = "wake"
    SCALE = "scale"
    READY = "ready"
    PANIC = "panic"
    CALM = "calm"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed, from what to what in pods; and what was there at that moment."""

    t: float
    what: What
    before: int
    after: int
    rate: float
    in_flight: float
    waiting: int
    ready: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Times in seconds. `waited`: requests that did not start at once; `wait_p99` is over all requests."""

    requests: int
    waited: int
    timed_out: int
    wait_mean: float
    wait_p99: float
    wait_max: float
    most_replicas: int
    replica_seconds: float
    seconds_at_zero: float
    cold_starts: int
    panics: int


@dataclass(frozen=True, slots=True)
class Run:
    frames: list[Frame]
    events: list[Event]
    totals: Totals


def simulate(scenario: Scenario) -> Run:
    service = _Service(scenario)
    frames = list(service.run())
    return Run(frames, service.events, _totals(service, frames))


class _Arrivals:
    """Whole requests at even times; the first one comes at once when load begins."""

    def __init__(self, load: Curve) -> None:
        self._load = load
        self._due = 0.0
        self._was_idle = True

    def take(self, seconds: float) -> int:
        rate = self._load.rate(seconds)
        self._due = 1.0 if self._was_idle and rate > 0 else self._due + rate * STEP
        self._was_idle = rate == 0
        if rate == 0:
            self._due = 0.0
        # A sum of steps may stay a hair below the whole number that it stands for.
        whole = int(self._due + 1e-9)
        self._due -= whole
        return whole


@dataclass(slots=True)
class _Seen:
    """What the second under way has had; `first`: the activator has reported its first request ahead."""

    in_flight: float = 0.0
    requests: int = 0
    first: bool = False


class _Pods:
    """Ready ones, and the times at which the others will be."""

    def __init__(self, ready: int, startup: float) -> None:
        self.ready = ready
        self._startup = startup
        self._starting: list[float] = []

    @property
    def count(self) -> int:
        return self.ready + len(self._starting)

    def become_ready(self, now: float) -> int:
        """How many did."""
        done = sum(1 for one in self._starting if one <= now)
        self._starting = [one for one in self._starting if one > now]
        self.ready += done
        return done

    def scale(self, wanted: int, now: float) -> None:
        """Pods that are not ready yet go first; ready ones finish what they have."""
        more = wanted - self.count
        self._starting += [now + self._startup] * max(0, more)
        starting = max(0, len(self._starting) + min(0, more))
        self.ready = min(self.ready, wanted - starting)
        self._starting = self._starting[:starting]


@dataclass(slots=True)
class _PodAutoscaler:
    """The states that the PodAutoscaler and the ServerlessService of the service are in, and since when."""

    active: ConditionStatus
    active_since: float
    proxy_since: float | None
    recheck_at: float = inf

    def standing(self, now: float, progress_deadline: float) -> Standing:
        return Standing(
            active=self.active,
            active_for=now - self.active_since,
            is_initialized=True,
            progress_deadline=progress_deadline,
            proxy_for=None if self.proxy_since is None else now - self.proxy_since,
            activator_answers=self.proxy_since is not None,
        )


@dataclass(slots=True)
class _Service:
    scenario: Scenario
    events: list[Event] = field(default_factory=list)
    cold_starts: int = 0
    panics: int = 0
    _now: float = 0.0
    _in_flight: float = 0.0
    _seen: _Seen = field(default_factory=_Seen)
    _known: bool = False
    line: Line = field(init=False)
    _decider: Decider = field(init=False)
    _pods: _Pods = field(init=False)
    _autoscaler: _PodAutoscaler = field(init=False)
    _arrivals: _Arrivals = field(init=False)

    def __post_init__(self) -> None:
        it = self.scenario
        self.line = Line(it.duration, it.slots, it.timeout)
        self._decider = Decider(it.spec, min(1, it.replicas), self._instant())
        self._decider.wanted = it.replicas
        self._pods = _Pods(it.replicas, it.startup)
        active = ConditionStatus.TRUE if it.replicas else ConditionStatus.FALSE
        self._autoscaler = _PodAutoscaler(active, -_LONG, None if it.replicas else -_LONG)
        self._arrivals = _Arrivals(it.load)
        self._reconcile()
        if self._autoscaler.proxy_since is not None:
            self._autoscaler.proxy_since = -_LONG

    def run(self) -> Iterator[Frame]:
        for step in range(ceil(self.scenario.until) * _STEPS_A_SECOND):
            self._now = step * STEP
            self._step()
            if (step + 1) % _STEPS_A_SECOND == 0:
                self._now = float((step + 1) // _STEPS_A_SECOND)
                yield self._second()

    def _instant(self) -> Instant:
        return Instant(_EPOCH * 1000 + round(self._now * 1000))

    def _step(self) -> None:
        before = self._pods.ready
        if self._pods.become_ready(self._now):
            self._tell(What.READY, before, self._pods.ready)
            self._reconcile()
        if self._now >= self._autoscaler.recheck_at:
            self._reconcile()
        arrivals = self._arrivals.take(self._now)
        if arrivals and not self._known:
            self._meet()
        self._seen.requests += arrivals
        self._in_flight = self.line.advance(arrivals, self._pods.ready)
        self._seen.in_flight += self._in_flight / _STEPS_A_SECOND

    def _meet(self) -> None:
        """The first request for long: the activator, if it is in the path, reports it at once."""
        self._known = True
        if not self._pods.ready:
            self.cold_starts += 1
            self._tell(What.WAKE, self._pods.count, max(1, self._pods.count))
        if self._autoscaler.proxy_since is None:
            return
        self._seen.first = True
        if self._decider.record(self._instant() // 1000, 1.0, 1.0):
            self._decide()

    def _second(self) -> Frame:
        seen, self._seen = self._seen, _Seen()
        self._known = seen.in_flight > 0 or self.line.waiting > 0
        first = 1.0 if seen.first else 0.0
        if self._known or (self._pods.ready and self.scenario.spec.has_scrape_target):
            figures = max(0.0, seen.in_flight - first), max(0.0, seen.requests - first)
            self._decider.record(self._instant() // 1000, *figures)
        if self._now % TICK == 0:
            self._decide()
        return self._frame(seen)

    def _decide(self) -> None:
        was_panicking = self._decider.is_panicking
        verdict = self._decider.decide(self._pods.ready, self._instant())
        if self._decider.is_panicking != was_panicking:
            self.panics += not was_panicking
            self._tell(What.CALM if was_panicking else What.PANIC, self._pods.ready, self._decider.wanted)
        if verdict is not None and self._decider.take(verdict):
            self._reconcile()

    def _reconcile(self) -> None:
        """Until the conditions that it reads are those that it writes, as a controller does by its own watch."""
        for _ in range(4):
            if not self._reconcile_once():
                return

    def _reconcile_once(self) -> bool:
        it, autoscaler, pods = self.scenario, self._autoscaler, self._pods
        standing = autoscaler.standing(self._now, it.progress_deadline)
        step = bounds.bounded(self._decider.wanted, it.limits, standing)
        autoscaler.recheck_at = inf if step.recheck_after is None else self._now + step.recheck_after
        if step.apply and step.scale != pods.count:
            self._tell(What.SCALE, pods.count, step.scale)
            pods.scale(step.scale, self._now)
        mode = bounds.mode(step.scale, self._decider.excess_burst_capacity, standing.active)
        proxied = mode == Mode.PROXY or not pods.ready
        turned = proxied != (autoscaler.proxy_since is not None)
        if turned:
            autoscaler.proxy_since = self._now if proxied else None
        return self._set_active(step.scale) or turned

    def _set_active(self, scale: int) -> bool:
        autoscaler = self._autoscaler
        needed = bounds.min_ready(self.scenario.limits, is_initialized=True)
        found = bounds.activity(scale, self._pods.ready, needed, autoscaler.active)
        if found is None or found.status == autoscaler.active:
            return False
        autoscaler.active, autoscaler.active_since = found.status, self._now
        if found.status == ConditionStatus.FALSE:
            self._tell(What.INACTIVE, self._pods.count, self._pods.count)
        return True

    def _tell(self, what: What, before: int, after: int) -> None:
        self.events.append(
            Event(
                t=round(self._now, 3),
                what=what,
                before=before,
                after=after,
                rate=self.scenario.load.rate(self._now),
                in_flight=round(self._in_flight, 6),
                waiting=self.line.waiting,
                ready=self._pods.ready,
            )
        )

    def _frame(self, seen: _Seen) -> Frame:
        load = self._decider.load(self._instant())
        return Frame(
            t=self._now,
            rate=self.scenario.load.rate(self._now - STEP),
            in_flight=round(seen.in_flight, 6),
            waiting=self.line.waiting,
            wanted=max(0, self._decider.wanted),
            replicas=self._pods.count,
            ready=self._pods.ready,
            is_panicking=self._decider.is_panicking,
            through_activator=self._autoscaler.proxy_since is not None,
            stable=load.stable if load else None,
            panic=load.panic if load else None,
        )


def _totals(service: _Service, frames: list[Frame]) -> Totals:
    line, waits = service.line, service.line.waits
    left = line.timed_out + line.waiting
    return Totals(
        requests=waits.count + left,
        waited=waits.delayed + left,
        timed_out=line.timed_out,
        wait_mean=waits.mean,
        wait_p99=waits.quantile(0.99),
        wait_max=waits.longest,
        most_replicas=max((one.replicas for one in frames), default=0),
        replica_seconds=float(sum(one.replicas for one in frames)),
        seconds_at_zero=float(sum(one.replicas == 0 for one in frames)),
        cold_starts=service.cold_starts,
        panics=service.panics,
    )
