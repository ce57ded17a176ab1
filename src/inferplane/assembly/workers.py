"""`--workers N`: processes forked from this one that serve one port together, and this one, which looks after them.

A worker that dies is replaced, after a pause that grows when it keeps dying; the new one loads and unloads what the
others were told to meanwhile, and goes on counting where the old one stopped. Readiness is announced once all are
ready. SIGTERM and SIGINT go on to all, which drain; the second one ends them at once.
"""

import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inferplane.assembly.worker_channel import Channel, Message, pair
from inferplane.dataplane.server.cells import Cells, Region, shared
from inferplane.kernel.errors import InferplaneError

log = logging.getLogger("inferplane.server")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_LIVED = 10.0
"""Seconds after which a worker's end no longer counts as one of a series."""


@dataclass(frozen=True)
class Place:
    """What a worker is given: its number, its end of the channel, and what all share."""

    number: int
    channel: Channel
    listening: socket.socket
    connections: Cells
    """A cell for each worker; infinite while it does not serve."""
    own_region: Region
    regions: tuple[Region, ...]


@dataclass
class _Worker:
    pid: int
    channel: Channel
    since: float
    ready: bool = False


@dataclass
class _Asked:
    """A request to load or unload that waits for workers. `number` is the asker's own."""

    asker: int
    number: int
    waiting: set[int]
    error: Message | None = None


@dataclass
class _Slot:
    region: Region
    worker: _Worker | None = None
    pause: float = _FIRST_PAUSE
    due: float | None = None
    missed: list[Message] = field(default_factory=list)


