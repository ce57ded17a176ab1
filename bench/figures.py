"""Numbers of rounds, and their medians."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """What a load generator saw: requests per second, latencies in milliseconds, the number of requests."""

    rate: float
    p50: float
    p99: float
    requests: int


@dataclass(frozen=True)
class Sample:
    """A round, and the CPU seconds that the server used meanwhile."""

    round: Round
    cpu_seconds: float

    @property
    def cpu_per_thousand(self) -> float:
        return self.cpu_seconds / self.round.requests * 1000


@dataclass(frozen=True)
class Figures:
    """`rates` by round, else medians over rounds. `cpu` is in CPU seconds per 1,000 requests; latencies in
    milliseconds."""

    rates: tuple[float, ...]
    p50: float
    p99: float
    cpu: float

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    def over(self, other: "Figures") -> float:
        """How many times as fast as the other: the median of the ratios of each round, in which both had the same
        neighbours on the machine."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))


@dataclass(frozen=True)
class Start:
    """One start of a server alone: seconds to the first right answer, MiB of private memory after it."""

    seconds: float
    memory: float


def medians(samples: Sequence[Sample]) -> Figures:
    return Figures(
        rates=tuple(sample.round.rate for sample in samples),
        p50=statistics.median(sample.round.p50 for sample in samples),
        p99=statistics.median(sample.round.p99 for sample in samples),
        cpu=statistics.median(sample.cpu_per_thousand for sample in samples),
    )


def median_start(starts: Sequence[Start]) -> Start:
    return Start(
        statistics.median(start.seconds for start in starts), statistics.median(start.memory for start in starts)
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Of values in ascending order: the smallest that at least `percent` of them do not exceed."""
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]
