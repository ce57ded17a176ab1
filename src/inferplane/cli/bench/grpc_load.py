"""gRPC load: unary ModelInfer calls on a few channels, the request serialized once."""

import asyncio
import time
from collections.abc import Callable

import grpc
import grpc.aio

from inferplane.cli.bench.http_load import Shape
from inferplane.cli.bench.tally import Load, Tally
from inferplane.client.inference.channel import SERVICE

CALLS_PER_CHANNEL = 16


async def load(
    address: str, authority: str, request: bytes, shape: Shape, tick: Callable[[float, Tally], None]
) -> tuple[Load, bytes]:
    """As `http_load.load`. Answers are not parsed: the status tells what is counted. `authority` may be empty."""
    tally = Tally()
    options: list[tuple[str, object]] = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1),
        *([("grpc.default_authority", authority)] if authority else []),
    ]
    channels = [
        grpc.aio.insecure_channel(address, options=options) for _ in range(-(-shape.concurrency // CALLS_PER_CHANNEL))
    ]
    calls = [channel.unary_unary(SERVICE + "ModelInfer") for channel in channels]
    due = _Due(shape.rate)
    workers = [
        asyncio.create_task(_work(calls[number % len(calls)], request, tally, due, shape.timeout))
        for number in range(shape.concurrency)
    ]
    try:
        await asyncio.sleep(shape.warmup)
        tally.clear()
        due.late = 0
        started, cpu = time.perf_counter(), time.process_time()
        while (passed := time.perf_counter() - started) < shape.duration:
            tick(passed, tally)
            await asyncio.sleep(min(0.25, shape.duration - passed))
        seconds, busy = time.perf_counter() - started, time.process_time() - cpu
        measured = Load(_copy(tally), seconds, busy / seconds, due.late)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for channel in channels:
            await channel.close()
    return measured, due.sample


class _Due:
    """When the next request is due: at once, or at even times."""

    def __init__(self, rate: float | None) -> None:
        self._step = 1 / rate if rate else 0.0
        self._next = time.perf_counter()
        self.late = 0
        self.sample = b""

    async def wait(self) -> float:
        now = time.perf_counter()
        if not self._step:
            return now
        moment, self._next = self._next, self._next + self._step
        if moment > now:
            await asyncio.sleep(moment - now)
        else:
            self.late += 1
        # A timer may wake the loop up to a millisecond early; what is sent early has not waited.
        return min(moment, time.perf_counter())


async def _work(
    call: grpc.aio.UnaryUnaryMultiCallable, request: bytes, tally: Tally, due: _Due, timeout: float
) -> None:
    while True:
        since = await due.wait()
        try:
            answer = await call(request, timeout=timeout)
            tally.received += len(answer)
            tally.answered("OK", time.perf_counter() - since)
        except grpc.aio.AioRpcError as error:
            tally.answered(error.code().name, time.perf_counter() - since)
            due.sample = due.sample or str(error.details()).encode()


def _copy(tally: Tally) -> Tally:
    kept = Tally()
    kept.latencies, kept.statuses, kept.received = tally.latencies[:], tally.statuses.copy(), tally.received
    return kept
