"""Knative's "living condition set": Ready follows from the conditions that it depends on, and nothing else.

What is true now goes in, with the conditions as they were; the list for the status comes out, transition times kept
where nothing changed. Rules: knative.dev/pkg `apis/condition_set.go`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.resources.meta import Condition, ConditionStatus, condition

READY = "Ready"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one condition should say."""

    status: ConditionStatus
    reason: str = ""
    message: str = ""

    @property
    def is_true(self) -> bool:
        return self.status is ConditionStatus.TRUE

    @property
    def is_false(self) -> bool:
        return self.status is ConditionStatus.FALSE


TRUE = Verdict(ConditionStatus.TRUE)
FALSE = Verdict(ConditionStatus.FALSE)
UNKNOWN = Verdict(ConditionStatus.UNKNOWN)


def failed(reason: str, message: str) -> Verdict:
    return Verdict(ConditionStatus.FALSE, reason, message)


def pending(reason: str, message: str = "") -> Verdict:
    return Verdict(ConditionStatus.UNKNOWN, reason, message)


def copied(conditions: Sequence[Condition], type: str = READY) -> Verdict:
    """What another object says; Unknown when it says nothing."""
    one = condition(conditions, type)
    return Verdict(one.status, one.reason, one.message) if one else UNKNOWN


def settled(
    verdicts: Mapping[str, Verdict], before: Sequence[Condition], now: str, dependents: Sequence[str]
) -> list[Condition]:
    """The conditions sorted by type, with Ready made of the `dependents` unless it is given. `now` is RFC 3339."""
    made = {kind: _dated(kind, verdict, before, now, dependents) for kind, verdict in verdicts.items()}
    if READY not in made:
        made[READY] = _dated(READY, _ready([made[kind] for kind in dependents if kind in made]), before, now, ())
    return sorted(made.values(), key=lambda one: one.type)


def _ready(dependents: Sequence[Condition]) -> Verdict:
    """False with the words of the False one that changed last; else Unknown if any is; else True."""
    for status in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN):
        found = [one for one in dependents if one.status is status]
        if found:
            # Of those that changed together the first: it is the cause of the others.
            latest = max(found, key=lambda one: one.last_transition_time or "")
            return Verdict(status, latest.reason, latest.message)
    return TRUE


def _dated(type: str, verdict: Verdict, before: Sequence[Condition], now: str, dependents: Sequence[str]) -> Condition:
    fresh = Condition(
        type=type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        severity="" if type in (READY, *dependents) else "Info",
        last_transition_time=now,
    )
    old = condition(before, type)
    if old is not None and msgspec.structs.replace(fresh, last_transition_time=old.last_transition_time) == old:
        return old
    return fresh
