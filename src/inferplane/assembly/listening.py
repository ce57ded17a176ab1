"""The ends of one model-server process: from a repository of models to answers over HTTP and gRPC, until it stops."""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import uvloop
from starlette.applications import Starlette

from inferplane import __version__
from inferplane.assembly.model_server_grpc import GrpcFlags, calls, listen
from inferplane.assembly.worker_channel import Message, WorkerEnd
from inferplane.assembly.workers import Place
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.residency.models import ManyModels
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.observing import Observer
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.asgi import AsgiApp
from inferplane.dataplane.server.http.extended import Everything, LaneOff, Later, is_untouched, takes_hot_routes
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import HttpServer
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.http.routes import HotRoutes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.promptness import be_patient
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.cloudevents import Settings

if TYPE_CHECKING:
    from inferplane.dataplane.agent.recording import Recording
    from inferplane.dataplane.agent.writer import LogWriter
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")


@dataclass(frozen=True)
class Ends:
    """Where and how to listen; with `grpc.tls` both ports speak TLS.

    `app` holds routes and middleware of the models' author.
    """

    host: str
    http_port: int
    grpc: GrpcFlags = field(default_factory=GrpcFlags)
    limits: Limits = field(default_factory=Limits)
    execution: Execution = field(default_factory=Execution)
    access_log: AccessLog | None = None
    docs: bool = False
    events: Settings = field(default_factory=Settings)
    app: Starlette | None = None
    spans: "Spans | None" = None
    log_writer: "LogWriter | None" = None
    """Where requests and answers are noted, if payloads are logged."""
    metrics: Metrics | None = None
    """Where to count, if that is not to be made here."""


@dataclass(frozen=True)
class Ports:
    http: int
    grpc: int | None


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Of `--event-loop`: `auto` is uvloop."""
    return asyncio.new_event_loop if name == "asyncio" else uvloop.new_event_loop


def executor(threads: int | None) -> ThreadPoolExecutor:
    """The loop's own, of `--max_asyncio_workers`: models load there, and iterators of streamed answers run there."""
    return ThreadPoolExecutor(
        threads or min(32, len(os.sched_getaffinity(0)) + 4), thread_name_prefix="asyncio", initializer=be_patient
    )


_HANDING_ON = 5.0
"""Seconds for the writer of the payload log to take the last notes."""


async def _loaded() -> None:
    """Nothing is left to load."""


@asynccontextmanager
async def listening(
    repository: ModelRepository,
    ends: Ends,
    place: Place | None,
    stop: asyncio.Event,
    load: Callable[[], Awaitable[None]] = _loaded,
) -> AsyncIterator[Ports]:
    """Answers while the block runs, and leaves no request unanswered when it ends.

    The ports are there while `load` runs, so that probes are told. With a `place` this process is one of several
    workers: they share the ports, the metrics, and what becomes of the repository's models. It takes connections from
    the others once it has loaded; `stop` is set when their parent is gone.
    """
    dispatch = Dispatch(repository, ends.metrics or _metrics(place), ends.execution, ends.events, watcher=ends.spans)
    if isinstance(repository, ManyModels):
        repository.attended(dispatch)
    probes = Probes(dispatch)
    routes, app = _application(ends, dispatch, probes)
    server = HttpServer(routes, app, probes, ends.limits, ends.access_log, ends.spans)
    dispatch.everywhere = worker = None if place is None else WorkerEnd(place.channel, repository, stop)
    tls = None if ends.grpc.tls is None else ends.grpc.tls.context()
    grpc = calls(ends.grpc, ends.limits, dispatch, probes, _observer(ends), worker=place is not None)
    server.http2 = grpc.over_http.connection
    recording = None if ends.log_writer is None else _recording(ends.log_writer, dispatch.metrics)
    server.payload_log = grpc.port.payload_log = grpc.over_http.payload_log = recording
    try:
        http = await _bound(server, ends, place, tls)
        port = await listen(grpc.port, ends.grpc, ends.host)
        await load()
        if place is not None and worker is not None:
            server.share(place.listening, place.connections, place.number, tls)
            worker.say(Message(event="ready"))
        yield Ports(http, port)
        log.info("stopping requests_answered=%d", server.answered)
        await asyncio.gather(server.drain(), grpc.drain(ends.limits))
    finally:
        await grpc.close()
        if worker is not None:
            worker.close()
        server.close()
        dispatch.close()
        if recording is not None:
            await recording.finish(_HANDING_ON)


def _recording(writer: "LogWriter", metrics: Metrics) -> "Recording":
    """What this process notes for the writer of the log; what the writer counts is told here."""
    from inferplane.dataplane.agent.recording import Recording

    metrics.include(writer.region)
    lost = metrics.series("inferplane_logger_dropped", "")
    return Recording(writer.end, writer.settings, lost.add)


def _observer(ends: Ends) -> Observer | None:
    return Observer(ends.spans, ends.access_log) if ends.spans is not None or ends.access_log is not None else None


def _metrics(place: Place | None) -> Metrics:
    return Metrics() if place is None else Metrics(place.own_region, place.regions, authors_share=True)


async def _bound(server: HttpServer, ends: Ends, place: Place | None, tls: ssl.SSLContext | None) -> int:
    """The HTTP port's number. A worker's was bound before it came to be."""
    if place is None:
        return await server.listen(ends.host, ends.http_port, tls)
    return int(place.listening.getsockname()[1])


def _application(ends: Ends, dispatch: Dispatch, probes: Probes) -> tuple[HotRoutes, AsgiApp]:
    hot, own = HotRoutes(dispatch, probes), Later(partial(build, dispatch, probes, __version__, docs=ends.docs))
    if ends.app is None or is_untouched(ends.app):
        return hot, own
    ends.app.router.default = Everything(hot, own)
    return (LaneOff(dispatch, probes) if takes_hot_routes(ends.app) else hot), ends.app
