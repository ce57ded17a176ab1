"""The real API server, for tests that want no fake: SQLite in a directory, TLS on a free port of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
from inferplane.controlplane.apiserver import pki
from inferplane.controlplane.apiserver.app import App, create_app
from inferplane.controlplane.apiserver.server import Server
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.controlplane.apiserver.usage import UsageSource
from inferplane.kernel.clock import SystemClock


@asynccontextmanager
async def real_api(directory: Path, usage: UsageSource | None = None) -> AsyncIterator[HttpApi]:
    """A client of a server that runs in this event loop; its kubeconfig is `directory/kubeconfig`."""
    async with real_server(directory, usage) as (_, api):
        yield api


@asynccontextmanager
async def real_server(directory: Path, usage: UsageSource | None = None) -> AsyncIterator[tuple[App, HttpApi]]:
    """The server, too."""
    clock = SystemClock()
    identity = pki.ensure(directory / "pki", clock.now())
    store = await Store.open(directory / "state.db", clock)
    app = await create_app(store, token=identity.token, clock=clock, usage=usage)
    server = Server(app, certificate=identity.certificate, key=identity.key)
    await server.start()
    pki.write_kubeconfig(directory / "kubeconfig", server.url, identity)
    try:
        async with HttpApi(read_kubeconfig(directory / "kubeconfig")) as api:
            yield app, api
    finally:
        await server.stop()
        await app.close()
