"""The control-plane process: API server on SQLite, controllers, and the xDS server that configures Envoy.

The controllers' requests are those of any other client, but as the API server lives in the same process they take no
wire (`apiserver.local`); what runs on a cluster is the same but for that.
"""

import argparse
import asyncio
import ctypes
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from inferplane import __version__
from inferplane.assembly import addons, logs, readiness
from inferplane.assembly.autoscaling import autoscaling
from inferplane.assembly.home import Home
from inferplane.assembly.serverless import Serverless
from inferplane.controlplane.activator.measures import ColdStarts
from inferplane.controlplane.apiserver import pki
from inferplane.controlplane.apiserver.app import App, create_app
from inferplane.controlplane.apiserver.local import LocalApi
from inferplane.controlplane.apiserver.logs import NodeLogs
from inferplane.controlplane.apiserver.server import Server
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.controlplane.apiserver.streams import NodeStreams
from inferplane.controlplane.apiserver.usage import NodeUsage
from inferplane.controlplane.gateway import controllers as gateways
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import EVENTS_WAIT, Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.machinery.progress import PROGRESS_WAITS
from inferplane.controlplane.serving.controllers import controllers as serving_controllers
from inferplane.controlplane.workloads.controllers import controllers as workload_controllers
from inferplane.kernel.clock import Clock, SystemClock
from inferplane.kernel.errors import InferplaneError

COMPONENT = "inferplane"
THREADS_TAKE_TURNS = 0.0002
"""Seconds that the store's thread waits for the event loop's at most, some times for each commit (Python: 5 ms)."""
_ON_THE_WAY = frozenset({"podautoscaler", "deployment", "replicaset", "scheduler"})
"""Controllers that lie between a request for a sleeping service and its pod."""


@dataclass(frozen=True, slots=True)
class Options:
    home: Home
    api_port: int
    gateway_port: int


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. Returns 1, with one line on standard error, when it can't run."""
    options = _options(argv)
    logs.set_up()
    sys.setswitchinterval(THREADS_TAKE_TURNS)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(options))
    except InferplaneError as error:
        readiness.announce(os.environ, readiness.Event(event="failed", message=str(error)))
        print(f"inferplane control plane: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(options: Options) -> None:
    options.home.make()
    clock = SystemClock()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    starts = ColdStarts()
    async with _api_server(options, clock, starts) as app:
        api = LocalApi(app, user_agent=f"{COMPONENT}/{__version__}")
        await addons.install(api, addons.addons(options.gateway_port))
        await _until(stop, _controllers(api, clock, options.home, starts))


@asynccontextmanager
async def _api_server(options: Options, clock: Clock, starts: ColdStarts) -> AsyncIterator[App]:
    """Listening, over the store of this home."""
    home = options.home
    identity = pki.ensure(home.pki, clock.now())
    store = await Store.open(home.state, clock)
    node = home.node_socket
    app = await create_app(
        store,
        token=identity.token,
        clock=clock,
        logs=NodeLogs(node),
        usage=NodeUsage(node),
        pod_streams=NodeStreams(node),
        metrics=starts.exposition,
    )
    server = Server(app, port=options.api_port, certificate=identity.certificate, key=identity.key)
    await server.start()
    pki.write_kubeconfig(home.kubeconfig, server.url, identity)
    try:
        yield app
    finally:
        await server.stop()


async def _controllers(api: LocalApi, clock: Clock, home: Home, starts: ColdStarts) -> None:
    """Runs all controllers until cancelled. One that breaks takes the process along; the supervisor starts it anew."""
    informers = Informers(api, clock)
    recorder = Recorder(api, COMPONENT, clock, patience=EVENTS_WAIT)
    first = Precedence(clock)
    gateway = gateways.made(informers, clock)
    serverless = Serverless(
        informers,
        clock,
        recorder,
        starts,
        envoy_admin=home.envoy_admin_socket,
        first=first,
        told=gateway.has_told,
    )
    controllers = [
        *workload_controllers(
            informers,
            api,
            clock,
            recorder,
            ca=(home.pki / "ca.crt").read_text(),
            autoscaling=autoscaling(os.environ),
            scaled_objects=True,
            first=first,
            patience=PROGRESS_WAITS,
        ),
        *serving_controllers(informers.api, informers, recorder, clock, PROGRESS_WAITS),
        *serverless.controllers,
    ]
    async with asyncio.TaskGroup() as tasks:
        # Asked for before the informers run, so that the first lists of all kinds go out together.
        routing = gateways.run_gateway(informers, clock, xds_address=str(home.xds_socket), first=first, gateway=gateway)
        tasks.create_task(routing, name="gateway")
        tasks.create_task(informers.run(), name="informers")
        tasks.create_task(informers.keep_small(_give_back), name="packing")
        tasks.create_task(recorder.run(), name="events")
        # It listens from the first moment: requests for a revision at zero wait rather than fail.
        tasks.create_task(serverless.run(), name="serverless")
        await informers.synced()
        _spare_the_collector()
        _start(tasks, controllers, first)
        readiness.announce(os.environ, readiness.READY)


def _spare_the_collector() -> None:
    """Caches hold their objects for long and without cycles: a full collection finds nothing and walks them all (0.5 s
    with 1,000 services, during which no endpoint changes)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)
    _give_back()


def _give_back() -> None:
    """Has the C library return what is free to the system (2 ms): it is most where thousands of objects were listed."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def _start(tasks: asyncio.TaskGroup, controllers: Sequence[Controller], first: Precedence) -> None:
    for controller in controllers:
        on_the_way = controller.name in _ON_THE_WAY
        tasks.create_task(controller.run(None if on_the_way else first), name=controller.name)


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Runs `work` until `stop` is set; an error of the work comes through."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for one in (task, stopped):
            one.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="inferplane-control-plane", description="API server, controllers and xDS.")
    parser.add_argument("--home", type=Path, required=True, help="the platform's directory")
    parser.add_argument("--api-port", type=int, required=True, help="HTTPS port of the API server")
    parser.add_argument("--gateway-port", type=int, required=True, help="port that the gateway's listener gets")
    given = parser.parse_args(argv)
    return Options(Home(given.home.absolute()), given.api_port, given.gateway_port)


if __name__ == "__main__":
    sys.exit(main())