class Workers:
    """`serve` runs in each worker, and raises what it cannot serve for; `announce` is called with the first outcome of
    all."""

    def __init__(
        self,
        number: int,
        listening: socket.socket,
        serve: Callable[[Place], None],
        announce: Callable[[Message], None],
    ) -> None:
        self._listening = listening
        self._serve = serve
        self._announce = announce
        self._slots = [_Slot(shared()) for _ in range(number)]
        self._connections: Cells = memoryview(shared()).cast("d")[:number]
        self._selector = selectors.DefaultSelector()
        self._waking, self._woken = socket.socketpair()
        self._announced = False
        self._stopping = False
        self._code = 0
        self._asked: dict[int, _Asked] = {}
        self._numbers = 0
        self._history: dict[str, Message] = {}
        self._signals: list[int] = []

    def run(self) -> int:
        """Until the last worker has ended. Returns the exit code: not 0 when a worker could not start to serve."""
        restore = self._listen_to_signals()
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        try:
            for number in range(len(self._slots)):
                self._start(number)
            while not (self._stopping and all(slot.worker is None for slot in self._slots)):
                self._round()
        finally:
            restore()
            self._selector.close()
        return self._code

    def _round(self) -> None:
        due = [slot.due for slot in self._slots if slot.due is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                self._woken.recv(4096)
            else:
                self._hear(key.data)
        self._obey()
        self._reap()
        for number, slot in enumerate(self._slots):
            if slot.due is not None and slot.due <= time.monotonic() and not self._stopping:
                self._start(number)

    # Signals.

    def _listen_to_signals(self) -> Callable[[], None]:
        self._waking.setblocking(False)
        self._woken.setblocking(False)
        before = signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        handlers = {
            number: signal.signal(number, self._note) for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)
        }

        def restore() -> None:
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)

        return restore

    def _note(self, number: int, frame: object) -> None:
        self._signals.append(number)

    def _obey(self) -> None:
        numbers, self._signals = self._signals, []
        for number in numbers:
            if number == signal.SIGCHLD:
                continue
            self._stop(signal.SIGKILL if self._stopping else signal.SIGTERM)

    def _stop(self, number: int) -> None:
        self._stopping = True
        for slot in self._slots:
            slot.due = None
            if slot.worker is not None:
                os.kill(slot.worker.pid, number)

    # Workers.

    def _start(self, number: int) -> None:
        slot = self._slots[number]
        slot.due = None
        slot.missed = list(self._history.values())
        self._connections[number] = float("inf")
        ours, theirs = pair()
        place = Place(
            number, theirs, self._listening, self._connections, slot.region, tuple(s.region for s in self._slots)
        )
        pid = os.fork()
        if pid == 0:
            self._become(place, ours)
        theirs.end.close()
        slot.worker = _Worker(pid, ours, time.monotonic())
        self._selector.register(ours.end, selectors.EVENT_READ, number)

    def _become(self, place: Place, ours: Channel) -> None:
        """The child's way; it never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            ours.end.close()
            for slot in self._slots:
                if slot.worker is not None:
                    slot.worker.channel.end.close()
            self._serve(place)
            code = 0
        except InferplaneError as error:
            log.error("worker failed number=%d: %s", place.number, error)
            place.channel.send(Message(event="failed", kind=type(error).__name__, error=str(error)))
        except BaseException as error:
            log.exception("worker failed number=%d", place.number)
            place.channel.send(Message(event="failed", kind=type(error).__name__, error=f"{error!r}"))
        finally:
            sys.stdout.flush()  # a worker ends without Python's own clearing up
            logging.shutdown()
            os._exit(code)

    def _reap(self) -> None:
        for number, slot in enumerate(self._slots):
            worker = slot.worker
            if worker is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._drain(number, worker)
                self._ended(number, slot, worker, os.waitstatus_to_exitcode(status))

    def _drain(self, number: int, worker: _Worker) -> None:
        """Hears what it said last."""
        while self._slots[number].worker is worker and worker.channel.end.fileno() >= 0:
            try:
                message = worker.channel.receive()
            except BlockingIOError:
                return
            if message is None:
                return
            self._heard(number, worker, message)

    def _ended(self, number: int, slot: _Slot, worker: _Worker, code: int) -> None:
        slot.worker = None
        self._connections[number] = float("inf")
        if worker.channel.end.fileno() >= 0:
            if worker.channel.end in self._selector.get_map():
                self._selector.unregister(worker.channel.end)
            worker.channel.end.close()
        for asked in list(self._asked.values()):
            asked.waiting.discard(number)
        self._settle_asked()
        if self._stopping:
            return
        if not self._announced:
            # It cannot start; a message says why, unless it died without one.
            self._fail(Message(event="failed", kind="WorkerDied", error=f"a worker ended with code {code}"))
            return
        lived = time.monotonic() - worker.since
        slot.pause = _FIRST_PAUSE if lived > _LIVED else min(_LONGEST_PAUSE, slot.pause * 2)
        slot.due = time.monotonic() + (0.0 if lived > _LIVED else slot.pause)
        log.warning("worker ended, a new one is started number=%d pid=%d code=%d", number, worker.pid, code)

    def _fail(self, message: Message) -> None:
        if not self._announced:
            self._announced = True
            self._code = 1
            self._announce(message)
        self._stop(signal.SIGTERM)

    # What they say.

    def _hear(self, number: int) -> None:
        worker = self._slots[number].worker
        if worker is None:
            return
        try:
            message = worker.channel.receive()
        except BlockingIOError:
            return
        if message is None:
            self._selector.unregister(worker.channel.end)  # it is ending; its exit is reaped
        else:
            self._heard(number, worker, message)

    def _heard(self, number: int, worker: _Worker, message: Message) -> None:
        if message.event == "ready":
            self._became_ready(number, worker)
        elif message.event == "failed":
            if not self._announced:
                self._fail(message)
        elif message.event == "done":
            self._done(number, message)
        else:
            self._ask_all(number, message)

    def _became_ready(self, number: int, worker: _Worker) -> None:
        worker.ready = True
        slot = self._slots[number]
        for message in slot.missed:
            worker.channel.send(message)
        slot.missed = []
        if not self._announced and all(slot.worker is not None and slot.worker.ready for slot in self._slots):
            self._announced = True
            self._announce(Message(event="ready"))

    def _ask_all(self, asker: int, message: Message) -> None:
        self._numbers += 1
        own = Message(event=message.event, name=message.name, number=self._numbers)
        self._history[message.name] = Message(event=message.event, name=message.name)
        waiting: set[int] = set()
        for number, slot in enumerate(self._slots):
            if slot.worker is not None and slot.worker.ready:
                slot.worker.channel.send(own)
                waiting.add(number)
            else:
                slot.missed.append(Message(event=message.event, name=message.name))
        self._asked[self._numbers] = _Asked(asker, message.number, waiting)
        self._settle_asked()

    def _done(self, number: int, message: Message) -> None:
        asked = self._asked.get(message.number)
        if asked is None:
            return
        asked.waiting.discard(number)
        if message.error and asked.error is None:
            asked.error = message
        self._settle_asked()

    def _settle_asked(self) -> None:
        for own, asked in list(self._asked.items()):
            if asked.waiting:
                continue
            del self._asked[own]
            worker = self._slots[asked.asker].worker
            if worker is not None:
                error = asked.error or Message(event="done")
                worker.channel.send(Message(event="done", number=asked.number, kind=error.kind, error=error.error))
