"""How long ago, in the short form of `kubectl get`."""

from datetime import datetime

from inferplane.kernel.clock import parse_timestamp
from inferplane.kernel.json import Json

# (below this many seconds, coarse unit in seconds and its letter, fine unit or none), from the finest to the coarsest.
# The steps are those of k8s.io/apimachinery/pkg/util/duration.HumanDuration.
MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY
STEPS = (
    (2 * MINUTE, 1, "s", None),
    (10 * MINUTE, MINUTE, "m", (1, "s")),
    (3 * HOUR, MINUTE, "m", None),
    (8 * HOUR, HOUR, "h", (MINUTE, "m")),
    (2 * DAY, HOUR, "h", None),
    (8 * DAY, DAY, "d", (HOUR, "h")),
    (2 * YEAR, DAY, "d", None),
    (8 * YEAR, YEAR, "y", (DAY, "d")),
)


def duration(seconds: float) -> str:
    """`90` → `90s`, `150` → `2m30s`, `100000` → `27h`."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    for below, unit, letter, fine in STEPS:
        if whole < below:
            coarse, rest = divmod(whole, unit)
            smaller = rest // fine[0] if fine else 0
            return f"{coarse}{letter}{smaller}{fine[1]}" if fine and smaller else f"{coarse}{letter}"
    return f"{whole // YEAR}y"


def age(moment: Json, now: datetime) -> str:
    """The age of an RFC 3339 time; `<unknown>` when there is none."""
    if not isinstance(moment, str) or not moment:
        return "<unknown>"
    try:
        return duration((now - parse_timestamp(moment)).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"
