"""Times and counts in words, for explanations and progress."""

from datetime import datetime

from inferplane.kernel.clock import parse_timestamp


def plural(count: int, noun: str) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """`0.9 ms`, `4.1 s`, `12 min`, `3 h`, `5 d`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for size, unit, limit in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < limit * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def ago(moment: str | None, now: datetime) -> str:
    """How long before `now` an RFC 3339 `moment` was (whole seconds, as Kubernetes records them); "" for none."""
    if not moment:
        return ""
    seconds = max(0.0, (now - parse_timestamp(moment)).total_seconds())
    return f"{seconds:.0f} s" if seconds < 10 else duration(seconds)
