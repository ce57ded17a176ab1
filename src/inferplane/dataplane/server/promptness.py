"""Which thread gets a processor first: the event loop's before those that compute (Linux).

The loop runs for a fraction of a millisecond at a time; a thread that computes runs for seconds. While all processors
are busy the loop would wait for whole slices of such threads, those of its own process too. A shorter slice of its own
lets it run as soon as it wakes up (EEVDF, Linux 6.12 and later); its share of the processors is what it was. And where
a thread computes in Python, the loop asks for the interpreter by a wait of 50 µs, which a timer slack of 50 µs doubles:
the loop's slack is small, so its turn comes after half the time, while those that compute wait as long as ever.

So it is only while something computes: short slices cost a busy loop that is alone with its clients some 5 % of its
requests. What a kernel does not know, or a sandbox does not allow, is done without.
"""

import ctypes
import functools
import os
import platform
import struct
from collections.abc import Callable

SLICE = 100_000
"""Nanoseconds; the least that Linux takes."""

SLACK = 1_000
USUAL_SLACK = 50_000
"""Nanoseconds; threads have their parent's slack, not the system's."""

_SYSTEMS_SLICE = 0

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SET_TIMER_SLACK = 29
_RESET_ON_FORK = 1
_SCHED_ATTR = struct.Struct("=IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, deadline, period, clamps


class Promptness:
    """Of one loop: prompt while runs are under way on threads. Called on the loop's thread."""

    def __init__(self) -> None:
        self._runs = 0

    def begin(self) -> None:
        self._runs += 1
        if self._runs == 1:
            be_prompt()

    def end(self) -> None:
        self._runs -= 1
        if not self._runs:
            be_usual()


def be_prompt() -> None:
    """Makes the calling thread one that comes first. Threads and processes that it starts have the usual slice."""
    _be(SLICE, SLACK)


def be_usual() -> None:
    """Makes a prompt thread as it was."""
    _be(_SYSTEMS_SLICE, USUAL_SLACK)


def be_patient() -> None:
    """Makes the calling thread, started by a prompt one, as any other."""
    if hasattr(os, "SCHED_OTHER"):
        _call("prctl", _SET_TIMER_SLACK, USUAL_SLACK, 0, 0, 0)


def _be(slice: int, slack: int) -> None:
    if hasattr(os, "SCHED_OTHER") and os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER:
        _call("prctl", _SET_TIMER_SLACK, slack, 0, 0, 0)
        number = _SCHED_SETATTR.get(platform.machine())
        if number is not None:
            nice = os.getpriority(os.PRIO_PROCESS, 0)
            asked = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, _RESET_ON_FORK, nice, 0, slice, 0, 0, 0, 0)
            _call("syscall", number, 0, asked, 0)


def _call(name: str, *arguments: int | bytes) -> None:
    function = _function(name)
    if function is not None:
        function(*(ctypes.c_long(given) if isinstance(given, int) else given for given in arguments))


@functools.cache
def _function(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None)
