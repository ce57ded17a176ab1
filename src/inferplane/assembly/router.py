"""`inferplane router`: the router of an InferenceGraph, behind HTTP, in this process (image `kserve/router`).

Takes what KServe's controller and ours give it: the graph with the URLs of its services in `--graph-json`, patterns of
headers that go on to the steps in PROPAGATE_HEADERS. Fit to be called in a process forked from one that has imported
this module.
"""

import argparse
import asyncio
import logging
import os
import random
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from inferplane.assembly.announcement import announce_failure
from inferplane.assembly.readiness import READY, announce
from inferplane.assembly.standard_error import log_to_stderr
from inferplane.assembly.stopping import stop_on_signals
from inferplane.assembly.tracing import tracing
from inferplane.dataplane.graph.calls import Calls
from inferplane.dataplane.graph.executor import Executor
from inferplane.dataplane.graph.forwarding import Propagation, patterns
from inferplane.dataplane.graph.metrics import GraphMetrics
from inferplane.dataplane.graph.plan import Graph
from inferplane.dataplane.graph.plan import read as read_graph
from inferplane.dataplane.graph.serving import GraphRoutes, Readiness, nothing_else
from inferplane.dataplane.graph.splitting import OUTCOMES
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import HttpServer
from inferplane.dataplane.server.memory import keep_freed
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.router")

HEADERS = "PROPAGATE_HEADERS"
PORT = 8080
_UNBOUND = 86_400.0


@dataclass(frozen=True, slots=True)
class Options:
    graph: str
    host: str
    port: int


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Exits with code 2 and its usage for wrong flags."""
    parser = argparse.ArgumentParser(prog="inferplane router", description=__doc__.splitlines()[0])
    parser.add_argument("--graph-json", required=True, help="The spec of the InferenceGraph, each step with its URL.")
    parser.add_argument("--host", default=environ.get("POD_IP") or "0.0.0.0", help="Address to listen on.")
    parser.add_argument(
        "--port", "--http_port", type=int, default=int(environ.get("PORT") or PORT), help="Port to listen on."
    )
    given = parser.parse_args(argv)
    return Options(given.graph_json, given.host, given.port)


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code: 1 when the graph cannot be carried out."""
    options = parse(sys.argv[1:] if argv is None else argv, os.environ)
    log_to_stderr(os.environ)
    keep_freed()
    try:
        graph = read_graph(options.graph)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(options, graph, os.environ))
    except InferplaneError as error:
        log.error("cannot route: %s", error)
        announce_failure(os.environ, type(error).__name__, str(error))
        return 1
    return 0


def warm() -> None:
    """Has what happens at first use happen now. Starts no thread."""
    log_to_stderr(os.environ)
    GraphMetrics().exposition("")


async def _serve(options: Options, graph: Graph, environ: Mapping[str, str]) -> None:
    stop = stop_on_signals()
    async with (
        tracing(None, environ, "router") as spans,
        routing(graph, _propagation(environ), options.host, options.port, spans) as server,
    ):
        log.info("ready nodes=%s port=%d", ",".join(graph.nodes), server.port)
        announce(environ, READY)
        await stop.wait()
        log.info("stopping requests_answered=%d", server.http.answered)
        await server.http.drain()


@dataclass(frozen=True, slots=True)
class Serving:
    http: HttpServer
    port: int


@asynccontextmanager
async def routing(
    graph: Graph, propagation: Propagation, host: str, port: int, spans: "Spans | None" = None
) -> AsyncIterator[Serving]:
    """Answers while the block runs; port 0 is the system's choice."""
    metrics, readiness, timeouts = GraphMetrics(), Readiness(), graph.timeouts
    calls = Calls(metrics, timeouts.call)
    routes = GraphRoutes(Executor(graph, calls, _draw), propagation, metrics, readiness, timeouts.whole)
    read, idle = timeouts.read or _UNBOUND, timeouts.idle or _UNBOUND
    limits = Limits(head_timeout=read, body_timeout=read, keep_alive=idle)
    server = HttpServer(routes, nothing_else, readiness, limits, spans=spans)
    try:
        yield Serving(server, await server.listen(host, port))
    finally:
        server.close()
        await calls.close()


def _propagation(environ: Mapping[str, str]) -> Propagation:
    found = Propagation(patterns(environ.get(HEADERS)))
    for one, why in found.invalid.items():
        log.warning("%s: %r is no regular expression and is left out: %s", HEADERS, one, why)
    return found


def _draw() -> int:
    # Of the system's own source: a fork may not draw what its siblings draw.
    return random.SystemRandom().randrange(OUTCOMES)


if __name__ == "__main__":
    sys.exit(main())
