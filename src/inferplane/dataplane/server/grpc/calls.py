"""Which calls there are, by path: the inference service's, health's and reflection's.

Made with the first call: protobuf takes 20 ms to import, and most servers are never called over gRPC.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from inferplane.dataplane.server.answers import Answer, Handler, Outcome
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import paths
from inferplane.dataplane.server.http.probes import Probes

HEALTH_PERIOD = 1.0
"""Seconds between two looks at the models' health for those who watch it."""

Unary: TypeAlias = Callable[[bytes, Headers, float | None], Outcome]
"""(message, metadata, seconds that the call has) → answer."""

Streaming: TypeAlias = Callable[[AsyncIterator[bytes], Headers], AsyncIterator[bytes]]
"""(messages as they come, metadata) → messages as they go."""


@dataclass(frozen=True, slots=True)
class Method:
    """One of the two."""

    unary: Unary | None = None
    streaming: Streaming | None = None


def methods(dispatch: Dispatch, probes: Probes) -> dict[str, Method]:
    """By path."""
    from inferplane.dataplane.server.grpc.service import Service
    from inferplane.dataplane.server.grpc.streaming import Stream

    service = Service(dispatch, probes)
    found = {f"{paths.PREFIX}{name}": Method(_limited(call)) for name, call in service.methods.items()}
    found[f"{paths.PREFIX}ModelInfer"] = Method(service.infer)
    found[paths.STREAM] = Method(streaming=lambda incoming, headers: Stream(dispatch, headers).messages(incoming))
    found[paths.HEALTH_CHECK] = Method(_limited(service.health))
    found[paths.HEALTH_WATCH] = Method(streaming=_Watch(service.health).messages)
    found.update({path: Method(_Serving(dispatch, path)) for path in paths.SERVING})
    found.update({f"/{version}/ServerReflectionInfo": Method(streaming=_reflection) for version in paths.REFLECTION})
    return found


def _reflection(incoming: AsyncIterator[bytes], headers: Headers) -> AsyncIterator[bytes]:
    from inferplane.dataplane.server.grpc import reflection  # with descriptors that only a tool ever asks for

    return reflection.messages(incoming)


class _Serving:
    """A call of TensorFlow Serving's, whose messages are imported with the first one."""

    def __init__(self, dispatch: Dispatch, path: str) -> None:
        self._dispatch = dispatch
        self._path = path
        self._call: Unary | None = None

    def __call__(self, body: bytes, headers: Headers, timeout: float | None) -> Outcome:
        if self._call is None:
            from inferplane.dataplane.server.grpc import serving

            self._call = serving.unary(self._dispatch, self._path)
        return self._call(body, headers, timeout)


def _limited(call: Handler) -> Unary:
    """A call that knows no deadline of its own."""

    async def limited(body: bytes, headers: Headers, seconds: float) -> Answer:
        async with asyncio.timeout(seconds):
            outcome = call(body, headers)
            return outcome if isinstance(outcome, Answer) else await outcome

    def unary(body: bytes, headers: Headers, timeout: float | None) -> Outcome:
        return call(body, headers) if timeout is None else limited(body, headers, timeout)

    return unary


class _Watch:
    """Tells the health now and whenever it changes. Of a service not known here it says so, and goes on."""

    def __init__(self, health: Callable[[bytes, Headers], Awaitable[Answer]]) -> None:
        self._health = health

    async def messages(self, incoming: AsyncIterator[bytes], headers: Headers) -> AsyncIterator[bytes]:
        from inferplane.dataplane.server.grpc.service import health_state

        told: bytes | None = None
        async for body in incoming:
            while True:
                state = health_state(await self._health(body, {}))
                if state != told:
                    yield state
                    told = state
                await asyncio.sleep(HEALTH_PERIOD)
