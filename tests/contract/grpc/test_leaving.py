"""A server that stops, as its clients see it: no call fails while another server has the port too."""

import asyncio
from contextlib import AsyncExitStack

import grpc
import numpy as np
import pytest
from tests.contract.grpc.certificates import Pair, secure
from tests.contract.grpc.serving import Echo, Serving, infer, message, serving
from tests.contract.grpc.test_port import Gated

from inferplane import InferInput
from inferplane.dataplane.server.grpc.port import PortOptions, Tls
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32))
PICTURE = InferInput.decoded("x", "FP32", np.random.default_rng(1).random((1, 3, 224, 224), np.float32))


def channel(port: int) -> grpc.aio.Channel:
    """With a connection of its own, and no second try of a call that failed."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


async def two_on_one_port(stack: AsyncExitStack, tls: Tls | None = None) -> tuple[Serving, Serving]:
    first = await stack.enter_async_context(serving(Echo(), options=PortOptions(shared=True, tls=tls)))
    second = await stack.enter_async_context(
        serving(Echo(), options=PortOptions(shared=True, tls=tls), port=first.grpc)
    )
    return first, second


async def test_clients_go_elsewhere_without_a_call_that_fails() -> None:
    async with AsyncExitStack() as stack:
        first, second = await two_on_one_port(stack)
        clients = [await stack.enter_async_context(channel(first.grpc)) for _ in range(12)]
        drained = asyncio.Event()

        async def calls(client: grpc.aio.Channel) -> int:
            number = 0
            while not drained.is_set():
                tensor = PICTURE if number % 8 == 0 else FOUR
                assert (await infer(client, message("echo", [tensor], f"{number}", raw=True))).id == f"{number}"
                number += 1
            await infer(client, message("echo", [FOUR]))
            return number

        calling = [asyncio.create_task(calls(client)) for client in clients]
        await asyncio.gather(*(infer(client, message("echo", [FOUR])) for client in clients))
        await first.server.drain(20)
        drained.set()
        assert min(await asyncio.gather(*calling)) > 0
        assert len(second.server._connections) == len(clients)


async def test_with_tls_too(pair: Pair) -> None:
    async with AsyncExitStack() as stack:
        first, second = await two_on_one_port(stack, tls=Tls(pair.certificate, pair.key))
        client = await stack.enter_async_context(secure(first.grpc, pair.certificate.read_bytes()))
        draining: asyncio.Task[None] | None = None
        for number in range(50):
            assert (await infer(client, message("echo", [FOUR], f"{number}"))).id == f"{number}"
            if number == 10:
                holder = first if first.server._connections else second
                draining = asyncio.create_task(holder.server.drain(20))
        assert draining is not None
        await draining


async def test_calls_under_way_are_answered_before_the_server_goes() -> None:
    model = Gated()
    async with serving(model) as server, channel(server.grpc) as client:
        calls = [asyncio.create_task(infer(client, message("gated", [FOUR], f"{number}"))) for number in range(20)]
        await asyncio.to_thread(model.entered.wait, 10)
        draining = asyncio.create_task(server.server.drain(20))
        model.release.set()
        assert [answer.id for answer in await asyncio.gather(*calls)] == [f"{number}" for number in range(20)]
        await draining


async def test_an_open_stream_may_go_on_until_the_grace_is_over() -> None:
    async with serving(Echo()) as server, channel(server.grpc) as client:
        stream = client.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )()
        await stream.write(message("echo", [FOUR], "before"))
        assert (await stream.read()).infer_response.id == "before"
        draining = asyncio.create_task(server.server.drain(20))
        await stream.write(message("echo", [FOUR], "after"))
        assert (await stream.read()).infer_response.id == "after"
        assert not draining.done()
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        await draining


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_port_that_is_not_shared_cannot_be_had_twice(host: str) -> None:
    async with serving(Echo(), host=host) as server:
        with pytest.raises(CannotListen, match="--grpc_port"):
            async with serving(Echo(), host=host, port=server.grpc):
                pass
