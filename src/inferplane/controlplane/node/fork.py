"""The child's side of a fork: from a copy of the keeper to a process of its own.

`settle` gives it a session, its own descriptors, environment and random numbers; `run` then calls the entry point or
execs the command and never returns. Nothing here may fail silently: what goes wrong is announced over the readiness
pipe and written to the container's log.
"""

import atexit
import ctypes
import fcntl
import gc
import importlib
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

import msgspec

from inferplane.controlplane.node.protocol import Announcement, Launch
from inferplane.controlplane.node.runs import log_path

READY_DESCRIPTOR = 3
READY_VARIABLE = "INFERPLANE_READY_FD"
# What containerd reports for a container whose process could not be started.
START_FAILED = 128

_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 4, 15, 38
# Loaded before the fork: a child should not pay for it.
_libc = ctypes.CDLL(None, use_errno=True)


def settle(launch: Launch, pipe: int) -> None:
    """`pipe` is the writing end of the readiness pipe. The caller has closed what it owned and blocked all signals."""
    os.setsid()
    _descriptors(launch, pipe)
    _signals()
    os.umask(0o022)
    os.chdir(launch.cwd)
    for name, limits in launch.limits.items():
        resource.setrlimit(getattr(resource, name), limits)
    for one in launch.cgroups:
        _join(one)
    if launch.uid >= 0:
        _become(launch.uid, launch.gid, launch.groups)
    if launch.no_new_privileges and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs cannot be set")
    os.environ.clear()
    os.environ.update(launch.environment)
    if launch.announces:
        os.environ[READY_VARIABLE] = str(READY_DESCRIPTOR)
    time.tzset()
    if launch.title:
        _retitle(launch.title)


def run(launch: Launch) -> NoReturn:
    """Becomes the container's process."""
    if launch.entrypoint:
        _leave(_call(launch))
    try:
        os.execvp(launch.argv[0], launch.argv)
    except OSError as error:
        _announce_failure("StartError", f"exec {launch.argv[0]!r}: {error.strerror}")
        print(f"exec {launch.argv[0]!r}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(START_FAILED)


def fail(error: BaseException) -> NoReturn:
    """`settle` could not do its work: the run ends before it began."""
    _announce_failure("StartError", f"{type(error).__name__}: {error}")
    os._exit(START_FAILED)


def _join(processes: str) -> None:
    """A control group, by its `cgroup.procs`; 0 stands for who writes."""
    descriptor = os.open(processes, os.O_WRONLY)
    try:
        os.write(descriptor, b"0")
    finally:
        os.close(descriptor)


def _become(uid: int, gid: int, groups: list[int]) -> None:
    """Another user, for good."""
    os.fchown(1, uid, gid)  # the log, which /dev/stdout opens again
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # Or its own /proc would be root's.
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def _descriptors(launch: Launch, pipe: int) -> None:
    """0 reads nothing, 1 and 2 append to the log, 3 is the readiness pipe; all others are closed."""
    log = os.open(log_path(Path(launch.directory), launch.attempt), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    # Out of the way first: any of these may be open under a number that is about to be overwritten.
    log, null, pipe = (_above(descriptor, 16) for descriptor in (log, null, pipe))
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    # A command that we exec only holds the pipe if it speaks the protocol; a Python entry point closes it itself.
    os.dup2(pipe, READY_DESCRIPTOR, inheritable=launch.announces)
    os.closerange(READY_DESCRIPTOR + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a TextIOWrapper in every keeper


def _above(descriptor: int, floor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD, floor)


def _retitle(title: str) -> None:
    """What `ps` and `top` show, instead of the keeper's command. An exec puts the command's own words there."""
    _libc.prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)
    # proc(5), fields 48 and 49: where this process' arguments are in its memory.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])
    if start and end - start > 1:
        ctypes.memmove(start, title.encode()[: end - start - 1].ljust(end - start, b"\0"), end - start)


def _signals() -> None:
    """Everything as a fresh process has it; Python's own choices (SIGPIPE ignored, SIGINT raised) included."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except OSError:
                continue  # the C library keeps a few real-time signals for itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _call(launch: Launch) -> int:
    """The entry point's exit code, by the rules of `sys.exit`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _reseed()
    gc.enable()
    sys.argv = [launch.entrypoint, *launch.argv]
    module, _, function = launch.entrypoint.partition(":")
    try:
        code = getattr(importlib.import_module(module), function)(launch.argv)
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
        return 1
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _reseed() -> None:
    """All forks of one zygote would otherwise draw the same random numbers."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


def _leave(code: int) -> NoReturn:
    """Ends as an interpreter does, less the tearing down of modules, which would only copy shared pages."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # joins the non-daemon threads, as Python's own exit
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        code = code or 1
    os._exit(code & 0xFF)


def _announce_failure(reason: str, message: str) -> None:
    said = Announcement(event="failed", reason=reason, message=message)
    try:
        os.write(READY_DESCRIPTOR, msgspec.json.encode(said) + b"\n")
    except OSError:
        pass  # settling failed before the pipe was in place; the exit code is all there is
