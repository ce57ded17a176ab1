"""Memory of a platform's processes while it runs: samples, and whether they grew (pure, but for `sample`)."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psutil

Sample = Mapping[str, float]
"""Private megabytes by the name of a process."""

GROWN = 1.15
"""Past this ratio of the last third's median to the first third's, a process has grown."""
SPREAD = 8.0
"""Megabytes by which medians of a process may differ without a leak: what is in flight when it is looked at."""


@dataclass(frozen=True, slots=True)
class Trend:
    """Medians of the first and of the last third of a run, in megabytes."""

    first: float
    last: float

    @property
    def flat(self) -> bool:
        return self.last <= max(self.first * GROWN, self.first + SPREAD)

    def __str__(self) -> str:
        return f"{self.first:.0f} → {self.last:.0f} MB"


def sample(processes: Mapping[str, Iterable[psutil.Process]]) -> dict[str, float]:
    """The sum of each name's living processes; names without one are left out."""
    found = {name: [size for one in many if (size := private(one))] for name, many in processes.items()}
    return {name: sum(sizes) for name, sizes in found.items() if sizes}


def private(process: psutil.Process) -> float:
    """Megabytes that would be free if the process ended; 0 when it has ended."""
    try:
        return float(process.memory_full_info().uss) / 1e6
    except psutil.Error:
        return 0.0


def trends(samples: Sequence[Sample]) -> dict[str, Trend]:
    """By the name of a process, of all that were seen in both thirds."""
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    both = sorted({name for one in first for name in one} & {name for one in last for name in one})
    return {name: Trend(_median(first, name), _median(last, name)) for name in both}


def _median(samples: Sequence[Sample], name: str) -> float:
    return statistics.median(one[name] for one in samples if name in one)
