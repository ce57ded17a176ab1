"""A file, a place to send its requests to → a summary. The shell around the pure parts.

Answers wait in a temporary file until the load has ended, so that comparing takes no time from sending, and a file of
any size can be replayed.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from inferplane.cli.replay import load, records
from inferplane.cli.replay.compare import Difference, Tolerance, Verdict, compared
from inferplane.cli.replay.load import Asks, Pace, Prepare
from inferplane.cli.replay.records import Answer, Entry, Exchange, Index, RecordError
from inferplane.cli.replay.summary import Ledger, Summary
from inferplane.kernel.clock import Clock

_UNCOMPARED = Difference(Verdict.NOT_COMPARED)


class Recording:
    """An open file of records."""

    def __init__(self, path: Path) -> None:
        """Raises RecordError: no such file, or nothing to replay in it."""
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            self.index: Index = records.index(self._file, str(path))
        except BaseException:
            self._file.close()
            raise

    def exchange(self, entry: Entry) -> Exchange:
        response = self._line(entry.response) if entry.response else None
        return records.exchange(entry, self._line(entry.request), response)

    def _line(self, span: records.Span) -> bytes:
        offset, length = span
        return os.pread(self._file.fileno(), length, offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer whose body is in the spool."""

    answer: Answer
    span: records.Span


class Spool:
    """What came of each entry, in the order of the file when read. `count` is how many have an end."""

    def __init__(self, tick: Callable[[int], None]) -> None:
        self._file = tempfile.TemporaryFile(prefix="inferplane-replay-")  # noqa: SIM115 - closed by `close`
        self._found: dict[int, _Kept | str] = {}
        self._size = 0
        self._tick = tick
        self.left_out_of: dict[int, str] = {}

    def answered(self, position: int, answer: Answer) -> None:
        self._file.write(answer.body)
        span = (self._size, len(answer.body))
        self._size += len(answer.body)
        self._put(position, _Kept(replace(answer, body=b""), span))

    def failed(self, position: int, reason: str) -> None:
        self._put(position, reason)

    def left_out(self, position: int, reason: str) -> None:
        self.left_out_of[position] = reason

    def _put(self, position: int, found: _Kept | str) -> None:
        self._found[position] = found
        self._tick(len(self._found))

    def results(self) -> Iterator[tuple[int, Answer | str]]:
        self._file.flush()
        for position, one in sorted(self._found.items()):
            yield position, one if isinstance(one, str) else self._whole(one)

    def _whole(self, kept: _Kept) -> Answer:
        offset, length = kept.span
        return replace(kept.answer, body=os.pread(self._file.fileno(), length, offset))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`notes` say what was not sent."""

    summary: Summary
    notes: Sequence[str]


async def replay(
    recording: Recording,
    entries: Sequence[Entry],
    ask: Asks,
    prepare: Prepare,
    pace: Pace,
    tolerance: Tolerance,
    clock: Clock,
    tick: Callable[[int], None],
) -> Outcome:
    """Sends the entries, then compares. Raises RecordError when none of them could be sent."""
    spool = Spool(tick)
    try:
        seconds, late = await load.replay(entries, ask, prepare, pace, spool, clock)
        if entries and len(spool.left_out_of) == len(entries):
            raise RecordError(f"{recording.path}: nothing to send: {next(iter(spool.left_out_of.values()))}")
        ledger = Ledger()
        for position, found in spool.results():
            _enter(ledger, recording.exchange(entries[position]), found, tolerance)
    finally:
        spool.close()
    return Outcome(ledger.summary(seconds, late), _left_out(list(spool.left_out_of.values())))


def _enter(ledger: Ledger, exchange: Exchange, found: Answer | str, tolerance: Tolerance) -> None:
    if isinstance(found, str):
        ledger.failed(exchange, found)
        return
    difference = compared(exchange.answer, found, tolerance) if exchange.answer else _UNCOMPARED
    ledger.answered(exchange, found, difference)


def _left_out(reasons: Sequence[str]) -> list[str]:
    return [f"{len(reasons):,} requests were not sent: {reasons[0]}"] if reasons else []
