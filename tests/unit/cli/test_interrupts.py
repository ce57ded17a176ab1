import os
import signal

import pytest

from inferplane.cli.interrupts import deferred


def test_an_interrupt_waits_until_the_block_has_ended() -> None:
    done: list[str] = []

    def work() -> None:
        with deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_without_an_interrupt_nothing_is_raised_and_the_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with deferred():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_of_the_block_is_not_replaced_by_the_interrupt() -> None:
    def work() -> None:
        with deferred():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()
