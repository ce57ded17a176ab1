"""Ctrl-C and its kin: what asks us to end, as KeyboardInterrupt, and not in the middle of what must be finished."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A closed terminal (SIGHUP) and a polite kill (SIGTERM) end a command as Ctrl-C does.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_as_interrupt() -> None:
    """From now on each of ENDING raises KeyboardInterrupt."""
    for one in ENDING[1:]:
        signal.signal(one, signal.default_int_handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Holds ENDING back until the block has ended, then raises KeyboardInterrupt if one came.

    Handlers and not a signal mask: child processes would inherit the mask, and could not be ended.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = {one: signal.signal(one, note) for one in ENDING}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if came:
        raise KeyboardInterrupt
