"""Which revisions are collected."""

from datetime import UTC, datetime, timedelta

import pytest

from inferplane.controlplane.knative.configurations.garbage import stale
from inferplane.kernel.clock import timestamp
from inferplane.resources.knative import Configuration, ConfigurationStatus, Revision, words
from inferplane.resources.knative.config import Garbage
from inferplane.resources.meta import ObjectMeta

NOW = datetime(2026, 1, 10, tzinfo=UTC)
HOUR = 3600.0
LATEST = Configuration(status=ConfigurationStatus(latest_ready_revision_name="latest"))


def revision(
    name: str, created: float, active: float | None = None, state: str = words.RESERVE, **marks: str
) -> Revision:
    """`created` and `active` in hours ago."""
    annotations = {f"{words.GROUP}/{key.replace('_', '-')}": value for key, value in marks.items()}
    if active is not None:
        annotations[words.ROUTING_STATE_MODIFIED] = timestamp(NOW - timedelta(hours=active))
    meta = ObjectMeta(
        name=name,
        creation_timestamp=timestamp(NOW - timedelta(hours=created)),
        labels={words.ROUTING_STATE: state},
        annotations=annotations,
    )
    return Revision(metadata=meta)


OLD = [revision(f"r{number}", created=100 - number, active=50 - number) for number in range(5)]


def test_stale_ones_go_down_to_the_number_that_is_kept() -> None:
    assert stale(LATEST, OLD, Garbage(min_non_active_revisions=2), NOW) == ["r0", "r1", "r2"]
    assert stale(LATEST, OLD, Garbage(), NOW) == []


def test_the_young_and_the_recently_routed_are_not_stale() -> None:
    found = [revision("young", 47, 47), revision("routed", 100, 14), revision("stale", 100, 16)]
    assert stale(LATEST, found, Garbage(min_non_active_revisions=0), NOW) == ["stale"]


def test_a_limit_that_is_switched_off_does_not_count() -> None:
    found = [revision("routed", 100, 14), revision("young", 20, 16)]
    by_age = Garbage(min_non_active_revisions=0, retain_since_last_active_time=None)
    by_routing = Garbage(min_non_active_revisions=0, retain_since_create_time=None)
    neither = Garbage(min_non_active_revisions=0, retain_since_create_time=None, retain_since_last_active_time=None)
    assert stale(LATEST, found, by_age, NOW) == ["routed"]
    assert stale(LATEST, found, by_routing, NOW) == ["young"]
    assert stale(LATEST, found, neither, NOW) == []


def test_above_the_most_the_longest_unrouted_go_whatever_their_age() -> None:
    found = [revision(f"r{number}", created=5, active=5 - number) for number in range(5)]
    assert stale(LATEST, found, Garbage(min_non_active_revisions=1, max_non_active_revisions=3), NOW) == ["r0", "r1"]
    off = Garbage(retain_since_create_time=None, retain_since_last_active_time=None, max_non_active_revisions=None)
    assert stale(LATEST, OLD, off, NOW) == []


@pytest.mark.parametrize(
    "kept",
    [
        revision("latest", 100, 100),
        revision("r", 100, 100, state=words.ACTIVE),
        revision("r", 100, 100, state=words.PENDING),
        revision("r", 100, 100, no_gc="true"),
    ],
)
def test_some_are_never_collected(kept: Revision) -> None:
    assert stale(LATEST, [kept], Garbage(min_non_active_revisions=0, max_non_active_revisions=0), NOW) == []
