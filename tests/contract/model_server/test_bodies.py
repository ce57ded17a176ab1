"""Large bodies past the parser, and bodies that are compressed on the way."""

import asyncio
import gzip
import zlib
from collections.abc import Callable

import orjson
import pytest
from tests.contract.model_server.models import Echo
from tests.contract.model_server.serving import get, post, request, serving

from inferplane.dataplane.server.http.large_body import FROM
from inferplane.dataplane.server.http.limits import Limits

PREDICT = "/v1/models/TestModel:predict"


def instances(size: int) -> bytes:
    """A body of `size` bytes."""
    frame = b'{"instances":["%b"]}'
    return frame % (b"x" * (size - len(frame) + 2))


@pytest.mark.parametrize("size", [FROM - 1, FROM, FROM + 1, 2**20, 2**20 + 1, 3_000_000, 40_000_000])
async def test_a_body_arrives_whole_whatever_its_size(size: int) -> None:
    body = instances(size)
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, body))
    assert (answer.status, answer.body) == (200, body.replace(b"instances", b"predictions"))


async def test_large_and_small_requests_take_turns_on_one_connection() -> None:
    sizes = [FROM * 3, 40, FROM, 40, FROM * 20]
    async with serving(Echo()) as server, await server.client() as client:
        client.send(b"".join(post(PREDICT, instances(size)) for size in sizes))
        answers = [len((await client.answer()).body) for _ in sizes]
    assert answers == [size + 2 for size in sizes]


async def test_a_large_body_may_come_in_pieces_with_its_head_apart() -> None:
    body = instances(FROM * 2)
    async with serving(Echo()) as server, await server.client() as client:
        for piece in (post(PREDICT, b"").replace(b"Content-Length: 0", b"Content-Length: %d" % len(body)), body[:1]):
            client.send(piece)
            await client.writer.drain()
        for at in range(1, len(body), 30_000):
            client.send(body[at : at + 30_000])
            await asyncio.sleep(0)
        assert len((await client.answer()).body) == len(body) + 2


async def test_a_large_body_is_waited_for_once_the_client_is_told_to_continue() -> None:
    body = instances(FROM)
    async with serving(Echo()) as server, await server.client() as client:
        client.send(request("POST", PREDICT, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert (await client.answer()).status == 200


async def test_a_large_body_that_stops_coming_is_408() -> None:
    limits = Limits(body_timeout=0.01)
    async with serving(Echo(), limits=limits) as server, await server.client() as client:
        client.send(request("POST", PREDICT, f"Content-Length: {FROM}") + b"x" * 1000)
        answer = await client.answer()
        assert (answer.status, orjson.loads(answer.body)) == (408, {"error": "the request did not arrive in time"})
        assert await client.closed()


async def test_a_large_body_that_is_cut_off_ends_the_connection_and_not_the_server() -> None:
    async with serving(Echo()) as server:
        async with await server.client() as client:
            client.send(request("POST", PREDICT, f"Content-Length: {FROM}") + b"x" * 1000)
            client.writer.write_eof()
            assert await client.closed()
        assert (await server.exchange(get("/"))).status == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip", "GZIP", "identity"])
async def test_a_request_may_be_compressed(coding: str) -> None:
    body = instances(100)
    deflated: dict[str, Callable[[bytes], bytes]] = {"deflate": zlib.compress, "identity": bytes}
    sent = deflated.get(coding, gzip.compress)(body)
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, sent, f"Content-Encoding: {coding}"))
    assert (answer.status, answer.body) == (200, body.replace(b"instances", b"predictions"))


async def test_a_gzip_body_may_have_several_members() -> None:
    sent = gzip.compress(b'{"instances"') + gzip.compress(b":[1]}")
    async with serving(Echo()) as server:
        assert (await server.exchange(post(PREDICT, sent, "Content-Encoding: gzip"))).body == b'{"predictions":[1]}'


@pytest.mark.parametrize(
    ("sent", "coding", "status", "message"),
    [
        (gzip.compress(b"x" * 1_000_000), "gzip", 413, "request body too large: the limit is 10000 bytes after decom"),
        (gzip.compress(b"x" * 100)[:-9], "gzip", 400, "the body is not gzip: the compressed data is cut off"),
        (b"", "gzip", 400, "the body is not gzip: the compressed data is cut off"),
        (b"plain", "gzip", 400, "the body is not gzip: Error -3 while decompressing data: incorrect header check"),
        (b"plain", "br", 415, "Content-Encoding br is not known: use gzip or deflate"),
    ],
)
async def test_what_cannot_be_inflated_is_refused_by_its_fault(
    sent: bytes, coding: str, status: int, message: str
) -> None:
    async with serving(Echo(), limits=Limits(body=10_000)) as server, await server.client() as client:
        client.send(post(PREDICT, sent, f"Content-Encoding: {coding}") + get("/"))
        answers = [await client.answer() for _ in range(2)]
    assert answers[0].status == status
    assert orjson.loads(answers[0].body)["error"].startswith(message)
    assert answers[1].status == 200


@pytest.mark.parametrize(
    ("accepts", "size", "coding"),
    [
        ("gzip", 5000, "gzip"),
        ("deflate;q=1", 5000, "deflate"),
        ("gzip, identity;q=0.5", 5000, "gzip"),
        ("gzip", 100, None),
        ("gzip, deflate, br", 5000, None),
        ("gzip;q=0", 5000, None),
        ("br", 5000, None),
        ("*", 5000, None),
    ],
)
async def test_an_answer_is_compressed_for_a_client_that_names_one_coding(
    accepts: str, size: int, coding: str | None
) -> None:
    body = instances(size)
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, body, f"Accept-Encoding: {accepts}"))
    inflaters: dict[str | None, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}
    inflate = inflaters.get(coding, bytes)
    assert answer.headers.get("content-encoding") == coding
    assert inflate(answer.body) == body.replace(b"instances", b"predictions")
