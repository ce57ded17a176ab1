"""ModelStreamInfer: requests in, any number of answers to each out, in whatever order they are ready.

Triton's semantics. Answers are told apart by `id`. A request that fails is answered by a message with `error_message`,
and the stream goes on. A model that streams gives an iterator of InferResponse; all others answer once. A request with
the parameter `triton_enable_empty_final_response` learns which answer is its last: the only one, or an empty one after
those of an iterator, has the parameter `triton_final_response`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import cast

from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import status
from inferplane.dataplane.server.grpc.protocol import GRPC, joined
from inferplane.dataplane.server.grpc.service import requested_model
from inferplane.dataplane.server.grpc.status import Refusal
from inferplane.inference.errors import Malformed
from inferplane.inference.grpc import requests
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferResponse, ModelStreamInferResponse
from inferplane.inference.grpc.wire import varint
from inferplane.inference.tensors import InferRequest, InferResponse

WANTS_FINAL = "triton_enable_empty_final_response"
FINAL = "triton_final_response"

AT_ONCE = 64
"""Requests of one stream under way, at most; then no more are read."""


def _write(result: object, payload: object) -> Answer:
    request = cast(InferRequest, payload)
    if isinstance(result, AsyncIterator | Iterator):
        return Answer(200, _messages(result, request), status.CONTENT_TYPE)
    if isinstance(result, InferResponse) and _wants_final(request):
        result.parameters = {**(result.parameters or {}), FINAL: True}
    return GRPC.write(result, payload)


STREAM = Codec("grpc", GRPC.read, _write, GRPC.failure)


def _wants_final(request: InferRequest) -> bool:
    return bool((request.parameters or {}).get(WANTS_FINAL, False))


async def _messages(results: AsyncIterator[object] | Iterator[object], request: InferRequest) -> AsyncIterator[bytes]:
    async for result in _each(results):
        yield joined(GRPC.write(result, request))
    if _wants_final(request):
        last = ModelInferResponse(model_name=request.model_name, id=request.id or "")
        last.parameters[FINAL].bool_param = True
        yield last.SerializeToString()


async def _each(results: AsyncIterator[object] | Iterator[object]) -> AsyncIterator[object]:
    if isinstance(results, AsyncIterator):
        async for result in results:
            yield result
        return
    end = object()
    # The model's own code computes each of them: not on the loop.
    while (result := await asyncio.to_thread(next, results, end)) is not end:
        yield result


class Stream:
    """One call of ModelStreamInfer. `messages` are serialised answers, ready to be sent."""

    def __init__(self, dispatch: Dispatch, headers: Headers) -> None:
        self._dispatch = dispatch
        self._headers = headers
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(AT_ONCE)  # in the queue: a client that does not read holds up its models
        self._places = asyncio.Semaphore(AT_ONCE)

    async def messages(self, incoming: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Ends when the client has said its last and everything is answered; a cancelled stream drops the rest."""
        reading = asyncio.create_task(self._read(incoming))
        reading.add_done_callback(lambda _: self._out.put_nowait(None))
        try:
            while (message := await self._out.get()) is not None:
                yield message
                self._room.release()
            await reading
        finally:
            reading.cancel()

    async def _read(self, incoming: AsyncIterator[bytes]) -> None:
        async with asyncio.TaskGroup() as tasks:
            async for body in incoming:
                await self._places.acquire()
                tasks.create_task(self._answer(body))

    async def _tell(self, message: bytes) -> None:
        await self._room.acquire()
        self._out.put_nowait(message)

    async def _answer(self, body: bytes) -> None:
        try:
            outcome = self._started(body)
            answer = outcome if isinstance(outcome, Answer) else await outcome
            if isinstance(answer.body, AsyncIterator):
                async for message in answer.body:
                    await self._tell(framed(message))
            elif isinstance(answer, Refusal):
                await self._tell(_error(body, answer.message))
            else:
                await self._tell(framed(joined(answer)))
        except Exception as error:
            await self._tell(_error(body, status.of_failure(error).message))
        finally:
            self._places.release()

    def _started(self, body: bytes) -> Outcome:
        return self._dispatch.call(STREAM, requested_model(body), body, dict(self._headers))


def _error(body: bytes, message: str) -> bytes:
    response = ModelStreamInferResponse(error_message=message)
    try:
        # Which of the stream's requests it was.
        response.infer_response.id = requests.parsed(body).id
    except Malformed:
        pass  # what cannot be read has no id
    return response.SerializeToString()


def framed(message: bytes) -> bytes:
    """A ModelStreamInferResponse around a serialised ModelInferResponse."""
    return b"\x12" + varint(len(message)) + message
