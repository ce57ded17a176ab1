"""Knative's "living condition set", as KServe uses it: Ready follows PredictorReady and IngressReady, nothing else.

What is true now goes in, with the conditions as they were; the list for the status comes out, transition times kept
where nothing changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.serving import names
from inferplane.resources.meta import Condition, ConditionStatus, condition

READY = "Ready"
PREDICTOR_READY = "PredictorReady"
TRANSFORMER_READY = "TransformerReady"
EXPLAINER_READY = "ExplainerReady"
CANARY_PREDICTOR_READY = "CanaryPredictorReady"
INGRESS_READY = "IngressReady"
STOPPED = "Stopped"

READY_OF = {
    names.PREDICTOR: PREDICTOR_READY,
    names.TRANSFORMER: TRANSFORMER_READY,
    names.EXPLAINER: EXPLAINER_READY,
}

_DEPENDENTS = (PREDICTOR_READY, INGRESS_READY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one condition should say."""

    status: ConditionStatus
    reason: str = ""
    message: str = ""

    @property
    def is_true(self) -> bool:
        return self.status is ConditionStatus.TRUE


TRUE = Verdict(ConditionStatus.TRUE)
FALSE = Verdict(ConditionStatus.FALSE)
UNKNOWN = Verdict(ConditionStatus.UNKNOWN)


def failed(reason: str, message: str) -> Verdict:
    return Verdict(ConditionStatus.FALSE, reason, message)


def settled(verdicts: Mapping[str, Verdict], before: Sequence[Condition], now: str) -> list[Condition]:
    """The conditions sorted by type, `Ready` added. `now` is RFC 3339."""
    made = {kind: _dated(kind, verdict, before, now) for kind, verdict in verdicts.items()}
    ready = _dated(READY, _ready([made[kind] for kind in _DEPENDENTS if kind in made]), before, now)
    return sorted([*made.values(), ready], key=lambda one: one.type)


def _ready(dependents: Iterable[Condition]) -> Verdict:
    """False with the words of the False one that changed last; else Unknown if any is; else True."""
    for status in (ConditionStatus.FALSE, ConditionStatus.UNKNOWN):
        found = [one for one in dependents if one.status is status]
        if found:
            # The first of those that changed together: without a pod there is no route to speak of.
            latest = max(found, key=lambda one: one.last_transition_time or "")
            return Verdict(status, latest.reason, latest.message)
    return TRUE


def _dated(type: str, verdict: Verdict, before: Sequence[Condition], now: str) -> Condition:
    fresh = Condition(
        type=type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        severity="" if type in (READY, *_DEPENDENTS) else "Info",
        last_transition_time=now,
    )
    old = condition(before, type)
    if old is not None and msgspec.structs.replace(fresh, last_transition_time=old.last_transition_time) == old:
        return old
    return fresh
