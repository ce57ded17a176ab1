"""Starting and stopping a platform: what `inferplane up`, `up -d` and `down` do."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from inferplane.assembly import leftovers, outside
from inferplane.assembly.home import Home
from inferplane.assembly.readiness import Event, Pipe
from inferplane.assembly.record import SUPERVISOR, Platform, ends_within, recorded, running
from inferplane.assembly.supervisor import DEFAULT_API_PORT, DEFAULT_GATEWAY_PORT, Options, supervise
from inferplane.kernel.errors import InferplaneError

__all__ = ["DEFAULT_API_PORT", "DEFAULT_GATEWAY_PORT", "Options", "Platform", "down", "running", "up", "up_detached"]

Progress = Callable[[str], None]

# The node waits for its pods (30 s unless they say otherwise), then the others end.
_DOWN_TIMEOUT = 90.0


def up(options: Options, *, on_progress: Progress, on_ready: Callable[[Platform], None]) -> None:
    """Runs a platform in the foreground, until SIGINT or SIGTERM. Raises InferplaneError when it can't start."""
    asyncio.run(supervise(options, on_ready=on_ready, on_progress=on_progress))


def up_detached(options: Options, *, on_progress: Progress) -> Platform:
    """Starts a platform in the background and returns when it is ready to serve. Raises when it did not start."""
    home = options.home
    home.make()
    if running(home):
        raise InferplaneError(f"a platform is already running in {home.root}", fix="see  inferplane status")
    outside.listener(options.outside, options.gateway_port)  # a mistake is told before anything starts
    event = asyncio.run(_spawn(options))
    for note in event.notes if event else []:
        on_progress(note)
    if event is None or event.event != "ready":
        raise InferplaneError(event.message if event else f"the platform did not start; see {home.log(SUPERVISOR)}")
    platform = running(home)
    if platform is None:
        raise InferplaneError("the platform ended right after it started", fix=f"see {home.log(SUPERVISOR)}")
    return platform


def down(home: Home, *, on_progress: Progress) -> bool:
    """Stops everything: pods, node, gateway, control plane. State stays in the home. False when nothing ran."""
    platform = recorded(home)
    supervisor = platform.alive(SUPERVISOR) if platform else None
    if supervisor is None:
        return asyncio.run(leftovers.end_processes(home, on_progress))
    supervisor.send_signal(signal.SIGTERM)
    if not ends_within(supervisor.pid, _DOWN_TIMEOUT):
        raise InferplaneError(
            f"the platform (pid {supervisor.pid}) did not stop within {_DOWN_TIMEOUT:g} s", fix=f"see {home.logs}"
        )
    return True


async def _spawn(options: Options) -> Event | None:
    home, pipe = options.home, Pipe()
    command = [
        *(sys.executable, "-m", "inferplane.assembly.supervisor", "--home", str(home.root)),
        *("--gateway-port", str(options.gateway_port), "--api-port", str(options.api_port)),
        *options.outside.arguments,
        *([] if options.prewarm is None else ["--prewarm", options.prewarm]),
        *(["--unprivileged-pods"] if options.unprivileged_pods else []),
    ]
    with home.log(SUPERVISOR).open("ab") as log:
        subprocess.Popen(  # noqa: ASYNC220 - starting a process does not wait for it
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **pipe.environ},
            pass_fds=(pipe.descriptor,),
            start_new_session=True,
        )
    pipe.handed_down()
    return await pipe.wait()
