"""A head that was read before is read by its bytes: clients see no difference."""

import asyncio

import pytest
from tests.contract.model_server.models import Echo
from tests.contract.model_server.serving import get, post, serving

from inferplane.dataplane.server.http.known_heads import KnownHeads
from inferplane.dataplane.server.http.wire import Incoming

PREDICT = "/v1/models/TestModel:predict"


def body(number: int) -> bytes:
    return b'{"instances":[%d]}' % number


async def test_requests_with_one_head_keep_their_own_bodies_and_ids() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        answers = []
        for number in range(1, 6):
            client.send(post(PREDICT, body(number)))
            answers.append(await client.answer())
    assert [answer.body for answer in answers] == [b'{"predictions":[%d]}' % number for number in range(1, 6)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 5


async def test_a_known_head_may_come_in_pieces_pipelined_and_before_other_requests() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        for number in (1, 2):
            client.send(post(PREDICT, body(number)))
            assert (await client.answer()).body == b'{"predictions":[%d]}' % number
        whole = post(PREDICT, body(3))
        for piece in (whole[:10], whole[10:-3], whole[-3:]):
            client.send(piece)
            await client.writer.drain()
            await asyncio.sleep(0.01)
        client.send(post(PREDICT, body(4)) + post(PREDICT, body(5)) + get("/v2/health/live") + post(PREDICT, body(6)))
        bodies = [(await client.answer()).body for _ in range(5)]
    assert bodies == [
        b'{"predictions":[3]}',
        b'{"predictions":[4]}',
        b'{"predictions":[5]}',
        b'{"live":true}',
        b'{"predictions":[6]}',
    ]


HEAD = b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n"


def read(**changes: object) -> Incoming:
    given = {"method": b"POST", "target": b"/x", "headers": [(b"host", b"h")], "length": 2, "own_id": True}
    return Incoming(**(given | changes))  # type: ignore[arg-type]  # fields of all types


def test_only_exactly_one_request_is_read() -> None:
    heads = KnownHeads()
    heads.remember(HEAD + b"ab", read())
    found = heads.read(HEAD + b"cd")
    assert found is not None
    assert (found.body, found.target, found.header_map()["host"]) == (b"cd", b"/x", "h")
    for data in (HEAD, HEAD + b"a", HEAD + b"abc", b"\r\n" + HEAD + b"ab", HEAD.replace(b"h\r", b"H\r") + b"ab", b"ab"):
        assert heads.read(data) is None


def test_a_read_request_is_its_own() -> None:
    heads = KnownHeads()
    heads.remember(HEAD + b"ab", read())
    first = heads.read(HEAD + b"ab")
    assert first is not None
    first.header_map()["host"] = "changed"
    first.keep_alive = False
    second = heads.read(HEAD + b"ab")
    assert second is not None
    assert (second.header_map()["host"], second.keep_alive) == ("h", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"own_id": False},
        {"keep_alive": False},
        {"version": "1.0"},
        {"chunked": True},
        {"coding": b"gzip"},
        {"expects_continue": True},
        {"length": 0},
        {"length": 3},
        {"headers": [(b"traceparent", b"00-1-2-01")]},
    ],
)
def test_odd_heads_are_not_kept(changes: dict[str, object]) -> None:
    heads = KnownHeads()
    heads.remember(HEAD + b"ab", read(**changes))
    assert heads.read(HEAD + b"ab") is None


def test_the_number_of_heads_is_bounded() -> None:
    heads = KnownHeads()
    for number in range(1000):
        heads.remember(HEAD.replace(b"/x", b"/%d" % number) + b"ab", read())
    assert len(heads._requests) <= 256
