"""Verdicts and Envoy's acknowledgements → what stands in the statuses of GatewayClass, Gateway and HTTPRoute. Pure.

`Programmed` on a route's parent is our addition, after the Gateway's condition of that name: requests sent now are
answered by a replica. Times of transition are kept while a condition's status stays, so writing twice writes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inferplane.controlplane.gateway.attachment import ListenerVerdict, ParentVerdict
from inferplane.controlplane.gateway.plan import RouteVerdict
from inferplane.controlplane.gateway.rules import Problem
from inferplane.resources.gateway import (
    CONTROLLER_NAME,
    GatewayAddress,
    GatewayStatus,
    ListenerStatus,
    RouteGroupKind,
    RouteParentStatus,
)
from inferplane.resources.meta import Condition, ConditionStatus, condition


class State(StrEnum):
    """How far Envoy is with a route or a listener; values are reasons of the condition Programmed."""

    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    NO_READY_ENDPOINTS = "NoReadyEndpoints"
    INVALID = "Invalid"


@dataclass(frozen=True, slots=True)
class Progress:
    state: State
    message: str = ""


# How a condition is written: type, whether it holds, reason, message.
_Say = Callable[[str, bool, str, str], Condition]


def _saying(before: Iterable[Condition], generation: int, now: str) -> _Say:
    known = list(before)

    def say(type: str, holds: bool, reason: str, message: str) -> Condition:
        status = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
        old = condition(known, type)
        since = old.last_transition_time if old and old.status == status and old.last_transition_time else now
        return Condition(
            type=type,
            status=status,
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=since,
        )

    return say


# --- HTTPRoute --------------------------------------------------------------------------------------------------------


def route_parents(
    verdict: RouteVerdict | None,
    progress: Sequence[Progress],
    before: Sequence[RouteParentStatus],
    generation: int,
    now: str,
) -> list[RouteParentStatus]:
    """`progress` has one entry for each parent of the verdict. What other controllers wrote stays as it is."""
    others = [one for one in before if one.controller_name != CONTROLLER_NAME]
    ours = [one for one in before if one.controller_name == CONTROLLER_NAME]
    made: list[RouteParentStatus] = []
    for parent, reached in zip(verdict.parents if verdict else (), progress, strict=True):
        old = next((one for one in ours if one.parent_ref == parent.ref), None)
        say = _saying(old.conditions if old else (), generation, now)
        conditions = [
            _condition(say, "Accepted", parent.problem, "Envoy serves this route"),
            _condition(say, "ResolvedRefs", verdict.unresolved if verdict else None, "every backend is known"),
            _programmed(say, parent, reached),
        ]
        made.append(RouteParentStatus(parent_ref=parent.ref, controller_name=CONTROLLER_NAME, conditions=conditions))
    return others + made


def _condition(say: _Say, type: str, problem: Problem | None, met: str) -> Condition:
    return say(type, False, problem.reason, problem.message) if problem else say(type, True, type, met)


def _programmed(say: _Say, parent: ParentVerdict, reached: Progress) -> Condition:
    if parent.problem:
        return say("Programmed", False, State.INVALID, parent.problem.message)
    return say("Programmed", reached.state is State.PROGRAMMED, reached.state, reached.message)


# --- Gateway and GatewayClass -----------------------------------------------------------------------------------------


def gateway_status(
    listeners: Sequence[ListenerVerdict],
    progress: Sequence[Progress],
    addresses: Sequence[str],
    before: GatewayStatus,
    generation: int,
    now: str,
) -> GatewayStatus:
    """`progress` has one entry for each listener."""
    old = {one.name: one.conditions for one in before.listeners}
    made = [
        _listener_status(listener, reached, _saying(old.get(listener.name, ()), generation, now))
        for listener, reached in zip(listeners, progress, strict=True)
    ]
    say = _saying(before.conditions, generation, now)
    refused = [one.problem[1] for one in listeners if one.problem]
    late = [one for one, listener in zip(progress, listeners, strict=True) if not listener.problem]
    worst = next((one for one in late if one.state is not State.PROGRAMMED), Progress(State.PROGRAMMED))
    accepted = (
        say("Accepted", True, "ListenersNotValid" if refused else "Accepted", "; ".join(refused))
        if len(refused) < len(listeners)
        else say("Accepted", False, "ListenersNotValid", "; ".join(refused) or "the Gateway has no listeners")
    )
    programmed = say(
        "Programmed",
        worst.state is State.PROGRAMMED and bool(late),
        worst.state if late else State.INVALID,
        worst.message,
    )
    shown = [GatewayAddress(value=one) for one in addresses]
    return GatewayStatus(addresses=shown, listeners=made, conditions=[accepted, programmed])


def _listener_status(listener: ListenerVerdict, reached: Progress, say: _Say) -> ListenerStatus:
    reason, message = listener.problem or ("Accepted", "")
    works = listener.problem is None
    return ListenerStatus(
        name=listener.name,
        attached_routes=listener.attached,
        supported_kinds=[RouteGroupKind(kind="HTTPRoute")] if works else [],
        conditions=[
            say("Accepted", works, reason, message),
            say("ResolvedRefs", True, "ResolvedRefs", ""),
            say("Programmed", works and reached.state is State.PROGRAMMED, reached.state, message or reached.message),
        ],
    )


def class_conditions(before: Sequence[Condition], generation: int, now: str) -> list[Condition]:
    return [_saying(before, generation, now)("Accepted", True, "Accepted", "Inferplane serves this class with Envoy")]
