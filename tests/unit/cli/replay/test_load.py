"""Entries and a made-up server in; the order, the pace and the ends of requests out."""

import asyncio
from collections.abc import Sequence

import pytest

from inferplane.cli.replay.load import Pace, moments, replay
from inferplane.cli.replay.records import Answer, Entry, RecordError
from inferplane.client.inference.connection import Received
from inferplane.client.inference.errors import TimedOut
from inferplane.kernel.clock import SystemClock


def entries(*whens: float | None) -> list[Entry]:
    return [Entry(str(number), number, (0, 0), None, when) for number, when in enumerate(whens, 1)]


class Server:
    """Answers with what it was sent, at most `most` at a time; the request b"2" never is answered."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.came: list[bytes] = []

    async def exchange(self, request: Sequence[bytes], timeout: float | None) -> Received:
        self.came.append(request[0])
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0)
        self.running -= 1
        if request[0] == b"2":
            raise TimedOut("http://x", timeout)
        return Received(200, {"inference-header-content-length": "7"}, request[0])


class Ends:
    def __init__(self) -> None:
        self.answers: dict[int, Answer] = {}
        self.reasons: dict[int, str] = {}

    def answered(self, position: int, answer: Answer) -> None:
        self.answers[position] = answer

    def failed(self, position: int, reason: str) -> None:
        self.reasons[position] = reason

    def left_out(self, position: int, reason: str) -> None:
        self.reasons[position] = f"left out: {reason}"


def prepare(entry: Entry) -> bytes:
    if entry.id == "3":
        raise RecordError("no body")
    return entry.id.encode()


async def test_each_is_sent_once_in_order_and_has_one_end() -> None:
    server, ends = Server(), Ends()
    await replay(entries(*[None] * 6), server, prepare, Pace(concurrency=2, timeout=5), ends, SystemClock())
    assert server.came == [b"1", b"2", b"4", b"5", b"6"]
    assert server.most == 2
    assert {position: one.body for position, one in ends.answers.items()} == {0: b"1", 3: b"4", 4: b"5", 5: b"6"}
    assert ends.reasons == {1: "no answer within 5 s", 2: "left out: no body"}
    assert ends.answers[0].json_length == 7


@pytest.mark.parametrize(
    ("pace", "due"),
    [
        (Pace(), [None, None, None]),
        (Pace(rate=10), [0.0, 0.1, 0.2]),
        (Pace(speed=1.0), [0.0, 1.0, 3.0]),
        (Pace(speed=2.0), [0.0, 0.5, 1.5]),
    ],
)
def test_when_a_request_is_due(pace: Pace, due: list[float | None]) -> None:
    assert list(moments(entries(100.0, 101.0, 103.0), pace)) == due


def test_as_they_came_needs_times() -> None:
    with pytest.raises(RecordError, match="line 2: the event has no time"):
        list(moments(entries(100.0, None), Pace(speed=1.0)))


class Late(SystemClock):
    """A second passes between each request and its answer."""

    def __init__(self) -> None:
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        # The start; due, answered; due, answered; the end.
        return [0.0, 0.0, 1.0, 1.0, 2.0, 2.0][self._looks - 1]

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("it is late already")


async def test_what_could_not_be_sent_in_time_has_waited() -> None:
    ends, clock = Ends(), Late()
    server = Server()
    _, late = await replay(entries(None, None), server, lambda _: b"x", Pace(1, rate=10), ends, clock)
    assert late == 1
    assert [round(one.seconds or 0, 3) for _, one in sorted(ends.answers.items())] == [1.0, 1.9]
