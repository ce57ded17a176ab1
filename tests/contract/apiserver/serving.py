"""An API server in a process of its own: `python -m tests.contract.apiserver.serving HOME`.

Prints its URL once it answers, ends on SIGTERM.
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from inferplane.controlplane.apiserver import pki
from inferplane.controlplane.apiserver.app import create_app
from inferplane.controlplane.apiserver.server import Server
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.kernel.clock import SystemClock


async def main(home: Path) -> None:
    clock = SystemClock()
    identity = pki.ensure(home / "pki", clock.now())
    app = await create_app(await Store.open(home / "state.db", clock), token=identity.token, clock=clock)
    server = Server(app, certificate=identity.certificate, key=identity.key)
    await server.start()
    pki.write_kubeconfig(home / "kubeconfig", server.url, identity)
    print(server.url, flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
