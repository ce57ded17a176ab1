"""The ends of one model-server process: from a repository of models to answers over HTTP and gRPC, until it stops."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from inferplane import __version__
from inferplane.assembly.tracing import traced
from inferplane.assembly.worker_channel import Message, WorkerEnd
from inferplane.assembly.workers import Place
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.http.access_log import AccessLog
from inferplane.dataplane.server.http.app import build
from inferplane.dataplane.server.http.asgi import AsgiApp
from inferplane.dataplane.server.http.extended import Everything, LaneOff, is_untouched, takes_hot_routes
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen, HttpServer
from inferplane.dataplane.server.http.probes import Probes
from inferplane.dataplane.server.http.routes import HotRoutes
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.cloudevents import Settings

if TYPE_CHECKING:
    from inferplane.dataplane.server.grpc.port import GrpcServer
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")


@dataclass(frozen=True)
class Certificate:
    """Files in PEM."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            made.load_cert_chain(self.chain, self.key)
        except (OSError, ssl.SSLError) as error:
            raise CannotListen(
                f"the certificate {self.chain} with the key {self.key} cannot be used: {error}",
                fix="give PEM files that belong together in --ssl_certfile and --ssl_keyfile",
            ) from error
        return made


@dataclass(frozen=True)
class Ends:
    """Where and how to listen. A `grpc_port` of None is no gRPC port; message sizes in bytes.

    `app` holds routes and middleware of the models' author.
    """

    host: str
    http_port: int
    grpc_port: int | None = None
    limits: Limits = field(default_factory=Limits)
    execution: Execution = field(default_factory=Execution)
    max_send_message: int = 8 * 1024 * 1024
    max_receive_message: int = 8 * 1024 * 1024
    access_log: AccessLog | None = None
    docs: bool = False
    events: Settings = field(default_factory=Settings)
    app: Starlette | None = None
    tls: Certificate | None = None
    spans: "Spans | None" = None


@dataclass(frozen=True)
class Ports:
    http: int
    grpc: int | None


@asynccontextmanager
async def listening(
    repository: ModelRepository, ends: Ends, place: Place | None, stop: asyncio.Event
) -> AsyncIterator[Ports]:
    """Answers while the block runs, and leaves no request unanswered when it ends.

    With a `place` this process is one of several workers: they share the ports, the metrics, and what becomes of the
    repository's models; `stop` is set when their parent is gone.
    """
    dispatch = Dispatch(repository, _metrics(place), ends.execution, ends.events, watcher=ends.spans)
    probes = Probes(dispatch)
    routes, app = _application(ends, dispatch, probes)
    server = HttpServer(routes, app, probes, ends.limits, ends.access_log, ends.spans)
    dispatch.everywhere = worker = None if place is None else WorkerEnd(place.channel, repository, stop)
    calls: GrpcServer | None = None
    try:
        http = await _accept(server, ends, place)
        grpc = None
        if ends.grpc_port is not None:
            calls = _grpc_server(ends, dispatch, probes, shared=place is not None)
            grpc = await calls.listen(ends.host, ends.grpc_port)
        if worker is not None:
            worker.say(Message(event="ready"))
        yield Ports(http, grpc)
        log.info("stopping requests_answered=%d", server.answered)
        await asyncio.gather(server.drain(), *([] if calls is None else [calls.drain(ends.limits.grace)]))
    finally:
        if worker is not None:
            worker.close()
        server.close()
        dispatch.close()


def _metrics(place: Place | None) -> Metrics:
    return Metrics() if place is None else Metrics(place.own_region, place.regions, authors_share=True)


async def _accept(server: HttpServer, ends: Ends, place: Place | None) -> int:
    if place is None:
        return await server.listen(ends.host, ends.http_port, None if ends.tls is None else ends.tls.context())
    if ends.tls is not None:
        raise CannotListen("TLS with several workers is not supported", fix="leave out --workers or the certificate")
    server.share(place.listening, place.connections, place.number)
    return int(place.listening.getsockname()[1])


def _application(ends: Ends, dispatch: Dispatch, probes: Probes) -> tuple[HotRoutes, AsgiApp]:
    hot, own = HotRoutes(dispatch, probes), build(dispatch, probes, __version__, docs=ends.docs)
    if ends.app is None or is_untouched(ends.app):
        return hot, own
    ends.app.router.default = Everything(hot, own)
    return (LaneOff(dispatch, probes) if takes_hot_routes(ends.app) else hot), ends.app


def _grpc_server(ends: Ends, dispatch: Dispatch, probes: Probes, *, shared: bool) -> "GrpcServer":
    # Not at the top: grpc and protobuf take 0.1 s to import, and a server without the port needs neither.
    from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions, Tls
    from inferplane.dataplane.server.grpc.service import Service

    tls = None if ends.tls is None else Tls(ends.tls.chain, ends.tls.key)
    options = PortOptions(
        ends.max_send_message, ends.max_receive_message, tls=tls, shared=shared, interceptors=traced(ends.spans)
    )
    return GrpcServer(Service(dispatch, probes), dispatch, options)
