"""HTTP/1.1 through the activator, byte for byte: what goes in at one end comes out at the other."""

import asyncio
import json
import socket

import pytest
from tests.contract.activator.running import (
    HEAD,
    IRIS,
    Activator,
    Pod,
    Wire,
    activator,
    answering,
    client,
    pod,
    taken,
    until,
)

from inferplane.controlplane.activator.decide import Limits
from inferplane.relay.http1 import HOLD
from inferplane.resources.start_times import StartTimes
from inferplane.signals.stats import Stat

GET = b"GET /v1 HTTP/1.1\r\n" + HEAD + b"\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORWARDED = b"Host: iris.ml.example\r\n"


async def refusal(wire: Wire) -> tuple[bytes, str]:
    """Status line and the error of the JSON body."""
    head = await wire.head()
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    body = await wire.exactly(int(length.partition(b":")[2]))
    return head.partition(b"\r\n")[0], str(json.loads(body)["error"])


async def asked(one: Activator, server: Pod, wire: Wire) -> Wire:
    """The pod's end of a request that it has got."""
    one.pods(server.port)
    await wire.send(GET)
    there = await server.connection()
    await there.head()
    return there


# --- waiting ----------------------------------------------------------------------------------------------------------


async def test_a_request_for_a_sleeping_revision_waits_for_its_pod_and_is_reported_at_once() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        await wire.send(b"POST /v1 HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\n\r\nbody")
        await one.holds(1)
        assert one.stats == [Stat("ml", "iris-00001", 1.0, 1.0)]
        one.pods(server.port)
        there = await server.connection()
        assert await there.head() == b"POST /v1 HTTP/1.1\r\n" + FORWARDED + b"Content-Length: 4\r\n\r\n"
        assert await there.exactly(4) == b"body"
        await there.send(OK)
        answer = await wire.head() + await wire.exactly(2)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nserver-timing: queue;dur=")
        assert answer.endswith(b"\r\n\r\nok")
        await one.holds(0)


async def test_those_who_wait_go_in_the_order_in_which_they_came_within_the_concurrency() -> None:
    async with activator(Limits(concurrency=1)) as one, pod() as server:
        wires = [Wire(*await asyncio.open_connection("127.0.0.1", one.port)) for _ in range(5)]
        for number, wire in enumerate(wires):
            await wire.send(b"GET /%d HTTP/1.1\r\n" % number + HEAD + b"\r\n")
            await one.holds(number + 1)
        one.pods(server.port)
        there = await server.connection()
        for number, wire in enumerate(wires):
            assert (await there.head()).startswith(b"GET /%d " % number)
            await there.send(OK)
            assert (await wire.head()).startswith(b"HTTP/1.1 200")
            wire.close()
        assert server.waiting.empty(), "one connection is enough for a concurrency of 1"


async def test_only_an_answer_to_a_request_that_woke_its_service_says_where_the_time_went() -> None:
    async with activator() as one, answering() as server, client(one.port) as wire:
        one.known.times = StartTimes(scheduled=0, forked=0, loaded=0)
        await wire.send(GET)
        await one.holds(1)
        one.pods(server.port)
        first = await wire.head()
        await wire.exactly(2)
        await wire.send(GET)
        assert b"server-timing" not in await wire.head()
        phases = [part.split(b";")[0] for part in first.split(b"server-timing: ")[1].split(b"\r\n")[0].split(b", ")]
        assert phases == [b"queue", b"schedule", b"fork", b"load", b"ready"]
        assert [list(each) for each in one.woken] == [["queue", "schedule", "fork", "load", "ready"]]


async def test_past_the_bound_a_request_gets_503_and_when_to_come_again() -> None:
    async with activator(depth=1) as one, client(one.port) as first, client(one.port) as second:
        await first.send(GET)
        await one.holds(1)
        await second.send(GET)
        head = await second.head()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"retry-after: 1\r\n" in head


async def test_one_whose_client_has_gone_is_taken_out_of_the_line() -> None:
    async with activator(Limits(concurrency=1)) as one, pod() as server, client(one.port) as stays:
        async with client(one.port) as leaves:
            await leaves.send(b"GET /leaves HTTP/1.1\r\n" + HEAD + b"\r\n")
            await one.holds(1)
            await stays.send(b"GET /stays HTTP/1.1\r\n" + HEAD + b"\r\n")
            await one.holds(2)
        await one.holds(1)
        one.pods(server.port)
        assert (await (await server.connection()).head()).startswith(b"GET /stays ")


