"""Load of revisions as Envoy counted it: its statistics page, read about once a second → one Stat a revision.

Envoy's own gauge of requests in flight is only good for those that outlive the pause between two readings: 60 looks at
requests of 1 ms with one in flight on average are wrong by 13 %. So the listeners' access log (the gateway's
`translate` sets it up from the names below) adds how long each request took to a counter of its cluster when it ends.
Requests that are older than `OLD` are added while they run: for each, the gauge `started` holds the moment it began.
With `busy` the seconds of all that have ended and `age` the seconds so far of those that are old, the time that
requests spent in flight between two readings is exactly the growth of `busy + age`, but for what is younger than `OLD`:
that part comes up to `OLD` late, and none of it is lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from inferplane.signals.stats import Stat

PREFIX = "load"
TAG = "to"
MICROS = "micros"
"""A counter: microseconds that requests took which ended before `SHORT`."""
MILLIS = "millis"
"""A counter: milliseconds that requests took which ended later, or were broken off."""
STARTED = "started"
"""A gauge: the sum, over the requests that are in flight and older than `OLD`, of when each began (`TICKS` since 1970).

How many they are is in it too: each adds about as much as there is time since 1970."""
TICKS = 100_000
"""A second; the sum of a hundred thousand such times fits 64 bits."""
SHORT = 0.1
OLD = 1.0

_ARRIVED = "upstream_rq_total"
FILTER = rf"^({PREFIX}\.|cluster\..*\.{_ARRIVED}$)"
"""What of the statistics is needed, as a regular expression."""

_CLUSTER = b"cluster."
_SERIES = {f"{PREFIX}.{series}.{TAG}.".encode(): series for series in (MICROS, MILLIS, STARTED)}
_ARRIVED_END = f".{_ARRIVED}".encode()

# Readings whose two clocks disagree by more than this enclose a change of the time of day.
_LEAP = 0.5


@dataclass(frozen=True, slots=True)
class Moment:
    """When a page was read, in seconds: the time of day (since 1970), and a clock that nobody sets."""

    day: float
    steady: float


@dataclass(frozen=True, slots=True)
class _Totals:
    """Of one cluster, since Envoy's start."""

    micros: int = 0
    millis: int = 0
    started: int = 0
    arrived: int = 0
    age: float = 0.0
    """Of the old ones together, when it was last looked at."""

    @property
    def busy(self) -> float:
        return self.micros * 1e-6 + self.millis * 1e-3


class Meter:
    """What changed from page to page. A page of which nothing changes costs comparing its lines and no more."""

    def __init__(self) -> None:
        self._lines: frozenset[bytes] = frozenset()
        self._totals: dict[str, _Totals] = {}
        self._holding: set[str] = set()
        self._last: Moment | None = None

    def read(self, page: bytes, now: Moment) -> list[Stat]:
        """`page` is the answer to `/stats?filter=…` in Envoy's plain format.

        Returns the revisions with load since the last page. The first page, and one after the time of day was set, is
        only what the next one is compared with.
        """
        last, self._last = self._last, now
        changed = self._take(page)
        before = {cluster: self._totals.get(cluster, _Totals()) for cluster in changed.keys() | self._holding}
        for cluster, old in before.items():
            self._put(cluster, changed.get(cluster, old), now)
        if last is None or abs((now.day - last.day) - (now.steady - last.steady)) > _LEAP:
            return []
        seconds = now.steady - last.steady
        stats = (_stat(cluster, old, self._totals.get(cluster, _Totals()), seconds) for cluster, old in before.items())
        return [one for one in stats if one.concurrency or one.requests]

    def _take(self, page: bytes) -> dict[str, _Totals]:
        """The clusters of which a line is new, as they are now."""
        lines = frozenset(page.splitlines())
        found: dict[str, dict[str, int]] = {}
        # A line that is gone says nothing: its new form is there, or its cluster left with all that it counted.
        for line in lines - self._lines:
            name, _, value = line.rpartition(b": ")
            cluster, series = _name(name)
            if cluster and value.isdigit():
                found.setdefault(cluster, {})[series] = int(value)
        self._forget(self._lines - lines, found)
        self._lines = lines
        return {one: replace(self._totals.get(one, _Totals()), **series) for one, series in found.items()}

    def _forget(self, gone: Iterable[bytes], found: dict[str, dict[str, int]]) -> None:
        for line in gone:
            cluster, series = _name(line.rpartition(b": ")[0])
            if cluster and series not in found.get(cluster, {}):
                # Of a cluster that was taken out, or of an Envoy before this one.
                self._totals.pop(cluster, None)
                self._holding.discard(cluster)

    def _put(self, cluster: str, totals: _Totals, now: Moment) -> None:
        age = _age(totals.started, now.day)
        self._totals[cluster] = replace(totals, age=age)
        if totals.started:
            self._holding.add(cluster)
        else:
            self._holding.discard(cluster)


def _name(name: bytes) -> tuple[str, str]:
    """(cluster, what is counted); two empty strings for anything else."""
    for prefix, series in _SERIES.items():
        if name.startswith(prefix):
            return name[len(prefix) :].decode(), series
    if name.startswith(_CLUSTER) and name.endswith(_ARRIVED_END):
        # Envoy writes a colon in a cluster's name as an underscore here, and only here.
        service, _, port = name[len(_CLUSTER) : -len(_ARRIVED_END)].rpartition(b"_")
        return f"{service.decode()}:{port.decode()}", "arrived"
    return "", ""


def _age(started: int, day: float) -> float:
    """Seconds that the requests behind `started` have been running, together."""
    now = round(day * TICKS)
    count = (started + now // 2) // now
    return (count * now - started) / TICKS


def _stat(cluster: str, old: _Totals, new: _Totals, seconds: float) -> Stat:
    spent = _growth(old.busy, new.busy) + new.age - old.age
    namespace, _, revision = cluster.rpartition(":")[0].partition("/")
    return Stat(namespace, revision, max(spent, 0.0) / seconds, _growth(old.arrived, new.arrived) / seconds)


def _growth(old: float, new: float) -> float:
    """A counter that went down began anew."""
    return new - old if new >= old else new
