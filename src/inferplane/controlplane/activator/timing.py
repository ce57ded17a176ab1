"""Where the time went for a request that woke a service: `Server-Timing` (W3C) of its answer. Pure.

Points in time are milliseconds since 1970: the request's arrival and release are the activator's own, those between are
the pod's (`resources.start_times`). What happened before the request came took none of its time.
"""

from collections.abc import Mapping
from itertools import pairwise

from inferplane.resources.start_times import StartTimes

PHASES = ("queue", "schedule", "fork", "load", "ready")
"""`queue` is the whole time in the activator, and the others are its parts: until the node saw the pod, until its
process was there, until it could answer, until the activator knew it and sent the request on."""


def phases(arrived: float, released: float, pod: StartTimes) -> Mapping[str, float]:
    """Milliseconds by phase; one whose ends are not known is left out."""
    found = {"queue": released - arrived}
    ends: list[float | None] = [arrived, pod.scheduled, pod.forked, pod.loaded, released]
    last = arrived
    for index, one in enumerate(ends):
        if one is not None:
            ends[index] = last = min(max(one, last), released)
    for name, (start, end) in zip(PHASES[1:], pairwise(ends), strict=True):
        if start is not None and end is not None:
            found[name] = end - start
    return found


def server_timing(phases: Mapping[str, float]) -> bytes:
    """The header's value."""
    return ", ".join(f"{name};dur={took:.1f}" for name, took in phases.items()).encode()
