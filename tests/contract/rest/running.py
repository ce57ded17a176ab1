"""A server on a thread of its own, for clients that block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop
from tests.contract.model_server.serving import Serving, serving
from tests.contract.rest.models import Echo, Shaped, Talking

from inferplane import Model
from inferplane.dataplane.server.http.limits import Limits


@dataclass(frozen=True)
class Running:
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def models() -> list[Model]:
    return [Echo("m"), Shaped(), Talking(), Model("unready")]


@contextmanager
def running(*served: Model, limits: Limits | None = None) -> Iterator[Running]:
    started = threading.Event()
    ended = asyncio.Event()
    found: list[tuple[Serving, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with serving(*(served or models()), limits=limits) as server:
            found.append((server, asyncio.get_running_loop()))
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve())
        finally:
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    (server, loop) = found[0]
    try:
        yield Running(server.port)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
