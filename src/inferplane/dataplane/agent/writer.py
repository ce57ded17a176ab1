"""The logger's own process: reads what the servers noted, makes events of it, and sends these to the sinks.

    server ─notes─▶ writer ─events─▶ sinks          keeper: waits, and starts another writer when one dies

It is forked before the server has threads and clients, runs when the processor is not wanted for requests, and ends by
itself when the last server has: then it sends what is left, within the logger's time for that. What it counts lies in
memory that it shares with the servers, whose `/metrics` tell it.
"""

import asyncio
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from inferplane.dataplane.agent import channel
from inferplane.dataplane.agent.logger import Logger
from inferplane.dataplane.agent.settings import LoggerSettings
from inferplane.dataplane.agent.sinks.choosing import check, sinks
from inferplane.dataplane.server.cells import CellWriter, Region, shared
from inferplane.dataplane.server.ids import new_id
from inferplane.dataplane.server.metrics import Series, packed
from inferplane.dataplane.storage.errors import shown
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import SystemClock

log = logging.getLogger("inferplane.agent")

FAMILIES = ("queued", "sent", "dropped", "failed")
_NICE = 10
_RESTARTS = Backoff(first=0.1, limit=10.0)
_AT_ONCE = 64
"""Packets read before the sinks get their turn."""


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """Of one sink, in the writer's region."""

    queued: Series
    sent: Series
    dropped: Series
    failed: Series


class LogWriter:
    """The writer as the servers see it. `start` before there are loops, threads and workers."""

    def __init__(self, settings: LoggerSettings, end: socket.socket, region: Region, pid: int) -> None:
        self.settings = settings
        self.end = end
        self.region = region
        self._pid = pid

    @property
    def sinks(self) -> list[str]:
        """As they may be told."""
        return [shown(url) for url in self.settings.urls]

    @classmethod
    def start(cls, settings: LoggerSettings, environ: Mapping[str, str]) -> "LogWriter":
        """Raises WrongSink, NoParquet, StorageError for sinks that cannot be."""
        check(settings)
        ours, theirs = channel.pair()
        region = shared()
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _become_keeper(settings, environ, theirs, region)
        theirs.close()
        return cls(settings, ours, region, pid)

    def finish(self) -> None:
        """Waits until all is sent, or the time for that is over. All servers' ends must be closed by now."""
        self.end.close()
        seconds = self.settings.bounds.flush + 1.0
        with suppress(ProcessLookupError, ChildProcessError):
            keeper = os.pidfd_open(self._pid)
            try:
                if not select.select([keeper], [], [], seconds)[0]:
                    log.error("the log writer did not end in time pid=%d", self._pid)
                    os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            finally:
                os.close(keeper)


def _become_keeper(settings: LoggerSettings, environ: Mapping[str, str], end: socket.socket, region: Region) -> None:
    """The child's way; it never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the servers' end is ours
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close_all_but(end.fileno())
        code = _keep(settings, environ, end, region)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _close_all_but(kept: int) -> None:
    """A listening socket, or a pipe that somebody waits for the end of, must not live on here."""
    os.closerange(3, kept)
    os.closerange(kept + 1, 65536)


def _keep(settings: LoggerSettings, environ: Mapping[str, str], end: socket.socket, region: Region) -> int:
    failures = 0
    while True:
        since = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _become_writer(settings, environ, end, region)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return 0
        failures = 1 if time.monotonic() - since > _RESTARTS.limit else failures + 1
        log.error("the log writer died, a new one is started pid=%d code=%d", pid, code)
        time.sleep(_RESTARTS.delay(failures))


def _become_writer(settings: LoggerSettings, environ: Mapping[str, str], end: socket.socket, region: Region) -> None:
    code = 1
    try:
        _step_back()
        gc.freeze()
        asyncio.run(write(settings, environ, end, region))
        code = 0
    except BaseException:
        log.exception("the log writer failed")
    finally:
        logging.shutdown()
        os._exit(code)


def _step_back() -> None:
    """Requests come first: of a processor that both want this gets a tenth."""
    os.nice(_NICE)
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def write(settings: LoggerSettings, environ: Mapping[str, str], end: socket.socket, region: Region) -> None:
    """Until all senders have closed their end, and all is sent."""
    cells = CellWriter(region)

    def counts(sink: str) -> SinkCounts:
        series = [Series(cells.group(packed(f"inferplane_logger_{name}", (sink,)), 1)) for name in FAMILIES]
        return SinkCounts(*series)

    logger = Logger(settings, sinks(settings, environ), counts, SystemClock(), new_id)
    logger.start()
    reader = _Reader(end, logger)
    await reader.ended.wait()
    await logger.finish()


class _Reader:
    def __init__(self, end: socket.socket, logger: Logger) -> None:
        end.setblocking(False)
        self._end = end
        self._logger = logger
        self._incoming = channel.Incoming()
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self._loop.add_reader(end, self._read)

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = self._end.recv(channel.PACKET * 2)
            except (BlockingIOError, InterruptedError):
                return
            if not packet:
                self._loop.remove_reader(self._end)
                self.ended.set()
                return
            exchanges = self._incoming.feed(packet)
            if exchanges:
                self._logger.take(exchanges)
