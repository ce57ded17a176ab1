"""gRPC through the activator: grpcio's client and server on the two ends, calls of all four kinds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from tests.contract.activator.running import HEADERS, LIMIT, Activator, activator, until

from inferplane.controlplane.activator.decide import Limits

METADATA = tuple((name.lower(), value) for name, value in HEADERS.items())
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Service:
    """Methods of bytes. `metadata` is what the last call came with; `seen` counts calls."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.seen = 0
        self.cancelled = asyncio.Event()
        self.go_on = asyncio.Event()

    def handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "t.T",
            {
                "Echo": grpc.unary_unary_rpc_method_handler(self.echo),
                "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
                "Count": grpc.unary_stream_rpc_method_handler(self.count),
                "Join": grpc.stream_unary_rpc_method_handler(self.join),
                "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
                "Held": grpc.unary_unary_rpc_method_handler(self.held),
                "Enough": grpc.stream_unary_rpc_method_handler(self.enough),
            },
        )

    async def echo(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.seen += 1
        return request

    async def fail(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")
        return b""

    async def count(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        for number in range(int(request)):
            yield b"%d" % number

    async def join(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        return b",".join([one async for one in requests])

    async def chat(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        async for one in requests:
            yield one.upper()

    async def held(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        self.seen += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request

    async def enough(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        """Answers after the first of them."""
        async for one in requests:
            return one
        return b""


@asynccontextmanager
async def server(*options: tuple[str, int]) -> AsyncIterator[tuple[Service, int, grpc.aio.Server]]:
    service, made = Service(), grpc.aio.server(options=(*OPTIONS, *options))
    made.add_generic_rpc_handlers((service.handlers(),))
    port = made.add_insecure_port("127.0.0.1:0")
    await made.start()
    try:
        yield service, port, made
    finally:
        service.go_on.set()
        await made.stop(None)


@asynccontextmanager
async def channel(one: Activator) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{one.port}", options=OPTIONS) as made:
        yield made


async def answered(call: grpc.aio.UnaryUnaryCall) -> bytes:
    async with asyncio.timeout(LIMIT):
        return bytes(await call)


async def failed(call: grpc.aio.UnaryUnaryCall) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answered(call)
    return caught.value.code(), str(caught.value.details())


async def test_a_call_to_a_sleeping_revision_waits_for_its_pod_and_says_where_the_time_went() -> None:
    async with activator() as one, server() as (service, port, _), channel(one) as made:
        call = made.unary_unary("/t.T/Echo")(b"hello", metadata=METADATA)
        await one.holds(1)
        one.pods(port)
        assert await answered(call) == b"hello"
        said = dict(await call.initial_metadata())
        assert str(said["server-timing"]).startswith("queue;dur=")
        assert not service.metadata.keys() & {name for name, _ in METADATA}
        await one.holds(0)


async def test_streams_of_every_kind_pass_through_a_cold_start() -> None:
    async def words() -> AsyncIterator[bytes]:
        for word in (b"a", b"b", b"c"):
            yield word

    async with activator() as one, server() as (_, port, _), channel(one) as made, asyncio.timeout(LIMIT):
        joined = made.stream_unary("/t.T/Join")(words(), metadata=METADATA)
        chat = made.stream_stream("/t.T/Chat")(metadata=METADATA)
        await chat.write(b"early")
        counted = made.unary_stream("/t.T/Count")(b"100", metadata=METADATA)
        await one.holds(3)
        one.pods(port)
        assert bytes(await joined) == b"a,b,c"
        assert [bytes(each) async for each in counted] == [b"%d" % number for number in range(100)]
        assert await chat.read() == b"EARLY"
        await chat.write(b"late")
        assert await chat.read() == b"LATE"
        await chat.done_writing()
        assert await chat.read() is grpc.aio.EOF
        assert await chat.code() is grpc.StatusCode.OK


async def test_a_status_of_the_pod_is_the_clients() -> None:
    async with activator() as one, server() as (_, port, _), channel(one) as made:
        one.pods(port)
        call = made.unary_unary("/t.T/Fail")(b"", metadata=METADATA)
        assert await failed(call) == (grpc.StatusCode.FAILED_PRECONDITION, "not today")
        unknown = made.unary_unary("/t.T/Nothing")(b"", metadata=METADATA)
        assert (await failed(unknown))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_messages_of_megabytes_pass_within_the_windows_of_both_sides() -> None:
    body = bytes(range(256)) * 4096 * 6
    async with activator() as one, server() as (_, port, _), channel(one) as made:
        calls = [made.unary_unary("/t.T/Echo")(body, metadata=METADATA) for _ in range(3)]
        await one.holds(3)
        one.pods(port)
        assert [await answered(call) == body for call in calls] == [True] * 3


async def test_more_calls_than_a_pods_connection_takes_are_all_answered() -> None:
    async with activator() as one, server(("grpc.max_concurrent_streams", 20)) as (_, port, _), channel(one) as made:
        calls = [made.unary_unary("/t.T/Echo")(b"%d" % number, metadata=METADATA) for number in range(100)]
        await one.holds(100)
        one.pods(port)
        assert [await answered(call) for call in calls] == [b"%d" % number for number in range(100)]
        await one.holds(0)


async def test_a_concurrency_holds_for_calls_that_share_a_connection() -> None:
    async with activator(Limits(concurrency=2)) as one, server() as (service, port, _), channel(one) as made:
        one.pods(port)
        calls = [made.unary_unary("/t.T/Held")(b"%d" % number, metadata=METADATA) for number in range(5)]
        await one.holds(5)
        await until(lambda: service.seen == 2)
        service.go_on.set()
        assert [await answered(call) for call in calls] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_call_that_does_not_fit_into_the_line_is_unavailable_and_one_for_nobody_is_not_found() -> None:
    async with activator(depth=1) as one, channel(one) as made:
        echo = made.unary_unary("/t.T/Echo")
        waits = echo(b"", metadata=METADATA)
        await one.holds(1)
        full = (grpc.StatusCode.UNAVAILABLE, "too many requests wait for this revision")
        assert await failed(echo(b"", metadata=METADATA)) == full
        assert await failed(echo(b"")) == (grpc.StatusCode.NOT_FOUND, "the request names no revision")
        waits.cancel()
        await one.holds(0)


async def test_a_call_that_waits_longer_than_the_revision_allows_has_exceeded_its_deadline() -> None:
    async with activator(Limits(timeout=0.1)) as one, channel(one) as made:
        call = made.unary_unary("/t.T/Echo")(b"", metadata=METADATA)
        assert await failed(call) == (grpc.StatusCode.DEADLINE_EXCEEDED, "activator request timeout")


async def test_a_call_that_its_client_cancels_is_cancelled_at_the_pod() -> None:
    async with activator() as one, server() as (service, port, _), channel(one) as made:
        one.pods(port)
        call = made.unary_unary("/t.T/Held")(b"", metadata=METADATA)
        await until(lambda: service.seen == 1)
        call.cancel()
        async with asyncio.timeout(LIMIT):
            await service.cancelled.wait()
        await one.holds(0)


async def test_a_call_that_is_cancelled_while_it_waits_never_reaches_a_pod() -> None:
    async with activator() as one, server() as (service, port, _), channel(one) as made:
        call = made.unary_unary("/t.T/Echo")(b"", metadata=METADATA)
        await one.holds(1)
        call.cancel()
        await one.holds(0)
        one.pods(port)
        assert await answered(made.unary_unary("/t.T/Echo")(b"next", metadata=METADATA)) == b"next"
        assert service.seen == 1


async def test_an_answer_before_the_last_message_ends_the_call() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"first"
            await asyncio.sleep(0.01)

    async with activator() as one, server() as (_, port, _), channel(one) as made, asyncio.timeout(LIMIT):
        one.pods(port)
        assert bytes(await made.stream_unary("/t.T/Enough")(endless(), metadata=METADATA)) == b"first"
        await one.holds(0)


async def test_a_pod_that_ends_gracefully_answers_the_calls_it_has_and_later_ones_go_to_another() -> None:
    async with activator() as one, server() as (old, port, ending), server() as (_, other, _), channel(one) as made:
        one.pods(port)
        call = made.unary_unary("/t.T/Held")(b"kept", metadata=METADATA)
        await until(lambda: old.seen == 1)
        one.pods(other)
        stopping = asyncio.create_task(ending.stop(LIMIT))
        for _ in range(20):
            assert await answered(made.unary_unary("/t.T/Echo")(b"new", metadata=METADATA)) == b"new"
        old.go_on.set()
        assert await answered(call) == b"kept"
        await stopping


async def test_a_pod_that_dies_fails_its_calls_and_no_others() -> None:
    async with activator() as one, server() as (old, port, dying), server() as (_, other, _), channel(one) as made:
        one.pods(port)
        call = made.unary_unary("/t.T/Held")(b"", metadata=METADATA)
        await until(lambda: old.seen == 1)
        one.pods(other)
        await dying.stop(None)
        assert (await failed(call))[0] in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        assert await answered(made.unary_unary("/t.T/Echo")(b"new", metadata=METADATA)) == b"new"


async def test_a_thousand_small_messages_keep_their_order() -> None:
    async with activator() as one, server() as (_, port, _), channel(one) as made, asyncio.timeout(LIMIT):
        one.pods(port)
        counted = made.unary_stream("/t.T/Count")(b"1000", metadata=METADATA)
        assert [int(each) async for each in counted] == list(range(1000))
