from datetime import UTC, datetime, timedelta, timezone

from inferplane.kernel.clock import micro_timestamp, parse_timestamp, timestamp

MOMENT = datetime(2026, 11, 23, 14, 2, 11, 42_000, tzinfo=UTC)


def test_times_are_written_as_kubernetes_writes_them() -> None:
    assert timestamp(MOMENT) == "2026-11-23T14:02:11Z"
    assert micro_timestamp(MOMENT) == "2026-11-23T14:02:11.042000Z"


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    assert timestamp(MOMENT.astimezone(timezone(timedelta(hours=2)))) == "2026-11-23T14:02:11Z"


def test_what_was_written_is_read_back() -> None:
    assert parse_timestamp(micro_timestamp(MOMENT)) == MOMENT
    assert parse_timestamp(timestamp(MOMENT)) == MOMENT.replace(microsecond=0)
