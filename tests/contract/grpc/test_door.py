"""The port that becomes a gRPC server when the first client comes."""

import asyncio

import grpc
import numpy as np
import pytest
from tests.contract.grpc.serving import Echo, call, infer, message

from inferplane import InferInput, ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.door import COME_AGAIN, Door
from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32))


class Counted:
    def __init__(self) -> None:
        repository = ModelRepository()
        repository.update(Echo())
        self.dispatch = Dispatch(repository, Metrics())
        self.made = 0

    async def make(self) -> GrpcServer:
        self.made += 1
        service = Service(self.dispatch, Probes(self.dispatch))
        return GrpcServer(service, self.dispatch, PortOptions(shared=True))


async def test_the_first_clients_calls_are_answered_though_no_server_was_there() -> None:
    behind = Counted()
    door = Door(behind.make)
    port = await door.listen("127.0.0.1", 0)
    assert behind.made == 0
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as client:
        answers = await asyncio.gather(*(infer(client, message("echo", [FOUR], str(n))) for n in range(20)))
        live = await call(client, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)
    await door.drain(0)
    assert [answer.id for answer in answers] == [str(n) for n in range(20)]
    assert live.live
    assert behind.made == 1


async def test_clients_of_several_connections_at_once_are_all_answered() -> None:
    behind = Counted()
    door = Door(behind.make)
    port = await door.listen("127.0.0.1", 0)

    async def one(number: int) -> str:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as client:
            return (await infer(client, message("echo", [FOUR], str(number)))).id

    assert await asyncio.gather(*map(one, range(10))) == [str(number) for number in range(10)]
    await door.drain(0)


async def test_a_door_that_nobody_came_to_closes() -> None:
    behind = Counted()
    door = Door(behind.make)
    port = await door.listen("127.0.0.1", 0)
    await door.drain(0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert behind.made == 0


async def test_the_port_of_another_server_is_refused() -> None:
    first, second = Door(Counted().make), Door(Counted().make)
    port = await first.listen("127.0.0.1", 0)
    with pytest.raises(CannotListen, match="--grpc_port"):
        await second.listen("127.0.0.1", port)
    await first.drain(0)


async def test_what_the_first_connection_is_told_is_http2() -> None:
    door = Door(Counted().make)
    port = await door.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert await reader.read() == COME_AGAIN
    writer.close()
    await door.drain(0)
