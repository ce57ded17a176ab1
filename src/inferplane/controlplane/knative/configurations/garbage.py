"""Which old revisions of a Configuration go. Pure. Rules: knative/serving `pkg/reconciler/gc/gc.go`.

Only revisions that no route leads to (routing state `reserve`), least recently routed first: those past the time
limits down to the number that is always kept, then whatever is above the number that may be kept.
"""

from collections.abc import Sequence
from datetime import datetime

from inferplane.kernel.clock import parse_timestamp
from inferplane.resources.knative import Configuration, Revision, words
from inferplane.resources.knative.config import Garbage


def stale(configuration: Configuration, owned: Sequence[Revision], settings: Garbage, now: datetime) -> list[str]:
    """Names of the revisions to delete."""
    if not _is_on(settings):
        return []
    idle = sorted((one for one in owned if _may_go(one, configuration)), key=_last_active)
    most_in_time = max(0, len(idle) - settings.min_non_active_revisions)
    gone = [one for one in idle if _is_stale(one, settings, now)][:most_in_time]
    left = [one for one in idle if one not in gone]
    if settings.max_non_active_revisions is not None:
        gone += left[: max(0, len(left) - settings.max_non_active_revisions)]
    return [one.metadata.name for one in gone]


def _is_on(settings: Garbage) -> bool:
    limits = (
        settings.max_non_active_revisions, settings.retain_since_create_time, settings.retain_since_last_active_time
    )  # fmt: skip
    return any(one is not None for one in limits)


def _may_go(one: Revision, configuration: Configuration) -> bool:
    return (
        one.routing_state == words.RESERVE
        and one.metadata.name != configuration.status.latest_ready_revision_name
        and one.metadata.annotations.get(words.NO_GC) != "true"
        and not one.metadata.deleting
    )


def _is_stale(one: Revision, settings: Garbage, now: datetime) -> bool:
    limits = (
        (settings.retain_since_create_time, _created(one)),
        (settings.retain_since_last_active_time, _last_active(one)),
    )
    passed = [(now - since).total_seconds() > limit for limit, since in limits if limit is not None]
    return bool(passed) and all(passed)


def _created(one: Revision) -> datetime:
    return parse_timestamp(one.metadata.creation_timestamp or "1970-01-01T00:00:00Z")


def _last_active(one: Revision) -> datetime:
    try:
        return parse_timestamp(one.metadata.annotations[words.ROUTING_STATE_MODIFIED])
    except (KeyError, ValueError):
        return _created(one)
