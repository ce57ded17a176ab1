"""Rings of one-second buckets: their averages, held against a model that keeps every figure."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inferplane.controlplane.autoscaling.windows import LinearWindow, WeightedWindow, decay

T0 = 946_684_800


def filled(window: LinearWindow, *values: float, since: int = T0) -> LinearWindow:
    for n, value in enumerate(values):
        window.record(since + n, value)
    return window


def test_a_starting_window_averages_over_the_seconds_it_has_seen() -> None:
    assert filled(LinearWindow(60), 6, 0, 0).average(T0 + 2) == 2


def test_silent_seconds_at_the_end_are_left_out_and_those_in_the_middle_count_as_none() -> None:
    window = filled(LinearWindow(4), 8, 8, 8, 8)
    assert [window.average(T0 + 3 + silence) for silence in range(5)] == [8, 8, 8, 8, 0]
    window.record(T0 + 6, 8)
    assert window.average(T0 + 6) == 4


def test_figures_of_one_second_add_up() -> None:
    window = LinearWindow(6)
    window.record(T0, 2)
    window.record(T0, 3)
    assert window.average(T0) == 5


def test_at_an_age_of_one_window_the_average_is_0_and_a_second_later_nothing_is_known() -> None:
    window = filled(LinearWindow(6), 5)
    assert (window.average(T0 + 6), window.is_empty(T0 + 6)) == (0, False)
    assert window.is_empty(T0 + 7)


def test_a_window_starts_anew_after_silence_of_its_own_length() -> None:
    window = filled(LinearWindow(6), *[10] * 6)
    window.record(T0 + 5 + 6, 3)
    assert window.average(T0 + 11) == 3


def test_a_late_figure_counts_unless_it_is_a_window_late() -> None:
    window = filled(LinearWindow(6), *[6] * 8)
    window.record(T0 + 2, 6)
    window.record(T0 + 1, 600)
    assert window.average(T0 + 7) == 7


@pytest.mark.parametrize(("value", "rounded"), [(1e-6, 1e-6), (4e-7, 0.0), (5e-7, 1e-6), (-5e-7, -1e-6), (-4e-7, 0.0)])
def test_the_linear_average_has_six_decimals_halves_away_from_zero(value: float, rounded: float) -> None:
    assert filled(LinearWindow(6), value).average(T0) == rounded


@pytest.mark.parametrize(("size", "weight"), [(6, 0.785), (30, 0.264), (42, 0.2), (600, 0.2)])
def test_the_newest_second_weighs_so_much(size: int, weight: float) -> None:
    assert decay(size) == pytest.approx(weight, abs=5e-4)


def test_a_weighted_window_starts_low_and_keeps_a_rest_until_it_has_emptied() -> None:
    window = filled(WeightedWindow(60), 10, 10)
    assert window.average(T0) == pytest.approx(3.6)  # a late look: only what is older counts less
    assert window.average(T0 + 1) == pytest.approx(10 * (0.2 + 0.16))
    assert 0 < window.average(T0 + 60) < 1e-4
    assert window.average(T0 + 61) == 0


def test_a_smaller_window_keeps_the_newest_figures_and_a_larger_one_all() -> None:
    smaller, larger = filled(LinearWindow(6), *range(1, 7)), filled(LinearWindow(6), *range(1, 7))
    smaller.resize(2, T0 + 5)
    larger.resize(12, T0 + 5)
    assert smaller.average(T0 + 5) == (5 + 6) / 2
    assert larger.average(T0 + 5) == sum(range(1, 7)) / 6


def test_a_resize_after_the_data_has_expired_makes_a_longer_window_idle_not_unknown() -> None:
    window = filled(LinearWindow(6), 5)
    window.resize(60, T0 + 7)
    assert (window.is_empty(T0 + 7), window.average(T0 + 7)) == (False, 0)
    window.record(T0 + 8, 4)
    assert window.average(T0 + 8) == 4


def test_a_released_window_goes_on_as_if_it_had_not_been() -> None:
    released, kept = (filled(LinearWindow(6), 5, 5) for _ in range(2))
    released.release(T0 + 8)
    for window in (released, kept):
        window.record(T0 + 9, 3)
    assert released.average(T0 + 9) == kept.average(T0 + 9) == 3


def test_a_window_with_data_is_not_released() -> None:
    window = filled(LinearWindow(6), 5)
    window.release(T0 + 6)
    window.resize(12, T0 + 6)
    assert window.average(T0 + 6) == pytest.approx(5 / 6)


# --- Against a model --------------------------------------------------------------------------------------------------


@dataclass
class Model:
    """Every figure by its second; nothing is ever subtracted."""

    size: int
    figures: dict[int, int] = field(default_factory=dict)
    first: int | None = None
    last: int | None = None

    def record(self, second: int, value: int) -> None:
        if self.last is None or second - self.last >= self.size:
            self.figures, self.first, self.last = {}, second, second
        elif second <= self.last - self.size:
            return
        self.last = max(self.last, second)
        self.first = second if self.first is None else min(self.first, second)
        self.figures[second] = self.figures.get(second, 0) + value

    def values(self, now: int) -> list[int]:
        """Newest first, from the last figure to the end of the window."""
        if self.last is None:
            return []
        return [self.figures.get(one, 0) for one in range(self.last, max(now, self.last) - self.size, -1)]

    def linear(self, now: int) -> float:
        values = self.values(now)
        if not values or self.last is None:
            return 0
        seen = len(values) if self.first is None else self.last - self.first + 1
        return sum(values) / min(seen, len(values))

    def weighted(self, now: int) -> float:
        if self.last is None:
            return 0
        a, silence = decay(self.size), max(0, now - self.last)
        return sum(value * a * (1 - a) ** (silence + n) for n, value in enumerate(self.values(now)))

    def resize(self, size: int, now: int) -> None:
        if self.last is None or now - self.last > self.size:
            self.figures, self.first = {}, None
        elif size != self.size:
            kept = range(self.last - min(size, self.size) + 1, self.last + 1)
            self.figures = {second: value for second, value in self.figures.items() if second in kept}
            self.first = self.last - (self.size - 1)
        self.size = size


FIGURES = some.lists(some.tuples(some.integers(-9, 14), some.integers(0, 50)), max_size=40)


@given(FIGURES, some.integers(1, 9), some.integers(-2, 12))
def test_both_averages_are_those_of_a_model_that_keeps_everything(
    figures: list[tuple[int, int]], size: int, later: int
) -> None:
    linear, weighted, model, now = LinearWindow(size), WeightedWindow(size), Model(size), T0
    for step, value in figures:
        for window in (linear, weighted, model):
            window.record(now + step, value)
        now += max(0, step)
        assert linear.average(now + later) == pytest.approx(model.linear(now + later), abs=1e-6)
        assert weighted.average(now + later) == pytest.approx(model.weighted(now + later), abs=1e-9)


@given(FIGURES, FIGURES, some.integers(1, 9), some.integers(1, 9), some.integers(0, 12))
def test_a_resized_window_goes_on_as_the_model_does(
    before: list[tuple[int, int]], after: list[tuple[int, int]], size: int, resized: int, pause: int
) -> None:
    window, model, now = LinearWindow(size), Model(size), T0
    for step, value in before:
        window.record(now + step, value)
        model.record(now + step, value)
        now += max(0, step)
    now += pause
    if resized != size:
        window.resize(resized, now)
        model.resize(resized, now)
    for step, value in after:
        window.record(now + step, value)
        model.record(now + step, value)
        now += max(0, step)
        assert window.average(now) == pytest.approx(model.linear(now), abs=1e-6)
