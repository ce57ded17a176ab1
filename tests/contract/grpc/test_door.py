"""The port that becomes a gRPC server when the first client comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from tests.contract.grpc.certificates import Pair, secure
from tests.contract.grpc.serving import PREFIX, Echo, call, infer, message

from inferplane import InferInput, ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.door import AGE, Door
from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions, Tls
from inferplane.dataplane.server.grpc.service import Service
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32))


PICTURE = np.random.default_rng(1).random((1, 3, 224, 224), np.float32)
BIG = np.random.default_rng(2).random(2_000_000, np.float32)


class Counted:
    """What is behind a door. `wrong` is raised by the first tries to make it."""

    def __init__(self, *wrong: Exception, tls: Tls | None = None) -> None:
        repository = ModelRepository()
        repository.update(Echo())
        self.dispatch = Dispatch(repository, Metrics())
        self.wrong = list(wrong)
        self.made = 0
        self.options = PortOptions(shared=True, tls=tls)

    async def make(self) -> GrpcServer:
        if self.wrong:
            raise self.wrong.pop()
        self.made += 1
        return GrpcServer(Service(self.dispatch, Probes(self.dispatch)), self.dispatch, self.options)


@asynccontextmanager
async def opened(
    behind: Counted | None = None, *, host: str = "127.0.0.1", shared: bool = False
) -> AsyncIterator[tuple[Door, int]]:
    door = Door((behind or Counted()).make, shared=shared)
    port = await door.listen(host, 0)
    try:
        yield door, port
    finally:
        await door.drain(0)


def channel(port: int) -> grpc.aio.Channel:
    """With a connection of its own, and no second try of what fails."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),
        ("grpc.max_receive_message_length", -1),
    ]
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)


async def echoed(client: grpc.aio.Channel, tensor: npt.NDArray[np.float32]) -> bool:
    answer = await infer(client, message("echo", [InferInput.decoded("x", "FP32", tensor)], raw=True))
    return answer.raw_output_contents[0] == tensor.tobytes()


async def until_gone(door: Door) -> None:
    async with asyncio.timeout(10 * AGE):
        await door.gone.wait()


async def test_the_first_clients_calls_are_answered_though_no_server_was_there() -> None:
    behind = Counted()
    async with opened(behind) as (_, port):
        assert behind.made == 0
        async with channel(port) as client:
            answers = await asyncio.gather(*(infer(client, message("echo", [FOUR], str(n))) for n in range(20)))
            live = await call(client, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)
    assert [answer.id for answer in answers] == [str(n) for n in range(20)]
    assert live.live
    assert behind.made == 1


@pytest.mark.parametrize("tensor", [PICTURE, BIG], ids=["602 kB", "8 MB"])
async def test_a_first_call_that_is_too_large_to_be_sent_twice_is_answered(tensor: npt.NDArray[np.float32]) -> None:
    for _ in range(20):
        async with opened() as (_, port), channel(port) as client:
            assert await echoed(client, tensor)


@pytest.mark.parametrize("shared", [False, True])
async def test_fifty_clients_that_connect_at_once_are_all_answered(shared: bool) -> None:
    async def one(number: int) -> str:
        async with channel(port) as client:
            return (await infer(client, message("echo", [FOUR], str(number)))).id

    async with opened(shared=shared) as (_, port):
        assert await asyncio.gather(*map(one, range(50))) == [str(number) for number in range(50)]


@pytest.mark.parametrize("shared", [False, True])
async def test_none_of_those_who_connect_while_the_port_changes_hands_is_reset(shared: bool) -> None:
    """Raw connections, as many as can be made: each gets the server's half of the HTTP/2 preface."""

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
        frame = await reader.readexactly(9)
        writer.close()
        return frame[3:4]

    kinds = set()
    async with opened(shared=shared) as (door, port):
        while not door.gone.is_set():
            kinds |= set(await asyncio.gather(*(one() for _ in range(20))))
    assert kinds == {b"\x04"}


async def test_a_client_moves_to_the_real_server_without_a_call_that_fails() -> None:
    async with opened() as (door, port), channel(port) as client:
        calls = 0
        while not door.gone.is_set():
            assert await echoed(client, PICTURE)
            calls += 1
        assert await echoed(client, PICTURE)
    assert calls > 20


async def test_a_stream_that_is_open_while_clients_move_goes_on() -> None:
    async with opened() as (door, port), channel(port) as client:
        stream = client.stream_stream(
            PREFIX + "ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )()

        async def asked(id: str) -> str:
            await stream.write(message("echo", [FOUR], id))
            answer = await stream.read()
            assert isinstance(answer, pb.ModelStreamInferResponse)
            return answer.infer_response.id

        assert await asked("before") == "before"
        async with asyncio.timeout(10 * AGE):
            # wait_for_state_change does not see that of a channel whose connection closes to new calls alone.
            while client.get_state() is grpc.ChannelConnectivity.READY:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await echoed(client, PICTURE)
        assert await asked("after") == "after"
        assert not door.gone.is_set()
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
        await until_gone(door)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_while_clients_move_new_ones_reach_the_real_server(host: str) -> None:
    async with opened(host=host) as (door, port), channel(port) as client:
        await echoed(client, PICTURE)
        for _ in range(20):
            async with channel(port) as late:
                assert await echoed(late, PICTURE)
        assert len(door._splices) == 1


async def test_with_tls_the_first_call_is_answered_and_the_client_moves(pair: Pair) -> None:
    async with (
        opened(Counted(tls=Tls(pair.certificate, pair.key))) as (door, port),
        secure(port, pair.certificate.read_bytes()) as client,
    ):
        assert await echoed(client, PICTURE)
        await until_gone(door)
        assert await echoed(client, PICTURE)


async def test_a_server_that_could_not_be_made_is_made_for_the_next_client(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(Counted(MemoryError("no memory"))) as (_, port):
        async with channel(port) as client:
            with pytest.raises(grpc.aio.AioRpcError):
                await infer(client, message("echo", [FOUR]))
        assert "cannot serve gRPC" in caplog.text
        async with channel(port) as client:
            assert await echoed(client, PICTURE)


async def test_a_call_under_way_at_the_door_is_answered_when_it_drains() -> None:
    door = Door(Counted().make)
    port = await door.listen("127.0.0.1", 0)
    async with channel(port) as client:
        calls = [asyncio.create_task(echoed(client, BIG)) for _ in range(3)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await door.drain(5)
        assert all(await asyncio.gather(*calls))


async def test_a_door_that_nobody_came_to_closes() -> None:
    behind = Counted()
    async with opened(behind) as (_, port):
        pass
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert behind.made == 0


async def test_the_port_of_another_server_is_refused() -> None:
    async with opened() as (_, port):
        with pytest.raises(CannotListen, match="--grpc_port"):
            await Door(Counted().make).listen("127.0.0.1", port)
