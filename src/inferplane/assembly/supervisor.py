"""`inferplane up`: starts control plane, node and Envoy, starts again whichever dies, stops them in order.

Run as a module it is the detached form: `python -m inferplane.assembly.supervisor --home DIR …`.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from inferplane.assembly import leftovers, outside, ports, readiness, unprivileged
from inferplane.assembly.children import Child, Recipe
from inferplane.assembly.home import Home
from inferplane.assembly.outside import NOBODY, Asked
from inferplane.assembly.record import (
    CONTROL_PLANE,
    GATEWAY,
    NODE,
    SUPERVISOR,
    Platform,
    only_supervisor,
    record,
    started_at,
)
from inferplane.controlplane.apiserver import pki
from inferplane.controlplane.gateway.attachment import listener_name
from inferplane.controlplane.gateway.bootstrap import (
    BootstrapOptions,
    bootstrap,
    command,
    envoy_binary,
    suggested_workers,
)
from inferplane.controlplane.gateway.values import Listener
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.errors import InferplaneError

DEFAULT_GATEWAY_PORT = 8080
DEFAULT_API_PORT = 6443
# Pods get their own grace period (30 s unless they say otherwise) before the node ends.
_NODE_GRACE = 60.0
# For one that hangs; one that ends is noticed at once. With 1,000 services a start takes 50 s on a busy machine.
_START_TIMEOUT = 900.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    home: Home
    gateway_port: int = DEFAULT_GATEWAY_PORT
    api_port: int = DEFAULT_API_PORT
    outside: Asked = NOBODY
    unprivileged_pods: bool = False
    prewarm: str | None = None


class Supervisor:
    """One platform. `run` is its whole life."""

    def __init__(self, options: Options, on_progress: Progress) -> None:
        self._options = options
        self._home = options.home
        self._progress = on_progress
        self._stop = asyncio.Event()
        self._platform: Platform | None = None
        self.notes: list[str] = []

    def request_stop(self) -> None:
        self._stop.set()

    async def run(self, on_ready: Callable[[Platform], None]) -> None:
        """Returns after `request_stop`, when nothing it started is running any more. Raises when a start failed."""
        self._home.make()
        if self._options.unprivileged_pods:
            unprivileged.prepare(self._home)
        with only_supervisor(self._home):
            await leftovers.replace_processes(self._home, self._progress)
            gateway_port, api_port = self._choose_ports()
            api = f"https://127.0.0.1:{api_port}"
            pki.write_kubeconfig(self._home.kubeconfig, api, pki.ensure(self._home.pki, SystemClock().now()))
            self._platform = Platform(
                gateway=f"http://localhost:{gateway_port}",
                api=api,
                kubeconfig=str(self._home.kubeconfig),
                home=str(self._home.root),
                processes={},
            )
            self._started(SUPERVISOR, os.getpid())
            children: list[Child] = []
            try:
                recipes = (
                    self._control_plane(gateway_port, api_port),
                    self._node(),
                    self._gateway(gateway_port, self._outside(gateway_port)),
                )
                children += [self._child(recipe) for recipe in recipes]
                await self._keep(children, gateway_port, on_ready)
            finally:
                await self._stop_all(children)
                self._home.platform_file.unlink(missing_ok=True)

    async def _keep(self, children: Sequence[Child], gateway_port: int, on_ready: Callable[[Platform], None]) -> None:
        if not await self._unless_stopped(self._start(children, gateway_port)):
            return
        assert self._platform is not None
        on_ready(self._platform)
        async with AsyncExitStack() as stack:
            for child in children:
                task = asyncio.create_task(child.keep_running(), name=child.recipe.name)
                stack.callback(task.cancel)
            await self._stop.wait()

    async def _start(self, children: Sequence[Child], gateway_port: int) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                # Together: the node imports its libraries while the control plane opens its store.
                await _together([child.start() for child in children])
                await _accepts_connections(gateway_port, children[-1])
        except TimeoutError:
            raise InferplaneError(
                f"the platform did not start within {_START_TIMEOUT:g} s", fix=f"see the logs in {self._home.logs}"
            ) from None

    async def _unless_stopped(self, work: Coroutine[object, object, None]) -> bool:
        """Runs `work`; False when a stop was asked for first (the work is cancelled then)."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        for one in (task, stop):
            one.cancel()
        if task in done:
            task.result()
        return task in done

    async def _stop_all(self, children: Sequence[Child]) -> None:
        """Envoy first, so that clients get no answers from half a platform; the API last: the node writes to it."""
        for child in reversed(children):
            await child.stop()

    def _choose_ports(self) -> tuple[int, int]:
        gateway = ports.choose(self._options.gateway_port)
        api = ports.choose(self._options.api_port, avoid=[gateway.port])
        for choice in (gateway, api):
            if choice.note:
                self._say(choice.note)
        return gateway.port, api.port

    def _child(self, recipe: Recipe) -> Child:
        return Child(recipe, SystemClock(), self._started, self._progress)

    def _started(self, process: str, pid: int) -> None:
        assert self._platform is not None
        try:
            since = started_at(pid)
        except (FileNotFoundError, ProcessLookupError):
            # It has ended already, as who waits for it will say.
            return
        self._platform = msgspec.structs.replace(
            self._platform,
            processes={**self._platform.processes, process: pid},
            started={**self._platform.started, process: since},
        )
        record(self._home, self._platform)

    def _control_plane(self, gateway_port: int, api_port: int) -> Recipe:
        return self._python(
            CONTROL_PLANE,
            "inferplane.assembly.control_plane",
            ["--api-port", str(api_port), "--gateway-port", str(gateway_port)],
        )

    def _node(self) -> Recipe:
        arguments = ["--kubeconfig", str(self._home.kubeconfig)]
        arguments += ["--unprivileged-pods"] if self._options.unprivileged_pods else []
        arguments += [] if self._options.prewarm is None else ["--prewarm", self._options.prewarm]
        return replace(
            self._python(NODE, "inferplane.assembly.node", arguments),
            grace=_NODE_GRACE,
        )

    def _outside(self, gateway_port: int) -> Listener | None:
        found = outside.listener(self._options.outside, gateway_port)
        if found is not None:
            ports.check_free(found.addresses[0], found.port, option="--listen")
            self._say(f"others reach the gateway at {outside.url(found)}")
        return found

    def _say(self, note: str) -> None:
        self.notes.append(note)
        self._progress(note)

    def _gateway(self, port: int, others: Listener | None) -> Recipe:
        document = self._home.run / "envoy.json"
        options = BootstrapOptions(
            xds=str(self._home.xds_socket),
            admin=str(self._home.envoy_admin_socket),
            outside=others,
            routes=listener_name(port),
        )
        # With keys in it.
        document.touch(mode=0o600)
        document.chmod(0o600)
        document.write_bytes(msgspec.json.encode(bootstrap(options)))
        workers = suggested_workers(os.cpu_count() or 1)
        return Recipe(
            name=GATEWAY,
            command=command(envoy_binary(), document, workers=workers),
            log=self._home.log(GATEWAY),
            announces=False,
        )

    def _python(self, name: str, module: str, arguments: list[str]) -> Recipe:
        command = [sys.executable, "-m", module, "--home", str(self._home.root), *arguments]
        return Recipe(name=name, command=command, log=self._home.log(name))


