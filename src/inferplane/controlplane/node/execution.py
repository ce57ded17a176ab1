"""A command beside a container's process: with its environment, in its directory, in a session of its own.

    execution = start(command, Wanted(stdin=True))
    …                                   # execution.stdin, .stdout and .stderr don't block (`descriptors`)
    code = await execution.ended()      # nothing of its session is left then

It never outlives the node: the kernel kills it with us.
"""

import ctypes
import fcntl
import os
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.node import descriptors, procfs
from inferplane.controlplane.node.confinement import FREE, Bounds

_PR_SET_PDEATHSIG = 1
# Loaded here: nothing may be loaded between a fork and an exec.
_libc = ctypes.CDLL(None, use_errno=True)
_TERMINAL = {"TERM": "xterm"}
_CLOSED = -1


@dataclass(frozen=True, slots=True)
class Command:
    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    bounds: Bounds = FREE


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams are connected; the others lead nowhere. With `tty` all are one terminal, and stderr is unused.

    `merged`: errors go where the output goes.
    """

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False
    merged: bool = False


@dataclass(slots=True)
class Execution:
    """Our ends of the command's streams; -1 for one that is not connected, or closed."""

    process: subprocess.Popen[bytes]
    identity: procfs.Identity | None
    stdin: int = _CLOSED
    stdout: int = _CLOSED
    stderr: int = _CLOSED
    tty: bool = False

    async def ended(self) -> int:
        """The exit code; 128 and the signal's number for a command that was killed. What it left behind is killed."""
        if self.process.returncode is None:
            await descriptors.ended(self.process.pid)
        code = self.process.wait()
        self._kill_session()
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """SIGKILL to all of its session. `ended` must still be awaited."""
        self._kill_session()

    def close_stdin(self) -> None:
        """A terminal stays open: it is told that its input is at an end."""
        if self.stdin == _CLOSED:
            return
        if self.tty:
            _told_end(self.stdin)
        else:
            os.close(self.stdin)
        self.stdin = _CLOSED

    def resize(self, columns: int, rows: int) -> None:
        if self.tty and self.stdout != _CLOSED:
            fcntl.ioctl(self.stdout, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> None:
        """Closes our ends."""
        for one in {self.stdin, self.stdout, self.stderr} - {_CLOSED}:
            os.close(one)
        self.stdin = self.stdout = self.stderr = _CLOSED

    def _kill_session(self) -> None:
        if self.identity is not None:
            procfs.kill_session(self.identity)


def start(command: Command, wanted: Wanted) -> Execution:
    """Raises OSError when there is no such program (FileNotFoundError), or it can't be started."""
    return _on_terminal(command) if wanted.tty else _on_pipes(command, wanted)


def _on_pipes(command: Command, wanted: Wanted) -> Execution:
    null = os.open(os.devnull, os.O_RDWR)
    theirs, ours, to_close = [null, null, null], [_CLOSED, _CLOSED, _CLOSED], [null]
    for number, connected in enumerate((wanted.stdin, wanted.stdout, wanted.stderr and not wanted.merged)):
        if connected:
            reading, writing = os.pipe()
            theirs[number], ours[number] = (reading, writing) if number == 0 else (writing, reading)
            to_close.append(theirs[number])
            os.set_blocking(ours[number], False)
    if wanted.merged:
        theirs[2] = theirs[1]
    try:
        process = _popen(command, theirs, command.environment, _settle)
    except BaseException:
        for one in ours:
            if one != _CLOSED:
                os.close(one)
        raise
    finally:
        for one in to_close:
            os.close(one)
    stdin, stdout, stderr = ours
    return Execution(process, procfs.identity(process.pid), stdin, stdout, stderr)


def _on_terminal(command: Command) -> Execution:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    try:
        if command.bounds.user is not None:
            os.fchown(theirs, command.bounds.user.uid, -1)  # for a program that opens it by its name
        process = _popen(command, [theirs] * 3, {**_TERMINAL, **command.environment}, _settle_on_terminal)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return Execution(process, procfs.identity(process.pid), stdin=ours, stdout=ours, tty=True)


def _popen(
    command: Command,
    streams: Sequence[int],
    environment: Mapping[str, str],
    settle: Callable[[Sequence[int]], None],
) -> subprocess.Popen[bytes]:
    """`settle` is called in the child, with the control groups to join: opened here, where we may write them."""
    stdin, stdout, stderr = streams
    user = command.bounds.user
    with ExitStack() as stack:
        groups = [os.open(one, os.O_WRONLY) for one in command.bounds.groups]
        for one in groups:
            stack.callback(os.close, one)
        return subprocess.Popen(
            list(command.argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=dict(environment),
            cwd=command.cwd,
            start_new_session=True,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else user.groups,
            # Calls of the C library alone, of whose locks the node's threads hold none.
            preexec_fn=lambda: settle(groups),  # noqa: PLW1509
        )


def _settle(groups: Sequence[int]) -> None:
    for one in groups:
        os.write(one, b"0")
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _settle_on_terminal(groups: Sequence[int]) -> None:
    _settle(groups)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _told_end(terminal: int) -> None:
    try:
        os.write(terminal, b"\x04")
    except OSError:
        pass  # nobody reads there, or the terminal's queue is full of what nobody reads
