"""Continuous batching: one thread takes all texts that are under way one token further, again and again.

Between two steps texts that have ended, and those that nobody wants any more, leave the batch, and waiting ones join
it. How a step is computed is the `Generator`'s matter; here is who takes part, and who is told what. Callers live on
their event loops and hand over `Run`s; what becomes of them arrives as `Piece`s, all of a step at once.
"""

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Protocol

from inferplane.dataplane.runtimes.huggingface.batching import Chosen, Piece, Run, Waiting, together
from inferplane.inference.errors import InferenceError, Overloaded

log = logging.getLogger("inferplane.runtimes")

_LONGEST_RETRY = 30
_CLOSING = 10.0
"""Seconds that a step under way may still take when the engine is closed."""


class Generator(Protocol):
    """Computes tokens for a batch of rows, which are in the order in which they joined; used by one thread."""

    def begin(self, runs: Sequence[Run]) -> None:
        """Prompts to be read, by `advance`."""

    def advance(self, most: int) -> list[Chosen] | None:
        """Reads up to so many tokens (at least one of each prompt) of what was begun; once all are read, the prompts
        become rows and the first token of each is here."""

    def abandon(self) -> None:
        """Forgets what was begun."""

    def step(self) -> list[Chosen]:
        """One more token for each row."""

    def leave(self, rows: Sequence[int]) -> None:
        """Takes these rows, in increasing order, out of the batch; the others keep their order."""

    def clear(self) -> None:
        """Takes all rows out."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """`batch`: texts generated together. `waiting`: texts that may wait. `reading`: tokens of prompts read between two
    steps of others, so that a long prompt holds up nobody for long; four times as many when there are no others."""

    batch: int = 32
    waiting: int = 512
    reading: int = 256


@dataclass(slots=True)
class State:
    """What the engine is doing, for metrics and tests. Read from any thread."""

    running: int = 0
    waiting: int = 0
    steps: int = 0
    tokens: int = 0
    prompt_tokens: int = 0


class Replies:
    """Of the runs of one request. Iterate over it for pieces, several at a time where they came faster than they were
    taken; `close` it, or leave the block, to give up what has not ended."""

    def __init__(self, engine: "Engine", runs: Sequence[Run]) -> None:
        self.runs = runs
        self.gone = False
        """Nobody wants the rest. Set on the loop, read by the engine's thread."""
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._pieces: list[Piece] = []
        self._left = len(runs)
        self._error: Exception | None = None
        self._news = asyncio.Event()

    def __aiter__(self) -> "Replies":
        return self

    async def __anext__(self) -> list[Piece]:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._left <= 0:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        pieces, self._pieces = self._pieces, []
        self._left -= sum(1 for piece in pieces if piece.ended is not None)
        return pieces

    def __enter__(self) -> "Replies":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self.gone:
            self.gone = True
            self._engine.noticed()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def given(self, pieces: Sequence[Piece]) -> None:
        self._pieces.extend(pieces)
        self._news.set()

    def failed(self, error: Exception) -> None:
        self._error = error
        self._news.set()


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A run, and who waits for it."""

    run: Run
    replies: Replies


class Engine:
    """Owns its thread and, through it, the generator."""

    def __init__(
        self,
        name: str,
        generator: Generator,
        sizes: Sizes,
        prepare: Callable[[], None] = lambda: None,
        watch: Callable[[State], None] = lambda state: None,
    ) -> None:
        """`prepare` is called on the thread before anything else, `watch` on it whenever `state` has changed."""
        self.state = State()
        self._watch = watch
        self._name = name
        self._generator = generator
        self._sizes = sizes
        self._prepare = prepare
        self._changed = threading.Condition()
        self._waiting: Waiting[_Place] = Waiting(sizes.waiting)
        self._someone_left = False
        self._closed = False
        self._rows: list[_Place] = []
        self._reading: list[_Place] = []
        self._begun: list[list[_Place]] = []
        self._pace = 0.0
        """Seconds from one text's end to the next one's, lately."""
        self._ended = monotonic()
        self._thread = threading.Thread(target=self._run, name=f"generate-{name}", daemon=True)
        self._thread.start()

    def submit(self, runs: Sequence[Run]) -> Replies:
        """To be called on an event loop, which gets the pieces. Overloaded where too many wait."""
        with self._changed:
            if self._closed:
                raise InferenceError(f"model {self._name} has been stopped")
            if not self._waiting.has_room(len(runs)):
                raise Overloaded(self._name, len(self._waiting), self._retry_after())
            replies = Replies(self, runs)
            self._waiting.add([_Place(run, replies) for run in runs])
            self.state.waiting = len(self._waiting)
            self._changed.notify()
        return replies

    def noticed(self) -> None:
        """Somebody has left."""
        with self._changed:
            self._someone_left = True
            self._changed.notify()

    def close(self) -> None:
        """What is under way fails."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(_CLOSING)

    def _retry_after(self) -> int:
        return max(1, min(_LONGEST_RETRY, math.ceil(len(self._waiting) * self._pace)))

    # The thread.

    def _run(self) -> None:
        self._prepare()
        while True:
            with self._changed:
                while not (self._closed or self._someone_left or self._waiting or self._busy):
                    self._changed.wait()
                if self._closed:
                    break
                someone_left, self._someone_left = self._someone_left, False
                admitted = self._admitted()
            try:
                self._round(admitted, someone_left)
            except Exception as error:
                log.exception("generation failed model=%s", self._name)
                self._fail(error)
        self._fail(InferenceError(f"model {self._name} has been stopped"))

    @property
    def _busy(self) -> int:
        """Texts in the batch, and those whose prompts are being read."""
        return len(self._rows) + len(self._reading) + sum(map(len, self._begun))

    def _admitted(self) -> list[_Place]:
        taken = self._waiting.take(max(0, self._sizes.batch - self._busy))
        self.state.waiting = len(self._waiting)
        return taken

    def _round(self, admitted: Sequence[_Place], someone_left: bool) -> None:
        if someone_left:
            self._see_off()
        self._group([place for place in admitted if not place.replies.gone])
        if self._begun and not self._reading:
            self._reading = self._begun.pop(0)
            self._generator.begin([place.run for place in self._reading])
        if self._reading:
            self._read()
        self.state.running = self._busy
        if self._rows:
            self._tell(self._rows, self._generator.step(), first=0)
            self.state.steps += 1
        self.state.running = self._busy
        self._watch(self.state)

    def _group(self, places: Sequence[_Place]) -> None:
        if places:
            lengths = [len(place.run.prompt) for place in places]
            for group in together(lengths, 4 * self._sizes.reading):
                self._begun.append([places[index] for index in group])

    def _read(self) -> None:
        most = self._sizes.reading if self._rows else 4 * self._sizes.reading
        chosen = self._generator.advance(most)
        if chosen is None:
            return
        joined, self._reading = self._reading, []
        self.state.prompt_tokens += sum(len(place.run.prompt) for place in joined)
        first = len(self._rows)
        self._rows += joined
        self._tell(joined, chosen, first)
        gone = [row for row, place in enumerate(self._rows) if place.replies.gone]
        if gone:  # while the prompts of others were still read with theirs
            self._leave(gone)

    def _tell(self, places: Sequence[_Place], chosen: Sequence[Chosen], first: int) -> None:
        """Hands out what a step has given, and has those leave that have ended. `first` is the row of the first."""
        news: dict[Replies, list[Piece]] = {}
        done: list[int] = []
        for row, (place, one) in enumerate(zip(places, chosen, strict=True), first):
            piece = place.run.take(one)
            if piece is None:
                continue
            news.setdefault(place.replies, []).append(piece)
            if piece.ended is not None:
                done.append(row)
        self.state.tokens += len(chosen)
        _hand_over(news)
        if done:
            self._leave(done)
            self._note_ends(len(done))

    def _leave(self, rows: Sequence[int]) -> None:
        self._generator.leave(rows)
        gone = set(rows)
        self._rows = [place for row, place in enumerate(self._rows) if row not in gone]

    def _see_off(self) -> None:
        """Those whose client has gone, wherever they are."""
        with self._changed:
            self._waiting.drop([place for place in self._waiting if place.replies.gone])
            self.state.waiting = len(self._waiting)
        gone = [row for row, place in enumerate(self._rows) if place.replies.gone]
        if gone:
            self._leave(gone)
        if self._reading and all(place.replies.gone for place in self._reading):
            self._generator.abandon()
            self._reading = []
        self._begun = [left for group in self._begun if (left := [one for one in group if not one.replies.gone])]

    def _note_ends(self, count: int) -> None:
        now = monotonic()
        seconds, self._ended = (now - self._ended) / count, now
        self._pace += 0.2 * (seconds - self._pace)

    def _fail(self, error: Exception) -> None:
        """All that is under way; what waits too once the engine is closed."""
        with self._changed:
            waiting = self._waiting.take(len(self._waiting)) if self._closed else []
        places = [*self._rows, *self._reading, *(place for group in self._begun for place in group), *waiting]
        for replies in {place.replies for place in places}:
            _call(replies.loop, partial(replies.failed, error))
        self._rows, self._reading, self._begun = [], [], []
        self._generator.abandon()
        self._generator.clear()
        self.state.running = 0
        self._watch(self.state)


def _hand_over(news: dict[Replies, list[Piece]]) -> None:
    """One call of each loop a step, not one a text."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Replies, list[Piece]]]] = {}
    for replies, pieces in news.items():
        by_loop.setdefault(replies.loop, []).append((replies, pieces))
    for loop, those in by_loop.items():
        _call(loop, partial(_give, those))


def _give(those: Sequence[tuple[Replies, list[Piece]]]) -> None:
    for replies, pieces in those:
        replies.given(pieces)


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:
        pass  # the loop is closed, and with it went everybody who waited there