async def _together(work: Iterable[Coroutine[object, object, object]]) -> None:
    """Raises what the first one raises; the others have then ended too, so that none starts a process afterwards."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _accepts_connections(port: int, gateway: Child) -> None:
    """Envoy opens its listener when the control plane has told it to; so we ask until it does, or has ended."""
    asking, ending = asyncio.create_task(_asked_until_accepted(port)), asyncio.create_task(gateway.ended())
    try:
        await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise InferplaneError(f"the gateway (Envoy) {ending.result()}", fix=f"its log: {gateway.recipe.log}")
    finally:
        asking.cancel()
        ending.cancel()


async def _asked_until_accepted(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def supervise(options: Options, *, on_ready: Callable[[Platform], None], on_progress: Progress) -> None:
    """Runs a platform in this process until SIGINT or SIGTERM."""
    supervisor = Supervisor(options, on_progress)
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(one, supervisor.request_stop)
    await supervisor.run(on_ready)


def _asked(given: argparse.Namespace) -> Asked:
    return Asked(
        listen=given.listen,
        tls_cert=given.tls_cert,
        tls_key=given.tls_key,
        api_keys=given.api_keys,
        jwt_issuer=given.jwt_issuer,
        jwt_jwks=given.jwt_jwks,
        jwt_audiences=tuple(given.jwt_audience),
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="inferplane-supervisor", description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--gateway-port", type=int, default=DEFAULT_GATEWAY_PORT)
    parser.add_argument("--api-port", type=int, default=DEFAULT_API_PORT)
    for option in ("--listen", "--tls-cert", "--tls-key", "--api-keys", "--jwt-issuer", "--jwt-jwks"):
        parser.add_argument(option, default="")
    parser.add_argument("--jwt-audience", action="append", default=[])
    parser.add_argument("--unprivileged-pods", action="store_true")
    parser.add_argument("--prewarm")
    given = parser.parse_args(argv)
    options = Options(
        Home(given.home), given.gateway_port, given.api_port, _asked(given), given.unprivileged_pods, given.prewarm
    )
    notes: list[str] = []
    ready = False

    def progress(line: str) -> None:
        notes.append(line)
        print(line, flush=True)

    def on_ready(_: Platform) -> None:
        nonlocal ready
        ready = True
        readiness.announce(os.environ, readiness.Event(event="ready", notes=notes))

    try:
        asyncio.run(supervise(options, on_ready=on_ready, on_progress=progress))
    except InferplaneError as error:
        print(error, file=sys.stderr)
        if not ready:
            readiness.announce(os.environ, readiness.Event(event="failed", message=str(error), notes=notes))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
