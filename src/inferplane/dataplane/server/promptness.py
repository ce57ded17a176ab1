"""Which thread gets a processor first: the event loop's before those that compute (Linux).

The loop runs for a fraction of a millisecond at a time; a thread that computes runs for seconds. While all processors
are busy the loop would wait for whole slices of such threads, those of its own process too. A shorter slice of its own
lets it run as soon as it wakes up (EEVDF, Linux 6.12 and later); its share of the processors is what it was. And where
a thread computes in Python, the loop asks for the interpreter by a wait of 50 µs, which a timer slack of 50 µs doubles:
the loop's slack is small, so its turn comes after half the time, while those that compute wait as long as ever.

What a kernel does not know, or a sandbox does not allow, is done without.
"""

import ctypes
import os
import platform
import struct

SLICE = 100_000
"""Nanoseconds; the least that Linux takes."""

SLACK = 1_000
USUAL_SLACK = 50_000
"""Nanoseconds; threads have their parent's slack, not the system's."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SET_TIMER_SLACK = 29
_RESET_ON_FORK = 1
_SCHED_ATTR = struct.Struct("=IIQiIQQQII")  # size, policy, flags, nice, priority, runtime, deadline, period, clamps


def be_prompt() -> None:
    """Makes the calling thread one that comes first. Threads and processes that it starts have the usual slice."""
    if hasattr(os, "SCHED_OTHER") and os.sched_getscheduler(0) == os.SCHED_OTHER:
        _call("prctl", _SET_TIMER_SLACK, SLACK, 0, 0, 0)
        number = _SCHED_SETATTR.get(platform.machine())
        if number is not None:
            nice = os.getpriority(os.PRIO_PROCESS, 0)
            asked = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_OTHER, _RESET_ON_FORK, nice, 0, SLICE, 0, 0, 0, 0)
            _call("syscall", number, 0, asked, 0)


def be_patient() -> None:
    """Makes the calling thread, started by a prompt one, as any other."""
    if hasattr(os, "SCHED_OTHER"):
        _call("prctl", _SET_TIMER_SLACK, USUAL_SLACK, 0, 0, 0)


def _call(name: str, *arguments: int | bytes) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*(ctypes.c_long(given) if isinstance(given, int) else given for given in arguments))
