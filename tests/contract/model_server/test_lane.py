"""HTTP/1.1 as bytes on a socket: whole, in pieces, several at once, wrong, slow, too large, and while a server ends."""

import asyncio

import orjson
import pytest
from tests.contract.model_server.models import Echo, Gated, Streaming
from tests.contract.model_server.serving import get, post, request, serving

from inferplane.dataplane.server.http.asgi import Message
from inferplane.dataplane.server.http.limits import Limits

PREDICT = "/v1/models/TestModel:predict"
BODY = b'{"instances":[[1,2]]}'
ANSWER = b'{"predictions":[[1,2]]}'


async def test_an_answer_has_exactly_these_bytes() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(post(PREDICT, BODY, "X-Request-Id: r1"))
        head = (await client.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        assert head[0] == b"HTTP/1.1 200 OK"
        assert head[1].startswith(b"date: ")
        assert head[1].endswith(b" GMT")
        assert head[2:] == [
            b"content-type: application/json",
            b"x-request-id: r1",
            b"content-length: 23",
            b"",
            b"",
        ]
        assert await client.reader.readexactly(23) == ANSWER


async def test_a_request_may_come_byte_by_byte() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        for byte in post(PREDICT, BODY):
            client.send(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.answer()).body == ANSWER


async def test_pipelined_requests_are_answered_in_order_whoever_answers_them() -> None:
    gated = Gated()
    async with serving(Echo(), gated) as server, await server.client() as client:
        client.send(
            post("/v1/models/gated:predict", BODY)
            + post(PREDICT, b'{"instances":[1]}')
            + get("/v2/models")
            + get("/v2/health/live")
            + post(PREDICT, b'{"instances":[2]}')
        )
        await asyncio.to_thread(gated.entered.wait, 10)
        gated.release.set()
        bodies = [orjson.loads((await client.answer()).body) for _ in range(5)]
    assert bodies == [
        {"predictions": ["released"]},
        {"predictions": [1]},
        {"models": ["TestModel", "gated"]},
        {"live": True},
        {"predictions": [2]},
    ]


async def test_more_pipelined_requests_than_are_read_ahead_are_all_answered() -> None:
    async with serving(Echo(), limits=Limits(pipelined=4)) as server, await server.client() as client:
        client.send(b"".join(post(PREDICT, b'{"instances":[%d]}' % n) for n in range(200)))
        numbers = [orjson.loads((await client.answer()).body)["predictions"][0] for _ in range(200)]
    assert numbers == list(range(200))


async def test_a_chunked_body_is_put_together() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(
            request("POST", PREDICT, "Transfer-Encoding: chunked")
            + b'6\r\n{"inst\r\nF;name=value\r\nances":[[1,2]]}\r\n0\r\nTrailer: x\r\n\r\n'
        )
    assert answer.body == ANSWER


async def test_a_client_that_asks_first_is_told_to_continue() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(request("POST", PREDICT, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(BODY)
        assert (await client.answer()).body == ANSWER


async def test_a_client_that_asks_while_another_request_is_answered_is_told_after_it() -> None:
    gated = Gated()
    async with serving(Echo(), gated) as server, await server.client() as client:
        client.send(post("/v1/models/gated:predict", BODY))
        client.send(request("POST", PREDICT, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        await asyncio.to_thread(gated.entered.wait, 10)
        gated.release.set()
        assert (await client.answer()).body == b'{"predictions":["released"]}'
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(BODY)
        assert (await client.answer()).body == ANSWER


async def test_a_client_that_asks_to_send_too_much_is_refused_before_it_does() -> None:
    async with serving(Echo(), limits=Limits(body=10)) as server, await server.client() as client:
        client.send(request("POST", PREDICT, "Content-Length: 11", "Expect: 100-continue"))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert orjson.loads(answer.body) == {"error": "request body too large: the limit is 10 bytes"}


@pytest.mark.parametrize("path", ["/", "/v2/health/live", "/v2/health/ready", "/v1/models", "/v2/models/TestModel"])
async def test_head_has_the_headers_of_get_and_no_body(path: str) -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(get(path) + request("HEAD", path) + get("/"))
        full, bare, after = await client.answer(), await client.answer(to_head=True), await client.answer()
    assert (bare.status, bare.headers["content-length"]) == (200, str(len(full.body)))
    assert after.body == b'{"status":"alive"}'


async def test_http_1_0_closes_unless_asked_to_stay() -> None:
    async with serving(Echo()) as server:
        async with await server.client() as client:
            client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await client.answer()).headers["connection"] == "close"
            assert await client.closed()
        async with await server.client() as client:
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
            assert [(await client.answer()).headers["connection"] for _ in range(2)] == ["keep-alive"] * 2


async def test_connection_close_is_honoured() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(get("/", "Connection: close"))
        assert (await client.answer()).headers["connection"] == "close"
        assert await client.closed()


async def test_an_offer_to_upgrade_is_declined_by_answering_in_http_1_1() -> None:
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    async with serving(Echo()) as server, await server.client() as client:
        client.send(get("/", *offer) + post(PREDICT, BODY, *offer) + post(PREDICT, BODY))
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 200]


async def test_older_versions_are_refused() -> None:
    async with serving(Echo()) as server:
        assert (await server.exchange(b"GET /\r\n\r\n")).status == 505


@pytest.mark.parametrize("data", [get("/v2"), get("/"), post(PREDICT, BODY)])
async def test_a_client_that_closes_its_half_still_gets_its_answer(data: bytes) -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(data)
        client.writer.write_eof()
        assert (await client.answer()).status == 200
        assert await client.closed()


async def test_tunnels_are_refused() -> None:
    async with serving(Echo()) as server:
        assert (await server.exchange(request("CONNECT", "models.test:80"))).status == 501


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnothex\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_400_and_the_connection_ends(garbage: bytes) -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(garbage)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert orjson.loads(answer.body)["error"].startswith("malformed HTTP request: ")
        assert await client.closed()


async def test_a_transfer_coding_other_than_chunked_is_501() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(request("POST", PREDICT, "Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n")
        assert (await client.answer()).status == 501
        assert await client.closed()


async def test_a_target_may_name_the_host_as_proxies_do() -> None:
    async with serving(Echo()) as server:
        answers = [await server.exchange(get(f"http://models.test{path}")) for path in ("/v2/health/live", "/v2", "")]
    assert [answer.status for answer in answers] == [200, 200, 200]


async def test_every_answer_carries_the_requests_id_or_a_new_one() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(get("/", "X-Request-Id: mine") + get("/v2", "X-Request-Id: mine") + get("/") + get("/v2") + b"x")
        ids = [(await client.answer()).headers["x-request-id"] for _ in range(5)]
    assert ids[:2] == ["mine", "mine"]
    assert [len(made) for made in ids[2:]] == [32, 32, 32]
    assert len(set(ids)) == 4


async def test_requests_before_a_malformed_one_are_still_answered_first() -> None:
    gated = Gated()
    async with serving(gated) as server, await server.client() as client:
        client.send(post("/v1/models/gated:predict", BODY) + b"garbage\r\n\r\n")
        await asyncio.to_thread(gated.entered.wait, 10)
        gated.release.set()
        assert [(await client.answer()).status for _ in range(2)] == [200, 400]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (post(PREDICT, b"x" * 101), 413),
        (request("POST", PREDICT, "Transfer-Encoding: chunked") + b"65\r\n" + b"x" * 101 + b"\r\n", 413),
        (get("/" + "x" * 300), 414),
        (get("/", "A: " + "x" * 600), 431),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 600, 431),
        (get("/", *[f"A{n}: x" for n in range(100)]), 431),
    ],
)
async def test_what_is_too_large_is_refused_by_size(data: bytes, status: int) -> None:
    limits = Limits(body=100, head=512, target=256)
    async with serving(Echo(), limits=limits) as server, await server.client() as client:
        client.send(data)
        answer = await client.answer()
        assert (answer.status, "the limit is" in answer.body.decode()) == (status, True)
        assert await client.closed()


async def test_a_refused_upload_can_still_read_why() -> None:
    async with serving(Echo(), limits=Limits(body=1000)) as server, await server.client() as client:
        client.send(request("POST", PREDICT, "Content-Length: 30000000"))
        client.send(b"x" * 3_000_000)
        assert (await client.answer()).status == 413


async def test_a_client_that_is_slow_to_send_is_cut_off_with_408() -> None:
    limits = Limits(head_timeout=0.01, body_timeout=0.01)
    async with serving(Echo(), limits=limits) as server:
        for start in (b"POST /v1/mod", request("POST", PREDICT, "Content-Length: 10") + b"{"):
            async with await server.client() as client:
                client.send(start)
                assert (await client.answer()).status == 408
                assert await client.closed()


async def test_a_connection_without_requests_is_closed_without_a_word() -> None:
    async with serving(Echo(), limits=Limits(head_timeout=0.01, keep_alive=0.01)) as server:
        async with await server.client() as client:
            assert await client.closed()
        async with await server.client() as client:
            client.send(get("/"))
            assert (await client.answer()).status == 200
            assert await client.closed()


async def test_a_client_that_does_not_read_is_cut_off_and_its_requests_are_not_piled_up() -> None:
    big = b'{"instances":["%b"]}' % (b"x" * 1_000_000)
    async with serving(Echo(), limits=Limits(write_timeout=0.01, pipelined=2)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(post(PREDICT, big) * 50)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):  # noqa: PT012  # which of the calls notices is open
            await writer.drain()
            await reader.readexactly(50_000_000)
        writer.close()


async def test_probes_are_answered_while_a_model_computes() -> None:
    gated = Gated()
    async with serving(gated) as server, await server.client() as client:
        client.send(post("/v1/models/gated:predict", BODY))
        await asyncio.to_thread(gated.entered.wait, 10)
        assert (await server.exchange(get("/v2/health/live"))).status == 200
        gated.release.set()
        assert (await client.answer()).status == 200


async def test_a_stream_is_sent_chunk_by_chunk_as_it_comes() -> None:
    model = Streaming()
    async with serving(model) as server, await server.client() as client:
        client.send(post("/v1/models/streaming:predict", BODY))
        status, headers = await client.head()
        chunks = client.chunks()
        assert (status, "content-type" in headers) == (200, False)
        assert [await anext(chunks), await anext(chunks)] == [b"one", b"two"]
        model.release.set()
        assert await anext(chunks) == b"three"


async def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    model = Streaming()
    model.release.set()
    async with serving(model) as server, await server.client() as client:
        client.send(b"POST /v1/models/streaming:predict HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        _, headers = await client.head()
        assert ("transfer-encoding" in headers, await client.reader.read()) == (False, b"onetwothree")


async def failing_app(scope: Message, receive: object, send: object) -> None:
    raise ZeroDivisionError


async def test_an_application_that_fails_gives_500_and_the_connection_lives() -> None:
    async with serving(Echo(), app=failing_app) as server, await server.client() as client:
        client.send(get("/v2") + get("/"))
        answers = [await client.answer() for _ in range(2)]
    assert [answer.status for answer in answers] == [500, 200]
    assert orjson.loads(answers[0].body) == {"error": "the server failed to answer; its log says why"}


async def test_an_application_hears_of_a_client_that_leaves() -> None:
    heard = asyncio.Event()
    started = asyncio.Event()

    async def waiting_app(scope: Message, receive: object, send: object) -> None:
        assert callable(receive)
        assert (await receive())["type"] == "http.request"
        started.set()
        assert (await receive())["type"] == "http.disconnect"
        heard.set()

    async with serving(Echo(), app=waiting_app) as server:
        async with await server.client() as client:
            client.send(get("/v2"))
            await asyncio.wait_for(started.wait(), 10)
        await asyncio.wait_for(heard.wait(), 10)


async def test_draining_finishes_what_is_in_progress_and_sends_everyone_elsewhere() -> None:
    gated = Gated()
    async with serving(Echo(), gated, limits=Limits(lame_duck=0.2)) as server:
        idle, busy = await server.client(), await server.client()
        idle.send(get("/"))
        await idle.answer()
        busy.send(post("/v1/models/gated:predict", BODY))
        await asyncio.to_thread(gated.entered.wait, 10)
        draining = asyncio.create_task(server.server.drain())
        await asyncio.sleep(0)
        late = await server.exchange(get("/v2/health/ready"))
        assert (late.status, late.headers["connection"]) == (503, "close")
        idle.send(post(PREDICT, BODY))
        last = await idle.answer()
        assert (last.body, last.headers["connection"]) == (ANSWER, "close")
        assert await idle.closed()
        gated.release.set()
        assert (await busy.answer()).status == 200
        await asyncio.wait_for(draining, 10)
        with pytest.raises(ConnectionRefusedError):
            await server.client()
        for client in (idle, busy):
            client.writer.close()


async def test_idle_connections_do_not_hold_up_the_end() -> None:
    async with serving(Echo()) as server, await server.client() as client:
        client.send(get("/"))
        await client.answer()
        await asyncio.wait_for(server.server.drain(), 10)
        assert await client.closed()
