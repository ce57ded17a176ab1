from datetime import UTC, datetime

import pytest

from inferplane.controlplane.apiserver.tables.ages import age, duration

M, H, D = 60, 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-0.5, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (10 * M, "10m"),
        (3 * H, "3h"),
        (3 * H + 5 * M, "3h5m"),
        (8 * H + 5 * M, "8h"),
        (47 * H, "47h"),
        (2 * D, "2d"),
        (2 * D + 3 * H, "2d3h"),
        (8 * D + 3 * H, "8d"),
        (3 * 365 * D + 4 * D, "3y4d"),
        (9 * 365 * D + 4 * D, "9y"),
    ],
)
def test_durations_read_as_kubectl_s(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_age_is_the_time_since_and_unknown_without_one() -> None:
    now = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert [age(moment, now) for moment in ("2026-01-01T00:00:00Z", None, "soon")] == ["5m", "<unknown>", "<invalid>"]
