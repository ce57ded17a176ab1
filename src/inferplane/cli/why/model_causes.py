"""What is said about the TrainedModels of a service: those that its server does not get, and those that it cannot have.

Pure. The first is what their conditions say, the second what a server's index of its repository says.
"""

from collections.abc import Iterator

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Facts
from inferplane.cli.why.reasons import meaning
from inferplane.resources.meta import ConditionStatus, condition

MOST = 5
"""Models that are told one by one."""

_SERVED = "READY"
_COMING = "LOADING"


def model_causes(facts: Facts) -> tuple[Cause, ...]:
    found = [*_unlisted(facts), *_failed(facts)]
    if len(found) <= MOST:
        return tuple(found)
    words = f"{len(found) - MOST} more are not served as they should be"
    return (*found[:MOST], Cause(Kind.MODEL_NOT_SERVED, "models", words))


def model_notes(facts: Facts) -> tuple[str, ...]:
    """About models that are fine."""
    if not facts.models:
        return ()
    listed, asleep = len(facts.models), sum("not in memory" in reason for _, reason in facts.index.values())
    coming = sum(state == _COMING for state, _ in facts.index.values())
    more = [f"{asleep} of them not in memory until they are asked"] if asleep else []
    more += [f"{coming} on their way"] if coming else []
    return (f"it serves {listed} model{'' if listed == 1 else 's'}{''.join(f', {one}' for one in more)}",)


def _unlisted(facts: Facts) -> Iterator[Cause]:
    for model in facts.models:
        ready = condition(model.status.conditions, "Ready")
        if ready is not None and ready.status is ConditionStatus.FALSE:
            known = meaning(ready.reason)
            words = f"its server does not get it ({ready.reason})"
            details = (ready.message,) if ready.message else ()
            yield Cause(Kind.MODEL_NOT_SERVED, model.metadata.name, words, details, known.fix if known else "")


def _failed(facts: Facts) -> Iterator[Cause]:
    """A reason beside READY is of a newer version that could not be had, or of one that is not in memory."""
    for name, (state, reason) in facts.index.items():
        if state == _SERVED and reason.startswith("the version of before"):
            yield Cause(Kind.MODEL_NOT_SERVED, name, "its newest version cannot be had", (reason,))
        elif state not in (_SERVED, _COMING):
            yield Cause(Kind.MODEL_NOT_SERVED, name, "its server cannot have it", (reason,) if reason else ())
