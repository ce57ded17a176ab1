"""Load over time: requests a second at points in time, held until the next point or going there in a straight line."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from inferplane.kernel.errors import InferplaneError


class CurveError(InferplaneError):
    """Text that is no load."""


@dataclass(frozen=True, slots=True)
class Curve:
    """`points`: (seconds, requests a second), at growing times. Before the first point there is no load."""

    points: Sequence[tuple[float, float]]
    is_ramp: bool = False

    @property
    def end(self) -> float:
        return self.points[-1][0]

    @property
    def peak(self) -> float:
        return max(rate for _, rate in self.points)

    def rate(self, seconds: float) -> float:
        at = bisect_right(self.points, seconds, key=lambda point: point[0]) - 1
        if at < 0:
            return 0.0
        since, rate = self.points[at]
        if not self.is_ramp or at + 1 == len(self.points):
            return rate
        until, following = self.points[at + 1]
        return rate + (following - rate) * (seconds - since) / (until - since)


def parse(text: str, where: str, *, is_ramp: bool = False) -> Curve:
    """`0:10,60:200,120:0`, or a CSV file's lines `seconds,rate` (a first line of words is passed over)."""
    lines = [one.strip() for one in text.replace(";", "\n").splitlines()]
    rows = [one for one in lines if one and not one.startswith("#")]
    if len(rows) == 1 and ":" in rows[0]:
        pairs = [one.split(":") for one in rows[0].split(",")]
    else:
        pairs = [one.split(",") for one in rows]
        pairs = pairs[1:] if pairs and not _is_number(pairs[0][0]) else pairs
    points = [_point(pair, n, where) for n, pair in enumerate(pairs, 1)]
    if not points:
        raise CurveError(f"{where}: no load there", fix="expected seconds:requests-a-second, such as 0:10,60:200,120:0")
    for n, (before, after) in enumerate(pairwise(points), 2):
        if after[0] <= before[0]:
            raise CurveError(f"{where}: point {n}: expected a time after {before[0]:g}, got {after[0]:g}")
    return Curve(tuple(points), is_ramp)


def _point(pair: Sequence[str], n: int, where: str) -> tuple[float, float]:
    if len(pair) != 2 or not all(map(_is_number, pair)):
        raise CurveError(f"{where}: point {n}: expected seconds and requests a second, got {':'.join(pair)!r}")
    seconds, rate = float(pair[0]), float(pair[1])
    if seconds < 0 or rate < 0:
        raise CurveError(f"{where}: point {n}: expected numbers of 0 or more, got {':'.join(pair)!r}")
    return seconds, rate


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
