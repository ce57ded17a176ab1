"""What was measured, and what it comes to. Pure."""

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


class Tally:
    """Latencies in seconds of the requests that were answered, statuses, and what went wrong without an answer."""

    __slots__ = ("failures", "latencies", "received", "statuses")

    def __init__(self) -> None:
        self.latencies = array("d")
        self.statuses: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.received = 0

    def answered(self, status: str, seconds: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(seconds)

    def failed(self, reason: str) -> None:
        self.failures[reason] += 1

    def clear(self) -> None:
        self.latencies = array("d")
        self.statuses.clear()
        self.failures.clear()
        self.received = 0


@dataclass(frozen=True, slots=True)
class Load:
    """One run, as a generator saw it. `cpu` is the generator's share of one core, 0 to 1."""

    tally: Tally
    seconds: float
    cpu: float
    late: int = 0
    """Requests of an open loop that were due before a connection was free."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Times in seconds, of answers of any status; `good` counts those of success."""

    requests: int
    good: int
    seconds: float
    rate: float
    mean: float
    slowest: float
    percentiles: dict[float, float]
    statuses: dict[str, int]
    failures: dict[str, int]
    buckets: list[tuple[float, int]]
    cpu: float
    late: int
    warnings: list[str] = field(default_factory=list)


def summary(load: Load, *, rate: float | None = None) -> Summary:
    """`rate` is what an open loop was asked for, in requests a second."""
    ordered = sorted(load.tally.latencies)
    good = sum(count for status, count in load.tally.statuses.items() if succeeded(status))
    return Summary(
        requests=len(ordered),
        good=good,
        seconds=load.seconds,
        rate=len(ordered) / load.seconds if load.seconds else 0.0,
        mean=math.fsum(ordered) / len(ordered) if ordered else 0.0,
        slowest=ordered[-1] if ordered else 0.0,
        percentiles={percent: percentile(ordered, percent) for percent in PERCENTILES},
        statuses=dict(sorted(load.tally.statuses.items())),
        failures=dict(load.tally.failures),
        buckets=buckets(ordered),
        cpu=load.cpu,
        late=load.late,
        warnings=_warnings(load, len(ordered), rate),
    )


def succeeded(status: str) -> bool:
    return status == "OK" or status.startswith("2")


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` % of the values do not exceed (nearest rank)."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def buckets(ordered: Sequence[float]) -> list[tuple[float, int]]:
    """(upper bound, how many are at or below it and above the one before). Bounds: 1, 1.5, 2, 3, 5, 7 times tens."""
    if not ordered:
        return []
    found: list[tuple[float, int]] = []
    at = 0
    for bound in _bounds(ordered[0], ordered[-1]):
        start = at
        while at < len(ordered) and ordered[at] <= bound:
            at += 1
        found.append((bound, at - start))
    return found


def _bounds(low: float, high: float) -> list[float]:
    bounds: list[float] = []
    power = math.floor(math.log10(max(low, 1e-6)))
    while not bounds or bounds[-1] < high:
        bounds += [factor * 10.0**power for factor in (1, 1.5, 2, 3, 5, 7)]
        power += 1
    first = max(0, next(index for index, bound in enumerate(bounds) if bound >= low))
    last = next(index for index, bound in enumerate(bounds) if bound >= high)
    return bounds[first : last + 1]


BUSY = 0.9


def _warnings(load: Load, answered: int, rate: float | None) -> list[str]:
    found = []
    if load.cpu >= BUSY:
        found.append(
            f"the load generator was busy {load.cpu:.0%} of the time: it may be what limits the rate, not the server"
        )
    if rate is not None and answered < 0.98 * rate * load.seconds:
        found.append(
            f"{answered / load.seconds:,.0f} of {rate:,.0f} requests a second were answered: "
            "the rate is more than the server, or --concurrency, allows"
        )
    return found