async def test_a_body_is_read_up_to_a_bound_while_its_request_waits() -> None:
    total = 200 * 1024 * 1024
    async with activator() as one, client(one.port) as wire:
        await wire.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % total)
        assert await taken(wire.send, total) < total / 2
        assert one.buffer.calls == 1


async def test_a_client_that_goes_after_more_of_its_body_than_is_read_is_noticed() -> None:
    async with activator() as one:
        async with client(one.port) as wire:
            await wire.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000\r\n\r\n" + bytes(HOLD + 5000))
            await one.holds(1)
        await one.holds(0)


async def test_a_revision_that_is_deleted_sends_those_who_wait_away() -> None:
    async with activator() as one, client(one.port) as wire:
        await wire.send(GET)
        await one.holds(1)
        del one.known.all[IRIS]
        one.buffer.gone(IRIS)
        assert await refusal(wire) == (b"HTTP/1.1 404 Not Found", "there is no revision ml/iris-00001")


async def test_what_runs_when_its_revision_is_deleted_is_answered_and_later_ones_are_told() -> None:
    async with activator() as one, pod() as server, client(one.port) as runs, client(one.port) as late:
        there = await asked(one, server, runs)
        del one.known.all[IRIS]
        one.buffer.gone(IRIS)
        await late.send(GET)
        assert (await refusal(late))[0] == b"HTTP/1.1 404 Not Found"
        await there.send(OK)
        assert await runs.exactly(len(OK)) == OK
        await one.holds(0)


async def test_when_the_control_plane_ends_those_who_wait_get_503_and_what_runs_is_answered() -> None:
    async with activator(Limits(concurrency=1)) as one, pod() as server, client(one.port) as runs:
        there = await asked(one, server, runs)
        async with client(one.port) as waits:
            await waits.send(GET)
            await one.holds(2)
            ending = asyncio.create_task(one.listener.stop(20.0))
            assert (await refusal(waits))[0] == b"HTTP/1.1 503 Service Unavailable"
        await there.send(OK)
        assert (await runs.head()).startswith(b"HTTP/1.1 200")
        await ending


# --- what is asked for ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status", "text"),
    [
        (b"GET / HTTP/1.1\r\nHost: a.b\r\n\r\n", b"404 Not Found", "the request names no revision"),
        (b"GET / HTTP/1.1\r\nHost: x.ml.svc.cluster.local\r\n\r\n", b"404 Not Found", "there is no revision ml/x"),
        (
            b"GET / HTTP/1.1\r\nK-Network-Probe: queue\r\n\r\n",
            b"400 Bad Request",
            "unexpected probe header value: queue",
        ),
        (b"CONNECT a:1 HTTP/1.1\r\n" + HEAD + b"\r\n", b"501 Not Implemented", "CONNECT is not taken here"),
        (b"nonsense\r\n\r\n", b"400 Bad Request", "expected a request line, got b'nonsense'"),
    ],
)
async def test_what_can_not_be_served_is_said(request_: bytes, status: bytes, text: str) -> None:
    async with activator() as one, client(one.port) as wire:
        await wire.send(request_)
        assert await refusal(wire) == (b"HTTP/1.1 " + status, text)


async def test_an_endless_head_is_refused() -> None:
    async with activator() as one, client(one.port) as wire:
        await wire.send(b"GET / HTTP/1.1\r\nA: " + b"a" * 200_000)
        assert (await refusal(wire))[0] == b"HTTP/1.1 431 Request Header Fields Too Large"


