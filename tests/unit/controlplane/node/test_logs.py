from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.controlplane.node.logs import Journal, Query, last_lines, rotated_path, stream


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "0.log"


async def said(log: Path, query: Query = Query()) -> bytes:  # noqa: B008 - frozen
    return b"".join([block async for block in stream(log, query, FakeClock(), lambda: True)])


@pytest.mark.parametrize(
    ("tail", "expected"),
    [(None, b"a\nb\nc\n"), (0, b""), (1, b"c\n"), (2, b"b\nc\n"), (9, b"a\nb\nc\n")],
)
async def test_the_tail_counts_lines_from_the_end(log: Path, tail: int | None, expected: bytes) -> None:
    log.write_bytes(b"a\nb\nc\n")
    assert await said(log, Query(tail=tail)) == expected


async def test_a_last_line_without_its_end_is_a_line(log: Path) -> None:
    log.write_bytes(b"a\nb\nc")
    assert await said(log, Query(tail=2)) == b"b\nc"


async def test_a_tail_that_spans_many_blocks_is_found(log: Path) -> None:
    line = b"x" * 999 + b"\n"
    log.write_bytes(line * 2000)
    assert await said(log, Query(tail=1500)) == line * 1500


async def test_the_limit_cuts_bytes(log: Path) -> None:
    log.write_bytes(b"abc\ndef\n")
    assert await said(log, Query(limit=5)) == b"abc\nd"


async def test_lines_have_the_time_at_which_they_were_first_seen(log: Path) -> None:
    journal = Journal()
    log.write_bytes(b"a\n")
    journal.note([log], 1767225600.0)
    log.write_bytes(b"a\nb\nc\n")
    journal.note([log], 1767225601.5)
    assert await said(log, Query(timestamps=True)) == (
        b"2026-01-01T00:00:00.000000Z a\n2026-01-01T00:00:01.500000Z b\n2026-01-01T00:00:01.500000Z c\n"
    )
    assert await said(log, Query(since=1767225601.0)) == b"b\nc\n"
    assert await said(log, Query(since=1767225600.0)) == b"a\nb\nc\n"


async def test_nothing_is_newer_than_the_last_line(log: Path) -> None:
    log.write_bytes(b"a\n")
    Journal().note([log], 1767225600.0)
    assert await said(log, Query(since=1767225700.0)) == b""


async def test_a_log_past_its_limit_is_set_aside_and_begins_anew(log: Path) -> None:
    journal = Journal(limit=4)
    with log.open("ab", buffering=0) as process:
        process.write(b"a\nb\nc\n")
        journal.note([log], 1.0)
        process.write(b"d\n")
        journal.note([log], 2.0)
    assert rotated_path(log).read_bytes() == b"a\nb\nc\n"
    assert await said(log) == b"d\n"


async def test_following_gives_whole_lines_as_they_come_and_the_rest_at_the_end(log: Path) -> None:
    log.write_bytes(b"a\nb")
    ended, heard = False, []

    class Writing(FakeClock):
        async def sleep(self, seconds: float) -> None:
            nonlocal ended
            with log.open("ab") as process:
                process.write(b"!\nc")
            ended = True

    async for block in stream(log, Query(follow=True), Writing(), lambda: ended):
        heard.append(block)  # noqa: PERF401 - block by block
    assert heard == [b"a\n", b"b!\n", b"c"]


def test_last_words_are_the_end_of_the_log(log: Path) -> None:
    assert last_lines(log, 2, 100) == ""
    log.write_bytes(b"one\ntwo\nthree\n")
    assert (last_lines(log, 2, 100), last_lines(log, 9, 4)) == ("two\nthree", "ree")
