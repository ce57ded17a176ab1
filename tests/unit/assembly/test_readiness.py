"""The readiness pipe is written to once: its number may be another file's afterwards."""

import os

from inferplane.assembly.readiness import READY, VARIABLE, Event, announce


def test_what_is_announced_later_goes_nowhere() -> None:
    reading, writing = os.pipe()
    environ = {VARIABLE: str(writing)}
    announce(environ, READY)
    assert VARIABLE not in environ
    other = os.dup(reading)
    announce(environ, Event(event="failed"))
    os.close(other)
    assert os.read(reading, 100) == b'{"event":"ready"}\n'
    os.close(reading)


def test_without_a_listener_nothing_happens() -> None:
    announce({}, READY)
