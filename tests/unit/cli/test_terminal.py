import io

import pytest

from inferplane.cli.terminal import CLEAR, Terminal, columns, step_line


class HandClock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def plain() -> tuple[Terminal, io.StringIO, HandClock]:
    out, clock = io.StringIO(), HandClock()
    return Terminal(out, live=False, monotonic=clock), out, clock


def test_a_step_is_one_line_with_its_last_words_and_its_time() -> None:
    terminal, out, clock = plain()
    with terminal.step("platform", "starting") as step:
        step.update("ready")
        clock.time = 0.62
    assert (
        out.getvalue()
        == "● platform               ready                                                         0.6 s\n"
    )


def test_off_a_terminal_a_slow_step_tells_what_it_is_doing() -> None:
    terminal, out, clock = plain()
    with terminal.step("model") as step:
        step.update("fetching")
        clock.time = 1.5
        step.update("loading")
        step.update("loading")
    assert [line.split()[:3] for line in out.getvalue().splitlines()] == [
        ["…", "model", "loading"],
        ["●", "model", "loading"],
    ]


def test_a_step_that_fails_is_marked_and_the_error_goes_on() -> None:
    terminal, out, _ = plain()
    with pytest.raises(RuntimeError), terminal.step("model"):
        raise RuntimeError
    assert out.getvalue().startswith("✗ model")


def test_a_step_may_be_marked_as_failed_without_an_error() -> None:
    terminal, out, _ = plain()
    with terminal.step("model") as step:
        step.fail()
    assert out.getvalue().startswith("✗ model")


def test_plain_output_holds_no_control_characters() -> None:
    terminal, out, _ = plain()
    with terminal.step("a"):
        terminal.say("b")
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


def test_a_live_line_is_cleared_before_the_final_one() -> None:
    out = io.StringIO()
    with Terminal(out, live=True).step("platform", "starting"):
        pass
    assert out.getvalue().rpartition(CLEAR)[2].startswith("● platform")


def test_a_live_line_never_wraps() -> None:
    out = io.StringIO()
    Terminal(out, live=True, width=20).draw("x" * 50)
    assert out.getvalue() == CLEAR + "x" * 19


def test_long_words_move_the_columns_aside() -> None:
    line = step_line("●", "inferenceservice/sklearn-iris", "applied → Ready", 0.21)
    assert line.startswith("● inferenceservice/sklearn-iris applied → Ready")
    assert line.endswith("0.2 s")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([["NAME", "READY"], ["sklearn-iris", "True"]]) == ["NAME           READY", "sklearn-iris   True"]


def test_no_rows_make_no_lines() -> None:
    assert columns([]) == []
