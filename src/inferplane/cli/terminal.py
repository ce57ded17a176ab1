"""What the user sees while something goes on: one line a step, live on a terminal, plain otherwise.

    ● platform               API https://127.0.0.1:6443 · gateway http://localhost:8080                  0.6 s

Progress, hints and errors go to standard error; answers go to standard output, so that pipes stay clean.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from inferplane.cli.why.words import duration

DONE, FAILED = "●", "✗"
FRAMES = "◐◓◑◒"
FRAME_SECONDS = 0.12
WHAT_WIDTH, DETAIL_WIDTH = 22, 58
CLEAR = "\r\x1b[2K"
# Without a live line a step that takes longer than this tells what it is doing.
SILENT_SECONDS = 1.0


def step_line(mark: str, what: str, detail: str, seconds: float | None) -> str:
    """One line of progress; the columns move aside for words that are longer."""
    took = "" if seconds is None else f"  {duration(seconds):>7}"
    return f"{mark} {what:<{WHAT_WIDTH}} {detail:<{DETAIL_WIDTH}}{took}".rstrip()


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as kubectl prints them: columns as wide as their widest cell, three spaces between."""
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows), default=0))]
    return ["   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


class Step:
    """One thing that goes on. `update` says what about it is happening now; the last words stay on its line."""

    def __init__(self, terminal: "Terminal", what: str, detail: str = "") -> None:
        self._terminal = terminal
        self.what = what
        self.detail = detail
        self.started = terminal.monotonic()
        self.failed = False

    @property
    def seconds(self) -> float:
        return self._terminal.monotonic() - self.started

    def fail(self) -> None:
        """Marks the step as failed without an exception: the reason is told after it."""
        self.failed = True

    def end(self, detail: str) -> None:
        """The last words: shown with the line that ends the step, not before."""
        self.detail = detail

    def update(self, detail: str) -> None:
        if detail != self.detail:
            self.detail = detail
            self._terminal.changed(self)


class Terminal:
    """`live`: the stream is a terminal, so a line may be drawn again."""

    def __init__(
        self, out: TextIO, *, live: bool, width: int = 100, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out
        self._live = live
        self._width = width
        self._lock = threading.Lock()
        self.monotonic = monotonic

    @contextmanager
    def step(self, what: str, detail: str = "") -> Iterator[Step]:
        """Shows a step until the block ends; an exception marks it as failed and goes on its way."""
        step = Step(self, what, detail)
        spinner = _Spinner(self, step) if self._live else None
        try:
            yield step
        except BaseException:
            self._finish(FAILED, step, spinner)
            raise
        self._finish(FAILED if step.failed else DONE, step, spinner)

    def say(self, text: str = "") -> None:
        """A line that stays, above the live one if there is one."""
        with self._lock:
            self._out.write(f"{CLEAR if self._live else ''}{text}\n")
            self._out.flush()

    def next(self, command: str) -> None:
        """The next useful command; every command ends with one."""
        self.say(f"next: {command}")

    def changed(self, step: Step) -> None:
        # The live line is drawn again by its own thread.
        if not self._live and step.seconds >= SILENT_SECONDS:
            self.say(step_line("…", step.what, step.detail, None))

    def draw(self, line: str) -> None:
        """Replaces the live line; `""` clears it."""
        with self._lock:
            self._out.write(CLEAR + line[: self._width - 1])
            self._out.flush()

    def _finish(self, mark: str, step: Step, spinner: "_Spinner | None") -> None:
        if spinner:
            spinner.stop()
        self.say(step_line(mark, step.what, step.detail, step.seconds))


class _Spinner:
    """Draws a step's line again and again from its own thread, so that it moves while the program waits or works."""

    def __init__(self, terminal: Terminal, step: Step) -> None:
        self._terminal = terminal
        self._step = step
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._terminal.draw("")

    def _run(self) -> None:
        frame = 0
        while not self._over.wait(FRAME_SECONDS):
            mark = FRAMES[frame % len(FRAMES)]
            self._terminal.draw(step_line(mark, self._step.what, self._step.detail, self._step.seconds))
            frame += 1


def standard_terminal(out: TextIO | None = None) -> Terminal:
    """Progress on standard error (or `out`), live if that is a terminal."""
    stream = out or sys.stderr
    return Terminal(stream, live=stream.isatty(), width=shutil.get_terminal_size().columns)