async def test_a_probe_of_the_network_is_answered_by_name() -> None:
    async with activator() as one, client(one.port) as wire:
        await wire.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nK-Network-Probe: activator\r\n\r\n")
        assert (await wire.head()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await wire.exactly(9) == b"activator"
        assert one.stats == []


async def test_the_host_name_of_a_revisions_service_names_it_as_well() -> None:
    async with activator() as one, answering() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(b"GET / HTTP/1.1\r\nHost: iris-00001.ml.svc.cluster.local:80\r\n\r\n")
        assert (await wire.head()).startswith(b"HTTP/1.1 200")


async def test_requests_that_come_together_are_answered_one_after_the_other() -> None:
    async with activator() as one, answering() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(GET * 50 + b"GET / HTTP/1.1\r\nHost: a.b\r\nConnection: close\r\n\r\n")
        assert (await wire.rest()).count(b"HTTP/1.1 200 OK") == 50


# --- messages ---------------------------------------------------------------------------------------------------------


async def test_chunks_extensions_and_trailers_pass_unchanged_in_both_directions() -> None:
    chunked = b"3;a=b\r\nabc\r\n0\r\nDigest: x\r\n\r\n"
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        head = b"Transfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
        await wire.send(b"PUT /a?b=c HTTP/1.1\r\n" + HEAD + head + chunked)
        there = await server.connection()
        assert await there.head() == b"PUT /a?b=c HTTP/1.1\r\n" + FORWARDED + head
        assert await there.exactly(len(chunked)) == chunked
        answer = b"HTTP/1.1 200 Fine\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
        await there.send(answer)
        assert await wire.exactly(len(answer)) == answer


async def test_a_body_of_megabytes_passes_both_ways_while_it_comes() -> None:
    body = bytes(range(256)) * 4096 * 8
    head = b"Content-Length: %d\r\n\r\n" % len(body)
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        sending = asyncio.create_task(wire.send(b"POST / HTTP/1.1\r\n" + HEAD + head + body))
        there = await server.connection()
        await there.head()
        assert await there.exactly(len(body)) == body
        await sending
        answering_ = asyncio.create_task(there.send(b"HTTP/1.1 200 OK\r\n" + head + body))
        await wire.head()
        assert await wire.exactly(len(body)) == body
        await answering_


async def test_a_slow_client_holds_its_pod_back() -> None:
    """Nothing between the two keeps more than the systems' own buffers."""
    total = 200 * 1024 * 1024
    async with activator() as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        await there.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        assert await taken(there.send, total) < total / 2


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_leaves_both_connections_usable(method: bytes, answer: bytes) -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        for number in range(2):
            await wire.send(method + b" / HTTP/1.1\r\n" + HEAD + b"\r\n")
            if not number:
                there = await server.connection()
            await there.head()
            await there.send(answer)
            assert await wire.head() == answer
        assert server.waiting.empty()


async def test_expect_100_continue_is_the_pods_to_answer() -> None:
    head = b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(b"POST / HTTP/1.1\r\n" + HEAD + head)
        there = await server.connection()
        assert (await there.head()).endswith(head)
        await there.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await wire.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await wire.send(b"body")
        assert await there.exactly(4) == b"body"
        await there.send(OK)
        assert await wire.exactly(len(OK)) == OK


async def test_an_answer_before_the_request_is_whole_reaches_the_client_and_ends_both_connections() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000\r\n\r\nbeginning")
        there = await server.connection()
        await there.head()
        early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
        await there.send(early)
        await wire.send(bytes(1000))
        assert await wire.rest() == early
        await one.holds(0)


async def test_an_answer_that_ends_with_the_connection_ends_the_clients_as_well() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        await there.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
        there.close()
        assert await wire.rest() == b"HTTP/1.1 200 OK\r\n\r\nuntil the end"


async def test_an_upgraded_connection_is_a_tunnel_without_time_limits() -> None:
    async with activator(Limits(timeout=0.3, idle=0.2)) as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(b"GET /ws HTTP/1.1\r\n" + HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        there = await server.connection()
        assert b"Upgrade: websocket\r\n" in await there.head()
        switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        await there.send(switched + b"hello")
        assert await wire.exactly(len(switched) + 5) == switched + b"hello"
        await asyncio.sleep(0.5)
        await wire.send(b"\x81\x02hi")
        assert await there.exactly(4) == b"\x81\x02hi"
        there.close()
        assert await wire.rest() == b""
        await one.holds(0)


# --- times ------------------------------------------------------------------------------------------------------------


async def test_who_waits_longer_than_the_revision_allows_gets_504() -> None:
    async with activator(Limits(timeout=0.1)) as one, client(one.port) as wire:
        await wire.send(GET)
        assert await refusal(wire) == (b"HTTP/1.1 504 Gateway Timeout", "activator request timeout")
        await one.holds(0)


@pytest.mark.parametrize("limits", [Limits(response_start=0.1), Limits(idle=0.1), Limits(timeout=0.1)])
async def test_an_answer_that_does_not_start_in_time_is_504_and_the_pod_is_told(limits: Limits) -> None:
    async with activator(limits) as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(GET)
        there = await server.connection()
        assert (await refusal(wire))[0] == b"HTTP/1.1 504 Gateway Timeout"
        await there.head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await there.exactly(1)


async def test_an_answer_that_stops_coming_is_cut_off() -> None:
    async with activator(Limits(idle=0.2)) as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        await there.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        await wire.head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.exactly(9)
        await one.holds(0)


# --- pods that fail ---------------------------------------------------------------------------------------------------


async def test_a_pod_that_does_not_listen_yet_is_tried_until_it_does() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = int(reserved.getsockname()[1])
        async with activator() as one, client(one.port) as wire:
            one.pods(port)
            await wire.send(GET)
            await one.holds(1)
            await until(lambda: one.buffer._lines[IRIS].again is not None)
            reserved.listen()
            reserved.setblocking(False)
            there, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(reserved), 30)
            with there:
                there.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(there, 3) == b"GET"


async def test_a_refused_request_goes_to_another_pod() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        async with activator(Limits(concurrency=1)) as one, answering() as server, client(one.port) as wire:
            one.pods(int(closed.getsockname()[1]), server.port)
            await wire.send(GET)
            assert (await wire.head()).startswith(b"HTTP/1.1 200")


async def test_a_request_whose_bytes_were_sent_is_not_sent_again() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        there.abort()
        assert (await refusal(wire))[0] == b"HTTP/1.1 502 Bad Gateway"
        assert server.waiting.empty()


async def test_what_is_no_answer_is_502() -> None:
    async with activator() as one, answering(b"SSH-2.0\r\n\r\n") as server, client(one.port) as wire:
        one.pods(server.port)
        await wire.send(GET)
        assert (await refusal(wire))[0] == b"HTTP/1.1 502 Bad Gateway"


async def test_a_pod_that_dies_in_the_middle_of_its_answer_cuts_the_clients_off() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        await there.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        await wire.head()
        there.abort()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await wire.exactly(9)


async def test_a_connection_that_the_pod_has_closed_gets_no_further_request() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        one.pods(server.port)
        for _ in range(20):
            await wire.send(GET)
            there = await server.connection()
            await there.head()
            await there.send(OK)
            # Closed as soon as it has answered, without saying so in the answer.
            there.close()
            assert await wire.exactly(len(OK)) == OK


async def test_a_connection_whose_end_a_request_has_asked_for_gets_no_further_request() -> None:
    """The pod closes it in its own time, and need not say so."""
    async with activator() as one, pod() as server:
        async with client(one.port) as wire:
            one.pods(server.port)
            await wire.send(b"GET /v1 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
            first = await server.connection()
            await first.head()
            await first.send(OK)
            assert await wire.rest() == OK
        async with client(one.port) as wire:
            await wire.send(GET)
            await (await server.connection()).head()


async def test_words_of_a_pod_that_nobody_asked_for_end_its_connection() -> None:
    async with activator() as one, pod() as server, client(one.port) as wire:
        there = await asked(one, server, wire)
        await there.send(OK + b"HTTP/1.1 200 OK\r\n\r\n")
        assert await wire.exactly(len(OK)) == OK
        async with client(one.port) as other:
            await other.send(GET)
            again = await server.connection()
            await again.head()
            await again.send(OK)
            assert await other.exactly(len(OK)) == OK


async def test_a_client_that_goes_while_its_request_runs_frees_its_place() -> None:
    async with activator(Limits(concurrency=1)) as one, pod() as server:
        one.pods(server.port)
        async with client(one.port) as leaves:
            await leaves.send(GET)
            there = await server.connection()
            await there.head()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await there.exactly(1)
        async with client(one.port) as wire:
            await wire.send(GET)
            await (await server.connection()).head()
