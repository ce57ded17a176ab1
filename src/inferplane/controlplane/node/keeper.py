"""A keeper: the small single-threaded process that forks containers' processes and stays their parent.

A node comes and goes; keepers stay, so exit codes are never lost and a restarted node adopts what lives. A keeper that
has imported a runtime's libraries first is that runtime's *zygote*: its forks share those pages and start in
milliseconds; the next one is forked ahead (`spare`). The *plain* keeper has imported nothing and execs commands.

Requests come in over a unix socket (`protocol`), what happens goes out as events to whoever is connected and into the
run's record on disk (`runs`). A keeper ignores SIGTERM and SIGINT: it ends on `close`, when its last run has ended.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from inferplane.controlplane.node import fork, procfs, runs
from inferplane.controlplane.node.protocol import (
    Announcement,
    Close,
    Event,
    Exited,
    Hello,
    Launch,
    Ready,
    RunId,
    Signal,
    Start,
    Started,
    decode_announcement,
    decode_request,
    line,
)
from inferplane.controlplane.node.spare import Spare, wait

# Far past one announcement; a process that writes more than this before its first newline is not speaking the protocol.
_LONGEST_ANNOUNCEMENT = 65536
# A keeper without a run that no node has come for in this time is of no use to anybody. Seconds.
_NOBODY_COMES = 60.0
# A spare is forked when nothing was started for this long: what just starts needs the processor more. Seconds.
SPARE_AFTER = 0.25
# A process must not lose a signal between its fork and the moment that it has its own handlers.
_ALL_SIGNALS = signal.valid_signals()


@dataclass(slots=True)
class _Kept:
    """A living run. `pipe` is the reading end of its readiness pipe, -1 once closed."""

    launch: Launch
    record: runs.Run
    pipe: int
    said: bytes = b""

    @property
    def directory(self) -> Path:
        return Path(self.launch.directory)


class Keeper:
    """`serve` returns None in the keeper, when told to close, and the launch to become in each forked child."""

    def __init__(
        self,
        listener: socket.socket,
        name: str,
        *held: socket.socket,
        rehearsals: Sequence[Callable[[], object]] | None = None,
    ) -> None:
        """`held` are sockets that forked children must not have, beside the keeper's own.

        With `rehearsals`, even none of them, there is a spare that has called them.
        """
        self._listener = listener
        self._held = held
        self._name = name
        self._rehearsals = rehearsals
        self._spare: Spare | None = None
        self._spare_due: float | None = None
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, bytearray] = {}
        self._kept: dict[int, _Kept] = {}
        self._closing = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer, listener):
            end.setblocking(False)
        self._child: Launch | None = None

    def serve(self) -> Launch | None:
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._watch(self._listener, self._accept)
        self._watch(self._wake_reader, self._reap)
        while not (self._closing and not self._kept):
            ready = self._selector.select(self._patience())
            if not ready and self._spare_due is None and not self._needed:
                break
            if not ready:
                self._fork_spare()
            for key, _ in ready:
                act: Callable[[], None] = key.data
                # An earlier callback of this round may have unregistered it.
                if key.fd in self._selector.get_map():
                    act()
                if self._child is not None:
                    break
            if self._child is not None:
                return self._child
        self._end_spare()
        return None

    @property
    def _needed(self) -> bool:
        return bool(self._kept or self._connections)

    def _patience(self) -> float | None:
        """How long to wait for something to happen, in seconds."""
        if self._spare_due is not None:
            return max(self._spare_due - time.monotonic(), 0.0)
        return None if self._needed else _NOBODY_COMES

    def close(self) -> None:
        """Closes all sockets; the runs live on."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None
        self._selector.close()
        for end in (self._listener, self._wake_reader, self._wake_writer, *self._held, *self._connections):
            end.close()

    # --- connections --------------------------------------------------------------------------------------------------

    def _watch(self, source: socket.socket | int, act: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, act)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        self._connections[connection] = bytearray()
        self._watch(connection, lambda: self._receive(connection))
        self._send(connection, Hello(pid=os.getpid(), runs=[kept.launch.id for kept in self._kept.values()]))
        self._want_spare()

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 20)
        except BlockingIOError:
            return None
        except ConnectionError:
            data = b""
        if not data:
            return self._drop(connection)
        *lines, rest = (self._connections[connection] + data).split(b"\n")
        self._connections[connection] = bytearray(rest)
        for one in lines:
            self.obey(bytes(one))
            if self._child is not None:
                return None
        return None

    def obey(self, text: bytes) -> None:
        """Does what one line of a node asks for."""
        try:
            request = decode_request(text)
        except msgspec.DecodeError as error:
            # A node of another version may know requests that we don't.
            print(f"request not understood: {error}", file=sys.stderr, flush=True)
            return
        match request:
            case Start(launch=launch):
                self._start(launch)
            case Signal(id=id, number=number):
                self._signal(id, number)
            case Close():
                self._closing = True

    def _send(self, connection: socket.socket, event: Event) -> None:
        try:
            connection.sendall(line(event))
        except (BlockingIOError, ConnectionError):
            # It doesn't read, or it is gone. It learns everything from `hello` and the records when it comes back.
            self._drop(connection)

    def _tell(self, event: Event) -> None:
        for connection in list(self._connections):
            self._send(connection, event)

    def _drop(self, connection: socket.socket) -> None:
        if self._connections.pop(connection, None) is not None:
            self._selector.unregister(connection)
            connection.close()

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _start(self, launch: Launch) -> None:
        if any(kept.launch.id == launch.id for kept in self._kept.values()):
            return None  # a node that asks twice (it lost the answer) must not get two processes
        if self._closing or not Path(launch.directory).is_dir():
            return self._tell(Exited(id=launch.id))  # or the pod was deleted while the request was on its way
        self._want_spare()
        try:
            # Here, so that whoever hears of the run finds its log.
            runs.log_path(Path(launch.directory), launch.attempt).touch(mode=0o600)
            return None if self._hand_over(launch) else self._fork(launch)
        except OSError as error:
            # No more processes, memory, descriptors or disk: that run fails, the others must not.
            return self._could_not_start(launch, error)

    def _could_not_start(self, launch: Launch, error: OSError) -> None:
        message = f"cannot start a process: {error.strerror}"
        end = runs.Exit(code=fork.START_FAILED, at=time.time(), reason="StartError", message=message)
        record = runs.Run(
            attempt=launch.attempt,
            process=None,
            keeper=self._name,
            started_at=end.at,
            announces=launch.announces,
            failures=launch.failures,
            exit=end,
        )
        _write(Path(launch.directory), record)
        self._tell(Exited(id=launch.id))

    def _fork(self, launch: Launch) -> None:
        reading, writing = os.pipe()
        try:
            pid = _forked()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if pid == 0:
            return self._become(launch, writing)
        os.close(writing)
        return self._keep(launch, pid, reading)

    def _become(self, launch: Launch, pipe: int) -> None:
        """In the child: lets go of all that is the keeper's, so that no object closes a number that is reused."""
        self._child = launch
        self.close()
        try:
            fork.settle(launch, pipe)
        except Exception as error:
            fork.fail(error)

    # --- the spare ----------------------------------------------------------------------------------------------------

    def _want_spare(self) -> None:
        if self._rehearsals is not None:
            self._spare_due = time.monotonic() + SPARE_AFTER

    def _fork_spare(self) -> None:
        self._spare_due = None
        if self._spare is not None or self._closing:
            return
        try:
            ours, its = socket.socketpair()
            reading, writing = os.pipe()
            pid = _forked()
        except OSError as error:
            print(f"no spare: {error}", file=sys.stderr, flush=True)  # runs are forked when they are asked for
            return
        if pid == 0:
            self._wait(its, writing, ours, reading)
            return
        its.close()
        os.close(writing)
        self._spare = spare = Spare(pid, ours, reading)
        self._watch(ours, lambda: self._hear_spare(spare))

    def _wait(self, orders: socket.socket, pipe: int, ours: socket.socket, reading: int) -> None:
        """In the spare: lets go of the keeper's, rehearses, and becomes what it is told."""
        launch = None
        try:
            signal.set_wakeup_fd(-1)
            self.close()
            ours.close()
            os.close(reading)
            launch = wait(orders, self._rehearsals or ())
            orders.close()
        finally:
            if launch is None:
                os._exit(0)
        self._become(launch, pipe)

    def _hear_spare(self, spare: Spare) -> None:
        self._selector.unregister(spare.orders)
        spare.hear()

    def _hand_over(self, launch: Launch) -> bool:
        """Gives the launch to the spare; False when there is none that waits for one."""
        spare = self._spare
        if spare is None or not spare.waits:
            return False
        self._spare = None
        try:
            spare.launch(launch)
        except OSError:
            spare.close()
            return False
        self._keep(launch, spare.pid, spare.pipe)
        return True

    def _spare_ended(self, spare: Spare) -> None:
        """Somebody killed it. The next one is forked after the next start, lest they end and are forked for ever."""
        print(f"the spare ended pid={spare.pid}", file=sys.stderr, flush=True)
        self._spare = None
        if spare.orders in self._selector.get_map():
            self._selector.unregister(spare.orders)
        spare.close()

    def _end_spare(self) -> None:
        """It has no run yet, so nobody asks how it ended."""
        if (spare := self._spare) is not None:
            self._spare = None
            spare.close()
            os.kill(spare.pid, signal.SIGKILL)
            os.waitpid(spare.pid, 0)

    def _keep(self, launch: Launch, pid: int, reading: int) -> None:
        record = runs.Run(
            attempt=launch.attempt,
            process=procfs.identity(pid),
            keeper=self._name,
            started_at=time.time(),
            announces=launch.announces,
            failures=launch.failures,
        )
        kept = self._kept[pid] = _Kept(launch, record, reading)
        _write(kept.directory, record)
        self._watch(reading, lambda: self._hear(kept))
        self._tell(Started(id=launch.id, pid=pid))

    def _hear(self, kept: _Kept) -> None:
        """Reads what the process announces, until it closes the pipe."""
        data = os.read(kept.pipe, 65536)
        kept.said += data
        if b"\n" not in kept.said and data and len(kept.said) < _LONGEST_ANNOUNCEMENT:
            return
        self._close_pipe(kept)
        self._note(kept, kept.said)

    def _note(self, kept: _Kept, said: bytes) -> None:
        match _announcement(said):
            case Announcement(event="ready"):
                kept.record = msgspec.structs.replace(kept.record, ready_at=time.time())
                _write(kept.directory, kept.record)
                self._tell(Ready(id=kept.launch.id))
            case Announcement(event="failed", reason=reason, message=message):
                kept.record = msgspec.structs.replace(
                    kept.record, exit=runs.Exit(code=1, at=0.0, reason=reason, message=message)
                )
            case _:
                pass  # it ended, or closed the pipe, without a word: the exit code will tell

    def _close_pipe(self, kept: _Kept) -> None:
        self._selector.unregister(kept.pipe)
        os.close(kept.pipe)
        kept.pipe = -1

    def _signal(self, id: RunId, number: int) -> None:
        for pid, kept in self._kept.items():
            if kept.launch.id == id:
                # Not reaped yet, so the number is still this run's.
                if number == signal.SIGKILL and kept.record.process is not None:
                    procfs.kill_session(kept.record.process)
                _signal_group(pid, number)

    def _reap(self) -> None:
        try:
            self._wake_reader.recv(4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare is not None and pid == self._spare.pid:
                self._spare_ended(self._spare)
            # Others are orphans of a run that were handed to us (PR_SET_CHILD_SUBREAPER): nobody asks for their codes.
            if (kept := self._kept.pop(pid, None)) is not None:
                self._ended(pid, kept, status)

    def _ended(self, pid: int, kept: _Kept, status: int) -> None:
        self._sweep(pid)
        if kept.pipe != -1:
            kept.said += _rest(kept.pipe)
            self._close_pipe(kept)
            self._note(kept, kept.said)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        said = kept.record.exit or runs.Exit(code=0, at=0.0)
        ended = msgspec.structs.replace(
            said, code=128 + number if number else os.WEXITSTATUS(status), signal=number, at=time.time()
        )
        kept.record = msgspec.structs.replace(kept.record, exit=ended)
        if kept.directory.is_dir():  # a pod that was force-deleted has none any more
            _write(kept.directory, kept.record)
        self._tell(Exited(id=kept.launch.id))

    def _sweep(self, session: int) -> None:
        """A container ends with its first process: what it left behind is ours by now, and is killed."""
        while True:
            left = [pid for pid in procfs.children(os.getpid()) if pid not in self._kept and _in_session(pid, session)]
            if not left:
                return
            for pid in left:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)  # its own children are ours afterwards, hence the loop


def _forked() -> int:
    """As `os.fork`; the child holds all signals back until it is settled."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _write(directory: Path, record: runs.Run) -> None:
    try:
        runs.write(directory, record)
    except OSError as error:
        # A full disk must not end the keeper: it has other runs.
        print(f"record not written directory={directory} error={error}", file=sys.stderr, flush=True)


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Just forked: it has not opened its session yet. It holds the signal back until it is settled.
        os.kill(pid, number)


def _in_session(pid: int, session: int) -> bool:
    found = procfs.stat(pid)
    return found is not None and found.session == session


def _rest(pipe: int) -> bytes:
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, 65536)
    except BlockingIOError:
        return b""  # a grandchild that outlived the sweep holds the other end


def _announcement(said: bytes) -> Announcement | None:
    text = said.partition(b"\n")[0]
    if not text:
        return None
    try:
        return decode_announcement(text)
    except msgspec.DecodeError as error:
        return Announcement(event="failed", reason="Error", message=f"not an announcement: {error}")
