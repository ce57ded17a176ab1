"""`inferplane agent`: logger, batcher and puller in front of a server that is not ours (image `kserve/agent`).

Takes what KServe's controller and ours give it: flags, and the server's readiness probe in SERVING_READINESS_PROBE. Fit
to be called in a process forked from one that has imported this module: importing starts no loop, thread or socket.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import uvloop

from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.readiness import READY, announce
from inferplane.assembly.standard_error import log_to_stderr
from inferplane.assembly.stopping import stop_on_signals
from inferplane.dataplane.agent.batcher import Batcher
from inferplane.dataplane.agent.component import Component
from inferplane.dataplane.agent.flags import add_agent_flags, add_sidecar_flags, sidecar_settings
from inferplane.dataplane.agent.front import Front
from inferplane.dataplane.agent.settings import PullerSettings, SidecarSettings
from inferplane.dataplane.server.answers import Answer, Handler
from inferplane.dataplane.server.batching.gathering import Observe
from inferplane.dataplane.server.http.asgi import Message
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen, HttpServer, listening_socket
from inferplane.dataplane.server.memory import keep_freed
from inferplane.dataplane.server.metrics import Metrics
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.errors import InferplaneError
from inferplane.relay.gate import Address
from inferplane.relay.listener import Listener

if TYPE_CHECKING:
    from inferplane.dataplane.agent.writer import LogWriter

log = logging.getLogger("inferplane.agent")

PROBE = "SERVING_READINESS_PROBE"
"""The server's readiness probe, as JSON."""

STARTED_BADLY = 1
MISUSED = 2

QUIET = 1.0
"""Seconds without a request, after the signal to stop: a gateway that has not heard yet may send some."""

GRACE = 25.0
"""Seconds that requests get to end; Kubernetes kills 30 s after the signal."""


class _Misused(InferplaneError):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _Misused(message, fix="inferplane agent --help lists the flags")


def parse(arguments: Sequence[str]) -> SidecarSettings:
    """Raises InferplaneError, or SystemExit after --help."""
    parser = _Parser(
        prog="inferplane agent",
        description="Log, batch and pull models for a server that is not ours.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add_sidecar_flags(parser)
    add_agent_flags(parser)
    return sidecar_settings(parser.parse_args(arguments))


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when it cannot, 2 for wrong flags."""
    log_to_stderr(os.environ)
    try:
        settings = parse(sys.argv[1:] if argv is None else argv)
    except _Misused as error:
        print(f"inferplane agent: {error}", file=sys.stderr)
        return MISUSED
    except SystemExit:
        return 0  # argparse, after --help
    keep_freed()
    try:
        with _payload_logging(settings) as writer, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, writer, os.environ))
    except InferplaneError as error:
        log.error("cannot serve: %s", error)
        announce_failure(os.environ, type(error).__name__, str(error))
        return STARTED_BADLY
    return 0


def _payload_logging(settings: SidecarSettings) -> "AbstractContextManager[LogWriter | None]":
    if settings.agent.logger is None:
        return nullcontext()
    from inferplane.assembly.payload_logging import payload_logging

    return payload_logging(settings.agent.logger, settings.port)


async def _serve(settings: SidecarSettings, writer: "LogWriter | None", environ: Mapping[str, str]) -> None:
    stop = stop_on_signals()
    host = environ.get("POD_IP", "")
    component = Component(Address(host or "127.0.0.1", settings.component_port), environ.get(PROBE, ""))
    async with proxying(settings, component, writer, host or "0.0.0.0", environ) as front:
        log.info("ready port=%d component=%s:%d", settings.port, component.address.host, component.address.port)
        announce(environ, READY)
        await stop.wait()
        log.info("stopping")
        front.draining = True
        await front.quiet(QUIET, GRACE)


@asynccontextmanager
async def proxying(
    settings: SidecarSettings, component: Component, writer: "LogWriter | None", host: str, environ: Mapping[str, str]
) -> AsyncIterator[Front]:
    """Passes requests on while the block runs; those under way when it ends get their grace. Raises CannotListen."""
    metrics, clock = Metrics(), SystemClock()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(component.close)
        recording = None
        if writer is not None:
            from inferplane.dataplane.agent.recording import Recording

            metrics.include(writer.region)
            recording = Recording(writer.end, writer.settings, metrics.series("inferplane_logger_dropped", "").add)
            stack.push_async_callback(recording.finish, writer.settings.bounds.flush)
        batcher = None
        if settings.agent.batcher is not None:
            batcher = Batcher(settings.agent.batcher, component.send, _counting(metrics))
            stack.callback(batcher.close)
        if settings.agent.puller is not None:
            await stack.enter_async_context(_pulling(settings.agent.puller, component.address, environ, metrics))
        await stack.enter_async_context(_told(metrics, host, settings.metrics_port))
        front = Front(component, recording, batcher, clock)
        listener = Listener(front, clock)
        with listening_socket(host, settings.port) as listening:
            listening.setblocking(False)
            await listener.start(listening)
            tidying = asyncio.create_task(listener.run(), name="connections")
            try:
                yield front
            finally:
                await listener.stop(GRACE)
                tidying.cancel()
                await asyncio.gather(tidying, return_exceptions=True)


def _counting(metrics: Metrics) -> Observe:
    joined, together = (metrics.distribution(f"inferplane_batch_{one}", "") for one in ("requests", "rows"))

    def observe(requests: int, rows: int) -> None:
        joined.observe(requests)
        together.observe(rows)

    return observe


@asynccontextmanager
async def _pulling(
    settings: PullerSettings, server: Address, environ: Mapping[str, str], metrics: Metrics
) -> AsyncIterator[None]:
    """The models of the server behind."""
    import httpx

    from inferplane.assembly.pulling import pulling
    from inferplane.dataplane.puller.remote import RepositoryApi

    async with httpx.AsyncClient(trust_env=False) as client:
        target = RepositoryApi(f"http://{server.host}:{server.port}", client)
        async with pulling(settings, target, environ, metrics):
            yield


@asynccontextmanager
async def _told(metrics: Metrics, host: str, port: int) -> AsyncIterator[None]:
    """The agent's own `/metrics`; without the port, where another process has it."""
    if not port:
        yield
        return
    server = HttpServer(_MetricsPage(metrics), _nothing_else, _Unready(), Limits(lame_duck=0.0))
    try:
        await server.listen(host, port)
    except CannotListen as error:
        log.warning("no metrics: %s", error)
    try:
        yield
    finally:
        server.close()


class _MetricsPage:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def find(self, method: bytes, target: bytes) -> Handler | None:
        return self._page if method == b"GET" and target.partition(b"?")[0] == b"/metrics" else None

    def _page(self, body: bytes, headers: dict[str, str]) -> Answer:
        text, kind = self._metrics.exposition(headers.get("accept", ""))
        return Answer(200, text, kind.encode())


class _Unready:
    stopping = False


_Receive: TypeAlias = Callable[[], Awaitable[Message]]
_Send: TypeAlias = Callable[[Message], Awaitable[None]]


async def _nothing_else(scope: Message, receive: _Receive, send: _Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"there is /metrics\n"})


if __name__ == "__main__":
    sys.exit(main())
