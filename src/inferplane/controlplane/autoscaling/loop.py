"""The autoscaler: every revision's decider, fed with load and asked every two seconds.

Load comes in from the gateway once a second, for all revisions at once (`observe`), and from the activator as it has it
(`record`). What is wanted goes out as the key of a PodAutoscaler that has news. One task serves all: a revision that
has had no load and no need of a decision for a stable window is left alone until something happens, so 10,000 at zero
cost nothing.

A decider must not notice that it was left alone. Where pods are ready, silence is load of nothing, second by second:
what was not recorded meanwhile is made good before anything else is.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from inferplane.controlplane.autoscaling.decide import Instant, Verdict
from inferplane.controlplane.autoscaling.decider import UNKNOWN, Decider
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.clock import Clock
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec
from inferplane.signals.stats import Stat

TICK = 2.0
"""Seconds between decisions."""

_SLICE = 50
"""Decisions in a row; others have work to do in between."""


class _Member:
    """A decider, and how far its silence has been recorded. `ready` pods are those of the last look."""

    __slots__ = ("decider", "heard", "ready")

    def __init__(self, decider: Decider, ready: int, second: int) -> None:
        self.decider = decider
        self.ready = ready
        self.heard = second

    def hush(self, second: int) -> None:
        """Records nothing for the seconds before `second` that were left out, as far as a window reaches."""
        if self.ready and self.decider.spec.has_scrape_target:
            for one in range(max(self.heard + 1, second - self.decider.spec.stable_window), second):
                self.decider.record(one, 0.0, 0.0)
        self.heard = max(self.heard, second - 1)


class Autoscaler:
    """`ready` counts the ready pods of a revision; `changed` is told of PodAutoscalers that have news."""

    def __init__(self, ready: Callable[[Key], int], changed: Callable[[Key], None], clock: Clock) -> None:
        self._ready = ready
        self._changed = changed
        self._clock = clock
        self._members: dict[Key, _Member] = {}
        self._awake: dict[Key, None] = {}
        # When the windows of those that sleep are empty, in order: (second, key).
        self._cooling: deque[tuple[int, Key]] = deque()

    @property
    def awake(self) -> int:
        """How many are asked at the next tick."""
        return len(self._awake)

    # --- what the PodAutoscalers' controller says -------------------------------------------------------------------

    def put(self, key: Key, spec: DeciderSpec) -> Decider:
        """The decider of these rules: a new one, or the one there is."""
        member = self._members.get(key)
        if member is None:
            ready = self._ready(key)
            member = self._members[key] = _Member(Decider(spec, ready, self._now()), ready, self._second())
            self._awake[key] = None
        elif member.decider.spec != spec:
            member.hush(self._second())
            member.decider.update(spec, self._now())
            self._awake[key] = None
        return member.decider

    def get(self, key: Key) -> Decider | None:
        member = self._members.get(key)
        return member.decider if member else None

    def drop(self, key: Key) -> None:
        self._members.pop(key, None)
        self._awake.pop(key, None)

    def pods_changed(self, key: Key) -> None:
        if (member := self._members.get(key)) and (ready := self._ready(key)) != member.ready:
            member.hush(self._second() + 1)
            member.ready = ready
            self._awake[key] = None

    # --- load ---------------------------------------------------------------------------------------------------------

    def record(self, stats: Sequence[Stat]) -> None:
        """Reports of the activator. One about a revision at zero is decided on at once."""
        second = self._second()
        for stat in stats:
            key = Key(stat.namespace, stat.revision)
            if member := self._members.get(key):
                member.hush(second)
                urgent = member.decider.record(second, stat.concurrency, stat.requests)
                self._awake[key] = None
                # Of a revision that was at zero before a restart nothing is known: it is just as urgent.
                if urgent or (stat.concurrency and member.decider.wanted == UNKNOWN and not member.ready):
                    self._decide(key, member)

    def observe(self, stats: Sequence[Stat]) -> None:
        """The gateway's figures for the last second: of all revisions that it leads to directly; none is nothing."""
        second = self._second()
        direct: dict[Key, tuple[float, float]] = {}
        for stat in stats:
            key = Key(stat.namespace, stat.revision)
            concurrency, requests = direct.get(key, (0.0, 0.0))
            direct[key] = (concurrency + stat.concurrency, requests + stat.requests)
        for key in {**self._awake, **direct}:
            # Without ready pods there is nothing that answers: what is left are requests to pods that end.
            if (member := self._members.get(key)) and member.ready and member.decider.spec.has_scrape_target:
                member.hush(second)
                member.decider.record(second, *direct.get(key, (0.0, 0.0)))
                member.heard = second
                self._awake[key] = None

    # --- decisions ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Decides every two seconds, until cancelled."""
        due = self._clock.monotonic()
        while True:
            due = max(due + TICK, self._clock.monotonic())
            await self._clock.sleep(due - self._clock.monotonic())
            await self.tick()

    async def tick(self) -> None:
        for number, key in enumerate([*self._awake]):
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            if member := self._members.get(key):
                self._decide(key, member)
        self._cool()

    def _decide(self, key: Key, member: _Member) -> None:
        decider = member.decider
        verdict = decider.decide(member.ready, self._now())
        if verdict is not None and decider.take(verdict):
            self._changed(key)
        if _is_at_rest(member, verdict):
            self._awake.pop(key, None)
            if not member.ready:
                self._cooling.append((self._second() + decider.spec.stable_window + 1, key))

    def _cool(self) -> None:
        """Gives the memory of windows back when nothing of them counts any more."""
        second = self._second()
        while self._cooling and self._cooling[0][0] <= second:
            _, key = self._cooling.popleft()
            if (member := self._members.get(key)) and key not in self._awake:
                member.decider.release(self._now())

    def _now(self) -> Instant:
        return Instant(round(self._clock.now().timestamp() * 1000))

    def _second(self) -> int:
        return int(self._clock.now().timestamp())


def _is_at_rest(member: _Member, verdict: Verdict | None) -> bool:
    """Asked again without news it would say the same again."""
    if verdict is None:
        return not member.ready
    return verdict.desired == verdict.stable == verdict.panic == 0 and not verdict.mood.is_panicking
