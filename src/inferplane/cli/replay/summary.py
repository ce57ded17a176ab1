"""What a replay comes to: answers counted, outputs and classes compared, times side by side. Pure.

`Ledger` takes one exchange after the other and keeps sums, and the worst few in full, whatever the file's size.
"""

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.cli.bench.tally import PERCENTILES, buckets, percentile
from inferplane.cli.replay.compare import Change, Difference, Verdict
from inferplane.cli.replay.records import Answer, Exchange

WORST = 10
SNIPPET = 240


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds; `buckets` are (upper bound, how many)."""

    count: int
    mean: float
    slowest: float
    percentiles: Mapping[float, float]
    buckets: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """One output over all answers. `problems`: what is wrong with its form → in how many answers."""

    name: str
    answers: int
    values: int
    beyond: int
    absolute: float
    relative: float
    rows: int
    changed_rows: int
    problems: Mapping[str, int]
    spread: Mapping[int, int]
    classes: Sequence[tuple[tuple[str, str], int]]


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange whose answer differs, bodies cut to `SNIPPET` characters."""

    line: int
    id: str
    path: str
    words: str
    request: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Summary:
    """`verdicts` has every verdict; `statuses`: (recorded, replayed) → how many; `failures`: reason → how many."""

    exchanges: int
    verdicts: Mapping[Verdict, int]
    outputs: Sequence[OutputSummary]
    statuses: Mapping[tuple[str, str], int]
    failures: Mapping[str, int]
    unread: Mapping[str, int]
    examples: Sequence[Example]
    recorded: Times | None
    replayed: Times | None
    seconds: float = 0.0
    late: int = 0

    @property
    def different(self) -> int:
        """Requests whose answer is another now, those without any answer included."""
        return self.verdicts[Verdict.DIFFERENT] + self.verdicts[Verdict.UNANSWERED]

    @property
    def compared(self) -> int:
        return self.exchanges - self.verdicts[Verdict.NOT_COMPARED]

    @property
    def share(self) -> float:
        """Of those compared, from 0 to 1."""
        return self.different / self.compared if self.compared else 0.0

    @property
    def rate(self) -> float:
        return self.exchanges / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class _Output:
    answers: int = 0
    values: int = 0
    beyond: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    rows: int = 0
    changed_rows: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    spread: Counter[int] = field(default_factory=Counter)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, one: Change) -> None:
        self.answers += 1
        self.values += one.values
        self.beyond += one.beyond
        self.absolute = max(self.absolute, one.absolute)
        self.relative = max(self.relative, one.relative)
        self.rows += one.rows
        self.changed_rows += one.changed_rows
        if one.problem:
            self.problems[one.problem] += 1
        self.spread.update(one.spread)
        self.classes.update(one.classes)


class Ledger:
    def __init__(self) -> None:
        self._verdicts: Counter[Verdict] = Counter(dict.fromkeys(Verdict, 0))
        self._outputs: dict[str, _Output] = {}
        self._statuses: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()
        self._recorded, self._replayed = array("d"), array("d")
        self._worst: list[tuple[tuple[bool, int, float], int, Example]] = []

    def answered(self, exchange: Exchange, answer: Answer, found: Difference) -> None:
        self._count(exchange, answer, found.verdict)
        if found.verdict is Verdict.NOT_COMPARED and found.words:
            self._unread[found.words] += 1
        for change in found.changes:
            self._outputs.setdefault(change.output, _Output()).add(change)
        if found.verdict is Verdict.DIFFERENT:
            self._remember(exchange, _severity(found), found.words, _snippet(answer.body))

    def failed(self, exchange: Exchange, reason: str) -> None:
        """Nobody answered."""
        self._verdicts[Verdict.UNANSWERED] += 1
        self._failures[reason] += 1
        self._remember(exchange, (True, 0, math.inf), f"no answer: {reason}", "")

    def _count(self, exchange: Exchange, answer: Answer, verdict: Verdict) -> None:
        self._verdicts[verdict] += 1
        before = exchange.answer
        self._statuses[str(before.status) if before else "-", str(answer.status)] += 1
        if before and before.seconds is not None:
            self._recorded.append(before.seconds)
        if answer.seconds is not None:
            self._replayed.append(answer.seconds)

    def _remember(self, exchange: Exchange, severity: tuple[bool, int, float], words: str, replayed: str) -> None:
        recorded = _snippet(exchange.answer.body) if exchange.answer else ""
        one = Example(exchange.line, exchange.id, exchange.path, words, _snippet(exchange.body), recorded, replayed)
        # Of two that are as bad the first in the file stays; no two have the same line.
        heapq.heappush(self._worst, (severity, -exchange.line, one))
        if len(self._worst) > WORST:
            heapq.heappop(self._worst)

    def summary(self, seconds: float, late: int = 0) -> Summary:
        return Summary(
            exchanges=sum(self._verdicts.values()),
            verdicts=dict(self._verdicts),
            outputs=[_summed(name, one) for name, one in self._outputs.items()],
            statuses=dict(self._statuses.most_common()),
            failures=dict(self._failures.most_common()),
            unread=dict(self._unread.most_common()),
            examples=[one for *_, one in sorted(self._worst, key=lambda one: one[:2], reverse=True)],
            recorded=_times(self._recorded),
            replayed=_times(self._replayed),
            seconds=seconds,
            late=late,
        )


def _severity(found: Difference) -> tuple[bool, int, float]:
    formal = not found.changes or any(one.problem for one in found.changes)
    return (
        formal,
        sum(one.changed_rows for one in found.changes),
        max((one.absolute for one in found.changes), default=0.0),
    )


def _summed(name: str, one: _Output) -> OutputSummary:
    return OutputSummary(
        name,
        one.answers,
        one.values,
        one.beyond,
        one.absolute,
        one.relative,
        one.rows,
        one.changed_rows,
        dict(one.problems.most_common()),
        dict(sorted(one.spread.items())),
        one.classes.most_common(),
    )


def _times(seconds: Sequence[float]) -> Times | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Times(
        len(ordered),
        math.fsum(ordered) / len(ordered),
        ordered[-1],
        {percent: percentile(ordered, percent) for percent in PERCENTILES},
        buckets(ordered),
    )


def _snippet(body: bytes) -> str:
    text = " ".join(body[: 4 * SNIPPET].decode(errors="replace").split())
    return text if len(text) <= SNIPPET and len(body) <= 4 * SNIPPET else text[:SNIPPET] + " …"
