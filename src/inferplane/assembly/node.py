"""The node process: turns Pods bound to it into processes (`controlplane.node`).

How it ends says what becomes of the pods:

- SIGTERM or SIGINT: shut down. Pods' processes get their grace period, then the keepers end, then the node.
- SIGHUP: restart me. The node ends at once; pods and keepers live on and the next node adopts them.
- SIGKILL, or a crash: as SIGHUP.
"""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from inferplane import __version__
from inferplane.assembly import installer, logs, readiness
from inferplane.assembly.autoscaling import metrics_resolution
from inferplane.assembly.home import Home, home_from
from inferplane.assembly.models import cache_variables
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.controlplane.node.agent import Agent, Places
from inferplane.controlplane.node.procfs import boot_id
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.errors import InferplaneError

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KUBECONFIG_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Options:
    home: Home
    kubeconfig: Path
    name: str
    unprivileged: bool
    prewarm: tuple[str, ...] | None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until a signal. Returns 1, with one line on standard error, when the node can't run."""
    options = _options(argv)
    logs.set_up()
    if sys.platform != "linux":
        return _refuse(f"the node runs on Linux only (this is {sys.platform}): it needs 127.0.0.0/8, /proc and pidfds")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(options))
    except InferplaneError as error:
        return _refuse(str(error))
    return 0


def _refuse(message: str) -> int:
    readiness.announce(os.environ, readiness.Event(event="failed", message=message))
    print(f"inferplane node: {message}", file=sys.stderr)
    return 1


async def _run(options: Options) -> None:
    options.home.make()
    clock, ready = SystemClock(), asyncio.Event()
    while not options.kubeconfig.exists():
        # The control plane starts beside us and writes it first.
        await clock.sleep(_KUBECONFIG_EVERY)
    async with HttpApi(read_kubeconfig(options.kubeconfig), user_agent=f"inferplane-node/{__version__}") as api:
        agent = Agent(
            api,
            clock,
            _places(options.home),
            options.name,
            _machine_info(options.home.root),
            path=_path(),
            metrics_resolution=metrics_resolution(os.environ),
            installer=installer.found(os.environ),
            ours=cache_variables(options.home, os.environ),
            prewarm=options.prewarm,
            unprivileged=options.unprivileged,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        loop.add_signal_handler(signal.SIGHUP, agent.leave)
        telling = asyncio.create_task(_tell(ready))
        await agent.run(ready)
        telling.cancel()


async def _tell(ready: asyncio.Event) -> None:
    await ready.wait()
    readiness.announce(os.environ, readiness.READY)


def _places(home: Home) -> Places:
    return Places(
        root=home.root,
        pods=home.pods,
        volumes=home.volumes,
        run=home.run,
        logs=home.logs,
        socket=home.node_socket,
        network_file=home.root / "network.json",
        environments=home.environments,
    )


def _path() -> str:
    """Commands of the platform's own environment come first, so that `python` is the one that we run on."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', _SYSTEM_PATH)}"


def _machine_info(home: Path) -> dict[str, str]:
    """Node's `status.nodeInfo`; beside it `cpus`, `memory` and `disk` (bytes, where the home is) and `gpus`."""
    system = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    machine_id = Path("/etc/machine-id")
    return {
        "cpus": str(len(os.sched_getaffinity(0))),
        "memory": str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        "disk": str(shutil.disk_usage(home).total),
        "gpus": str(len([*Path("/dev").glob("nvidia[0-9]*")])),
        "machineID": machine_id.read_text().strip() if machine_id.exists() else "",
        "systemUUID": "",
        "bootID": boot_id(),
        "kernelVersion": platform.release(),
        "osImage": system.get("PRETTY_NAME", "Linux"),
        "containerRuntimeVersion": f"inferplane://{__version__}",
        "kubeletVersion": f"v1.36.0-inferplane.{__version__}",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
    }


def _options(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="inferplane-node", description="Turns Pods into processes on this machine.")
    parser.add_argument("--home", type=Path, help="the platform's directory (default: $INFERPLANE_HOME)")
    parser.add_argument("--kubeconfig", type=Path, help="how to reach the API server (default: HOME/kubeconfig)")
    parser.add_argument("--node-name", default=socket.gethostname().lower(), help="name of the Node object")
    parser.add_argument(
        "--unprivileged-pods", action="store_true", help="each pod runs as a user of its own (root only)"
    )
    parser.add_argument("--prewarm", help="runtimes whose zygotes start with the node, with commas between them")
    given = parser.parse_args(argv)
    prewarm = None if given.prewarm is None else tuple(given.prewarm.split(","))
    home = Home(given.home.absolute()) if given.home else home_from(os.environ)
    return Options(home, given.kubeconfig or home.kubeconfig, given.node_name, given.unprivileged_pods, prewarm)


if __name__ == "__main__":
    sys.exit(main())
