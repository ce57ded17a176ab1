from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.clock import FakeClock

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.progress import Progress
from inferplane.resources.meta import Condition, ConditionStatus

KEY = Key("default", "iris")


@dataclass(frozen=True)
class Said:
    conditions: Sequence[Condition]


def said(ready: str, message: str = "") -> Said:
    return Said([Condition(type="Ready", status=ConditionStatus(ready), message=message)])


def test_progress_waits_from_its_first_change_on_and_is_then_written() -> None:
    clock = FakeClock()
    progress = Progress(clock, 0.1)
    before = Said([])
    assert progress.of_status(KEY, before, said("Unknown", "one")) == 0.1
    clock.advance(0.0625)
    assert progress.of_status(KEY, before, said("Unknown", "two")) == 0.1 - 0.0625
    clock.advance(0.0625)
    assert progress.of_status(KEY, before, said("Unknown", "three")) == 0
    assert progress.of_status(KEY, said("Unknown", "three"), said("Unknown", "four")) == 0.1


def test_what_becomes_ready_or_is_no_longer_is_written_at_once() -> None:
    progress = Progress(FakeClock(), 0.1)
    assert progress.of_status(KEY, said("Unknown"), said("True")) == 0
    assert progress.of_status(KEY, said("True"), said("False")) == 0
    assert progress.of_status(KEY, said("True", "one"), said("True", "two")) == 0


def test_a_status_that_says_nothing_new_waits_for_nothing() -> None:
    assert Progress(FakeClock(), 0.1).of_status(KEY, said("Unknown"), said("Unknown")) == 0


def test_without_patience_nothing_waits() -> None:
    assert Progress(FakeClock(), 0.0).of_status(KEY, Said([]), said("Unknown")) == 0


def test_what_was_urgent_in_between_begins_the_wait_anew() -> None:
    clock = FakeClock()
    progress = Progress(clock, 0.1)
    assert progress.of_change(KEY, urgent=False) == 0.1
    clock.advance(0.0625)
    assert progress.of_change(KEY, urgent=True) == 0
    assert progress.of_change(KEY, urgent=False) == 0.1
