import pytest
from bench.figures import Figures, Round, Sample, Start, median_start, medians, percentile


def test_figures_are_medians_of_each_column_by_itself() -> None:
    samples = [
        Sample(Round(rate=100, p50=3, p99=30, requests=200), cpu_seconds=0.4),
        Sample(Round(rate=300, p50=1, p99=10, requests=600), cpu_seconds=0.6),
        Sample(Round(rate=200, p50=2, p99=90, requests=400), cpu_seconds=0.2),
    ]
    assert medians(samples) == Figures(rates=(100, 300, 200), p50=2, p99=30, cpu=1.0)


def test_the_rate_is_the_median_of_the_rounds() -> None:
    assert Figures((100, 300, 200), 1, 1, 1).rate == 200


def test_how_many_times_as_fast_is_the_median_of_each_rounds_ratio() -> None:
    ours, theirs = Figures((100, 40, 90), 1, 1, 1), Figures((10, 5, 3), 1, 1, 1)
    assert ours.over(theirs) == 10


def test_one_slow_start_does_not_change_the_median() -> None:
    assert median_start([Start(1.0, 80), Start(9.0, 82), Start(1.2, 81)]) == Start(1.2, 81)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(50, 2.0), (51, 3.0), (75, 3.0), (99, 4.0), (100, 4.0), (0, 1.0)],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent: float, expected: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == expected
