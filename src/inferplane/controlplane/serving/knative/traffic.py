"""Which revision gets which share: the targets that the Service asks for, and what its status says was rolled out.

`latestRolledoutRevision` (R0) is the last revision that had all of the traffic. `canaryTrafficPercent` sends a share to
the latest revision and the rest to R0; without it the latest one has all, which promotes it.
"""

from collections.abc import Sequence

import msgspec

from inferplane.kernel.json import JsonObject
from inferplane.resources.knative import KnativeServiceStatus, TrafficTarget
from inferplane.resources.serving.inferenceservice import ComponentStatus

_ALL = 100


def targets(percent: int | None, rolled_out: str, *, tag_latest: bool) -> list[JsonObject]:
    """`percent` is `canaryTrafficPercent`; `rolled_out` is R0, empty before there is one.

    0 keeps everything on R0 while the new revision is deployed: the way to roll back, or to pin.
    """
    share = percent if percent is not None and rolled_out else _ALL
    latest: JsonObject = {"latestRevision": True, "percent": share}
    if tag_latest:
        latest["tag"] = "latest"
    if share >= _ALL:
        return [latest]
    rest: JsonObject = {"revisionName": rolled_out, "latestRevision": False, "percent": _ALL - share, "tag": "prev"}
    return [latest, rest]


def rolled_out(before: ComponentStatus, seen: KnativeServiceStatus) -> ComponentStatus:
    """`before` with the revisions and the traffic as the Knative Service has them now."""
    previous, last = _last_two(before, seen)
    return msgspec.structs.replace(
        before,
        latest_created_revision=seen.latest_created_revision_name,
        latest_ready_revision=seen.latest_ready_revision_name,
        previous_rolledout_revision=previous,
        latest_rolledout_revision=last,
        traffic=list(seen.traffic),
    )


def _last_two(before: ComponentStatus, seen: KnativeServiceStatus) -> tuple[str, str]:
    """The revision rolled out before, and the one rolled out last."""
    previous, last = before.previous_rolledout_revision, before.latest_rolledout_revision
    ready = seen.latest_ready_revision_name
    latest = next((one for one in seen.traffic if one.latest_revision), None)
    if latest is None:
        return previous, last
    if latest.revision_name == ready and latest.percent == _ALL and ready != last:
        return last, ready
    if ready == last == seen.latest_created_revision_name and _is_rolled_back(ready, latest, seen.traffic) and previous:
        return previous, previous
    return previous, last


def _is_rolled_back(revision: str, latest: TrafficTarget, traffic: Sequence[TrafficTarget]) -> bool:
    """A canary of a revision that is rolled out already: the spec went back to it."""
    total = sum(one.percent or 0 for one in traffic if one.revision_name == revision)
    return (latest.percent or 0) < _ALL and total == _ALL


def shares(traffic: Sequence[TrafficTarget]) -> dict[str, int]:
    """Revision → percent of the requests, those with none left out."""
    found: dict[str, int] = {}
    for one in traffic:
        if one.percent:
            found[one.revision_name] = found.get(one.revision_name, 0) + one.percent
    return found
