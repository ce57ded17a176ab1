"""The pool against servers that answer what the test says, byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from inferplane.client.inference.connection import Connection, Received
from inferplane.client.inference.errors import BadAnswer, ClientError, ConnectionLost, TimedOut, Unreachable
from inferplane.client.inference.pool import Origin, Pool

REQUEST = (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n", b"{}")
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]"


class Server:
    """Answers each request with `answer`; None closes the connection instead, empty never answers."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.url = ""
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                answer = self.answers.pop(0)
                self.asked.set()
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
                if b"close" in answer:
                    break
        except asyncio.IncompleteReadError:
            pass  # the client has left
        finally:
            writer.close()


@asynccontextmanager
async def behind(server: Server) -> AsyncIterator[Pool]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    pool = Pool(server.url)
    try:
        yield pool
    finally:
        await pool.close()
        listening.close()


async def ask(pool: Pool, timeout: float | None = 10) -> Received:
    return await pool.exchange(REQUEST, timeout)


async def test_one_connection_serves_one_exchange_after_the_other() -> None:
    server = Server(OK, OK, OK)
    async with behind(server) as pool:
        answers = [await ask(pool) for _ in range(3)]
    assert [(one.status, one.body) for one in answers] == [(200, b"[]")] * 3
    assert answers[0].headers["content-type"] == "application/json"
    assert server.connections == 1


async def test_exchanges_at_the_same_time_have_a_connection_each_and_later_ones_take_those() -> None:
    server = Server(*[OK] * 8)
    async with behind(server) as pool:
        await asyncio.gather(*(ask(pool) for _ in range(4)))
        await asyncio.gather(*(ask(pool) for _ in range(4)))
    assert server.connections == 4


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"[]"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nold", b"old"),
    ],
)
async def test_bodies_come_in_all_the_framings_of_http(answer: bytes, body: bytes) -> None:
    async with behind(Server(answer)) as pool:
        assert (await ask(pool)).body == body


async def test_a_connection_that_the_server_says_it_closes_is_not_used_again() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", OK)
    async with behind(server) as pool:
        await ask(pool)
        assert (await ask(pool)).body == b"[]"
    assert server.connections == 2


async def test_a_kept_connection_that_is_closed_unanswered_is_replaced_once() -> None:
    server = Server(OK, None, OK)
    async with behind(server) as pool:
        await ask(pool)
        assert (await ask(pool)).body == b"[]"
    assert server.connections == 2


async def test_a_new_connection_that_is_closed_unanswered_is_a_failure() -> None:
    server = Server(None)
    async with behind(server) as pool:
        with pytest.raises(ConnectionLost, match="ended before the answer was complete"):
            await ask(pool)
    assert server.connections == 1


async def test_a_request_that_may_have_run_is_not_sent_again() -> None:
    half = b"HTTP/1.1 200 OK\r\nx-close: 1\r\ncontent-length: 9\r\n\r\nhalf"
    server = Server(OK, half)
    async with behind(server) as pool:
        await ask(pool)
        with pytest.raises(ConnectionLost):
            await ask(pool)
    assert server.connections == 1


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 banana\r\n\r\n", b"\x16\x03\x01\x02"])
async def test_what_is_not_http_is_told(answer: bytes) -> None:
    async with behind(Server(answer)) as pool:
        with pytest.raises(BadAnswer, match=r"not HTTP/1\.1"):
            await ask(pool)


async def test_a_second_answer_is_not_taken_for_that_of_the_next_request() -> None:
    server = Server(OK + b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong", OK)
    async with behind(server) as pool:
        await ask(pool)
        assert (await ask(pool)).body == b"[]"
    assert server.connections == 2


async def test_the_time_is_for_all_of_the_answer() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal", OK)
    async with behind(server) as pool:
        with pytest.raises(TimedOut, match=r"no answer within 0\.05 s"):
            await ask(pool, 0.05)
        assert (await ask(pool)).body == b"[]"
    assert server.connections == 2


async def test_who_is_cancelled_leaves_no_answer_behind_for_others() -> None:
    server = Server(b"", OK)
    async with behind(server) as pool:
        waiting = asyncio.create_task(ask(pool, None))
        await server.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await ask(pool)).body == b"[]"
    assert server.connections == 2


class Unlucky(Pool):
    """Never gets a connection."""

    tries = 0

    async def _connect(self) -> Connection:
        self.tries += 1
        raise ConnectionRefusedError("nobody there")


async def test_a_connection_that_cannot_be_made_is_tried_as_often_as_wished() -> None:
    pool = Unlucky("http://127.0.0.1:1", retries=1)
    with pytest.raises(Unreachable, match="nobody there"):
        await ask(pool)
    assert pool.tries == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://iris-predictor.ml", ("iris-predictor.ml", 80, "iris-predictor.ml", "", False)),
        ("https://m.example:8443/serving/iris/", ("m.example", 8443, "m.example:8443", "/serving/iris", True)),
        ("http://[::1]:8080", ("::1", 8080, "[::1]:8080", "", False)),
    ],
)
def test_urls_name_an_origin(url: str, expected: tuple[object, ...]) -> None:
    found = Origin.of(url)
    assert (found.host, found.port, found.authority, found.path, found.secure) == expected


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:port", "x:8080"])
def test_what_names_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="expected a"):
        Origin.of(url)
