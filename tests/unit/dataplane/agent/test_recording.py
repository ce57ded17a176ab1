"""What the server's loop notes of a request, and what becomes of notes that nobody takes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inferplane.dataplane.agent import channel
from inferplane.dataplane.agent.events import Exchange
from inferplane.dataplane.agent.recording import Recording
from inferplane.dataplane.agent.settings import Bounds, LoggerSettings, Mode
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.http.wire import Incoming

LIMIT = 30.0


class Reader:
    """The writer's end."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(LIMIT)
        self.end = end
        self.incoming = channel.Incoming()

    async def next(self) -> list[Exchange]:
        found: list[Exchange] = []
        while not found:
            found = self.incoming.feed(await asyncio.to_thread(self.end.recv, 2 * channel.PACKET))
        return found


@asynccontextmanager
async def recording(**given: object) -> AsyncIterator[tuple[Recording, Reader, list[float]]]:
    ours, theirs = channel.pair()
    lost: list[float] = []
    settings = LoggerSettings(("http://sink",), headers=("X-User",), **given)  # type: ignore[arg-type]  # by name
    made = Recording(ours, settings, lost.append)
    with theirs:
        yield made, Reader(theirs), lost
        await made.finish(0.1)


def request(body: bytes = b"{}", **headers: str) -> Incoming:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Incoming(method=b"POST", target=b"/v1/models/m:predict", headers=named, body=body, began=1.0, status=200)


@pytest.mark.parametrize(
    ("method", "target", "wanted"),
    [
        ("POST", "/v1/models/m:predict", True),
        ("POST", "/v2/models/m/infer", True),
        ("POST", "/v2/models/Model/versions/1/infer", True),
        ("POST", "/openai/v1/chat/completions", True),
        ("POST", "/inference.GRPCInferenceService/ModelInfer", True),
        ("POST", "/inference.GRPCInferenceService/ModelStreamInfer", True),
        ("POST", "/inference.GRPCInferenceService/ServerLive", False),
        ("POST", "/inference.GRPCInferenceService/ModelMetadata", False),
        ("POST", "/inference.GRPCInferenceService/RepositoryModelLoad", False),
        ("POST", "/grpc.health.v1.Health/Check", False),
        ("POST", "/v2/repository/index", False),
        ("POST", "/v2/repository/models/m/load", False),
        ("GET", "/v2/models/m/ready", False),
    ],
)
async def test_inference_is_logged_and_nothing_else(method: str, target: str, wanted: bool) -> None:
    async with recording() as (made, _, _):
        assert [made.wants(method.encode(), target.encode()) for _ in range(2)] == [wanted, wanted]


async def test_a_note_has_the_headers_that_are_asked_for_and_both_bodies() -> None:
    async with recording() as (made, reader, _):
        asked = request(content_type="application/json", x_user="ada", cookie="secret")
        length = ((b"inference-header-content-length", b"2"),)
        made.answered(asked, Answer(200, b"", b"application/octet-stream", length), (b"{}", b"\x01"))
        [note] = await reader.next()
    assert (note.body, note.answer, note.status) == (b"{}", b"{}\x01", 200)
    assert note.headers == {"content-type": "application/json", "x-user": "ada"}
    assert (note.answer_type, note.answer_length, note.began) == ("application/octet-stream", 2, 1.0)


@pytest.mark.parametrize(
    ("mode", "parts"), [(Mode.ALL, (b"{}", b"a")), (Mode.REQUEST, (b"{}", None)), (Mode.RESPONSE, (None, b"a"))]
)
async def test_the_half_that_is_not_asked_for_is_not_even_handed_on(
    mode: Mode, parts: tuple[bytes | None, bytes | None]
) -> None:
    async with recording(mode=mode) as (made, reader, _):
        made.answered(request(), Answer(200, b"a"), b"a")
        [note] = await reader.next()
    assert (note.body, note.answer) == parts


async def test_an_answer_that_is_no_success_or_was_never_complete_is_no_answer() -> None:
    async with recording() as (made, reader, _):
        made.answered(request(), Answer(400, b"no"), b"no")
        made.answered(request(), None, None)
        made.answered(request(), Answer(200, b""), None)
        notes = await reader.next()
    assert [note.answer for note in notes] == [None, None, None]


async def test_what_is_not_logged_or_was_refused_unread_is_not_noted() -> None:
    async with recording() as (made, reader, _):
        for one in (
            Incoming(method=b"GET", target=b"/v1/models/m:predict", status=200),
            Incoming(method=b"POST", target=b"/v2/repository/index", status=200),
            Incoming(method=b"POST", target=b"/v1/models/m:predict", refusal=Answer(413, b""), status=413),
            request(b"this one"),
        ):
            made.answered(one, Answer(200, b"a"), b"a")
        assert [note.body for note in await reader.next()] == [b"this one"]


async def test_a_share_is_of_requests() -> None:
    async with recording(share=0.0) as (made, _, lost):
        made.answered(request(), Answer(200, b"a"), b"a")
        assert lost == []
    async with recording(share=0.5) as (made, reader, _):
        for _ in range(400):
            made.answered(request(), Answer(200, b"a"), b"a")
        notes = await reader.next()
        # 400 coins: fewer than 100 or more than 300 heads are as good as impossible (10 standard deviations).
        assert 100 < len(notes) < 300


async def test_what_nobody_takes_is_bounded_dropped_and_counted() -> None:
    async with recording(bounds=Bounds(bytes=1_000_000)) as (made, _, lost):
        for _ in range(40):
            made.answered(request(bytes(100_000)), Answer(200, b"a"), b"a")
    # What fits into the socket or into the bound waits until the end; all of the rest is counted.
    assert sum(lost) >= 25


async def test_a_writer_that_is_gone_for_good_costs_nothing_but_its_notes() -> None:
    async with recording() as (made, reader, lost):
        reader.end.close()
        for _ in range(3):
            made.answered(request(bytes(100_000)), Answer(200, b"a"), b"a")
        assert sum(lost) == 3
