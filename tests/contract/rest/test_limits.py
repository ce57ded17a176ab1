"""What a client can make the server hold is bounded, and slow or vanished clients are let go of."""

import asyncio
from pathlib import Path

from tests.contract.model_server.serving import get, post, request, serving
from tests.contract.rest.models import Echo

from inferplane.dataplane.server.http.limits import Limits

PREDICT = "/v1/models/m:predict"
MIB = 2**20


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def test_a_length_that_is_only_claimed_takes_little_memory() -> None:
    async with serving(Echo()) as server:
        before = resident()
        clients = [await server.client() for _ in range(100)]
        for client in clients:
            client.send(request("POST", PREDICT, f"Content-Length: {200 * MIB}") + b"x" * 70_000)
            await client.writer.drain()
        assert (await server.exchange(get("/"))).status == 200
        assert len(server.server.connections) >= 100
        grown = resident() - before
        for client in clients:
            client.writer.close()
    assert grown < 150 * MIB


async def test_connections_that_say_nothing_are_let_go_of() -> None:
    async with serving(Echo(), limits=Limits(head_timeout=0.01, body_timeout=0.01, lame_duck=0.01)) as server:
        clients = [await server.client() for _ in range(50)]
        for client in clients[::2]:
            client.send(request("POST", PREDICT, "Content-Length: 100000") + b"x" * 70_000)
        await asyncio.gather(*(client.reader.read() for client in clients))
        assert (await server.exchange(get("/"))).status == 200
        assert server.server.in_flight == 0
        for client in clients:
            client.writer.close()


async def test_clients_that_vanish_in_the_middle_leave_nothing_behind() -> None:
    body = b'{"instances":["%b"]}' % (b"x" * 200_000)
    whole = post(PREDICT, body)
    async with serving(Echo()) as server:
        for cut in range(0, len(whole), 20_000):
            client = await server.client()
            client.send(whole[:cut])
            client.writer.transport.abort()
        assert (await server.exchange(whole)).status == 200
        await asyncio.wait_for(server.server.drain(), 10)  # waits for all connections to end
        assert not server.server.connections
        assert server.server.in_flight == 0
