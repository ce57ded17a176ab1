"""Gradual rollout: a new latest revision gets its share step by step. Pure.

The state goes in and comes out as a value and is kept as JSON in an annotation of the HTTPRoute, in Knative's form, so
that any process can go on with it. Rules: knative/serving `pkg/reconciler/route/traffic/rollout.go`.
"""

import math
from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from inferplane.controlplane.knative.routes.traffic import DEFAULT, Target
from inferplane.resources.go_text import NANOSECONDS
from inferplane.resources.meta import View

ANNOTATION = "networking.internal.knative.dev/rollout"


class Share(View, frozen=True, kw_only=True, omit_defaults=False):
    revision_name: str
    percent: int


class Steps(View, frozen=True, kw_only=True):
    """All in nanoseconds, moments since 1970; 0: not yet known."""

    start_time: int = msgspec.field(default=0, name="starttime")
    next_step_time: int = 0
    step_duration: int = 0
    step_size: int = 0


class Rolling(View, frozen=True, kw_only=True):
    """The revisions of one Configuration under one tag, from the oldest to the newest; their shares are `percent`."""

    configuration_name: str
    tag: str = ""
    percent: int = 0
    revisions: list[Share] = []
    step_params: Steps = Steps()

    @property
    def is_done(self) -> bool:
        return len(self.revisions) < 2


class Rollout(View, frozen=True, kw_only=True):
    configurations: list[Rolling] = []

    @property
    def is_done(self) -> bool:
        return all(one.is_done for one in self.configurations)

    def of(self, configuration: str, tag: str = DEFAULT) -> Rolling | None:
        found = (one for one in self.configurations if (one.configuration_name, one.tag) == (configuration, tag))
        return next(found, None)

    def next_step(self) -> int | None:
        """When something is to be done next; None when nothing is, or when the gateway is waited for."""
        times = [one.step_params.next_step_time for one in self.configurations if one.step_params.next_step_time]
        return min(times, default=None)


def read(text: str) -> Rollout:
    """The state; one that can't be right counts as none, which is a jump to the end."""
    try:
        found = msgspec.json.decode(text or "{}", type=Rollout)
    except msgspec.DecodeError:
        return Rollout()
    return found if all(_is_sound(one) for one in found.configurations) else Rollout()


def _is_sound(one: Rolling) -> bool:
    shares = [share.percent for share in one.revisions]
    steps = one.step_params
    return (
        0 <= one.percent <= 100
        and sum(shares) == one.percent
        and min(shares, default=0) >= 0
        and min(steps.step_size, steps.step_duration, steps.next_step_time, steps.start_time) >= 0
    )


def living(state: Rollout, revisions: Collection[str]) -> Rollout:
    """Without the Configurations that have a share on a revision that is gone: those jump to the end."""
    kept = [one for one in state.configurations if all(share.revision_name in revisions for share in one.revisions)]
    return Rollout(configurations=kept)


def wanted(groups: dict[str, list[Target]]) -> Rollout:
    """What holds at the end: each Configuration's latest revision has its whole share."""
    found: dict[tuple[str, str], Rolling] = {}
    for tag, targets in groups.items():
        for one in targets:
            if not one.follows_latest or not one.percent:
                continue
            key = one.configuration, tag
            share = (found[key].percent if key in found else 0) + one.percent
            last = Share(revision_name=one.revision, percent=share)
            found[key] = Rolling(configuration_name=one.configuration, tag=tag, percent=share, revisions=[last])
    return Rollout(configurations=list(found.values()))


def stepped(end: Rollout, before: Rollout, now: int) -> Rollout:
    """The state after `before` that leads to `end`. `now` in nanoseconds."""
    made = [_stepped(one, before.of(one.configuration_name, one.tag), now) for one in end.configurations]
    return Rollout(configurations=made)


def observed(state: Rollout, now: int, duration: int) -> Rollout:
    """The gateway has taken the first step: its time says how long each further one takes. `duration` in seconds."""
    return Rollout(configurations=[_paced(one, now, duration) for one in state.configurations])


# --- one Configuration ------------------------------------------------------------------------------------------------


def _stepped(end: Rolling, before: Rolling | None, now: int) -> Rolling:
    if before is None or not before.revisions:
        return end
    here = _with_percent(before, end.percent)
    newest = end.revisions[-1].revision_name
    if here.revisions[-1].revision_name != newest:
        return _begun(here, newest, now) if end.percent > 1 else end
    if here.is_done:
        return replace(here, step_params=Steps())
    if here.step_params.next_step_time and now >= here.step_params.next_step_time:
        return _one_step(here, now)
    return here


def _with_percent(state: Rolling, percent: int) -> Rolling:
    """More goes to the newest; less is taken from the oldest first."""
    shares = [*state.revisions]
    change = percent - state.percent
    if change > 0:
        shares[-1] = replace(shares[-1], percent=shares[-1].percent + change)
    elif change < 0:
        shares = _taken(shares, -change)
    return replace(state, percent=percent, revisions=shares)


def _taken(shares: Sequence[Share], amount: int) -> list[Share]:
    left: list[Share] = []
    for one in shares:
        cut = min(one.percent, amount)
        amount -= cut
        if one.percent > cut or one is shares[-1]:
            left.append(replace(one, percent=one.percent - cut))
    return left


def _begun(state: Rolling, newest: str, now: int) -> Rolling:
    """1 % to the new one, taken from the newest that has any; those without a share are dropped."""
    living = [one for one in state.revisions if one.percent]
    if not living:
        last = Share(revision_name=newest, percent=state.percent)
        return replace(state, revisions=[last], step_params=Steps())
    giver = replace(living[-1], percent=living[-1].percent - 1)
    rest = [*living[:-1], *([giver] if giver.percent else [])]
    shares = [*(one for one in rest if one.revision_name != newest)]
    given = state.percent - sum(one.percent for one in shares)
    return replace(
        state,
        revisions=[*shares, Share(revision_name=newest, percent=given)],
        step_params=Steps(start_time=now),
    )


def _paced(state: Rolling, now: int, duration: int) -> Rolling:
    steps = state.step_params
    if state.is_done or steps.step_duration or not steps.start_time:
        return state
    took = max(1, math.ceil((now - steps.start_time) / NANOSECONDS))
    left = max(1, duration - took)
    count = min(max(1, left // took), state.percent - 1)
    size = max(1, math.floor((state.percent - 1) / count + 0.5))
    length = left * NANOSECONDS // count
    params = replace(steps, step_size=size, step_duration=length, next_step_time=now + length)
    return replace(state, step_params=params)


def _one_step(state: Rolling, now: int) -> Rolling:
    """The newest gets a step's worth, from the one before it and then from older ones."""
    steps = state.step_params
    *older, newest = state.revisions
    amount = min(steps.step_size, state.percent - newest.percent)
    kept = _taken_from_the_end(older, amount)
    shares = [*kept, replace(newest, percent=newest.percent + amount)]
    if len(shares) < 2:
        return replace(state, revisions=shares, step_params=Steps())
    return replace(state, revisions=shares, step_params=replace(steps, next_step_time=now + steps.step_duration))


def _taken_from_the_end(older: Iterable[Share], amount: int) -> list[Share]:
    left: list[Share] = []
    for one in reversed([*older]):
        cut = min(one.percent, amount)
        amount -= cut
        if one.percent > cut:
            left.append(replace(one, percent=one.percent - cut))
    return left[::-1]
