"""The embedded API server under load: `python -m bench.apiserver [--watchers 200] [--rate 500] [--seconds 20]`.

One process serves, another writes at a fixed rate (ConfigMaps of 1 kB: created, updated, patched, deleted) while every
watcher sees every change. Writes are begun on time whether or not earlier ones are done, so a slow server shows as
latency. Printed: what was asked and what came, the time of a write, the delay until watchers have it, the server's CPU
and memory, what a compaction in between costs.
"""

import argparse
import asyncio
import json
import random
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import aiohttp
import psutil
import uvloop

from inferplane.controlplane.apiserver import pki
from inferplane.controlplane.apiserver.app import create_app
from inferplane.controlplane.apiserver.server import Server
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.kernel.clock import SystemClock

MAPS = "/api/v1/namespaces/default/configmaps"
STAMP = re.compile(rb'"sent":"(\d+\.\d+)"')
NAMES = 20_000
COMPACTION_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    watchers: int
    rate: int
    seconds: float


@dataclass(slots=True)
class Figures:
    """Times in seconds."""

    writes: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    events: int = 0


async def serve(home: Path) -> None:
    """The server alone; prints its URL, compacts every few seconds, ends on SIGTERM."""
    clock = SystemClock()
    identity = pki.ensure(home / "pki", clock.now())
    app = await create_app(await Store.open(home / "state.db", clock), token=identity.token, clock=clock)
    server = Server(app, certificate=identity.certificate, key=identity.key)
    await server.start()
    print(server.url, flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while not stop.is_set():
        try:
            async with asyncio.timeout(COMPACTION_SECONDS):
                await stop.wait()
        except TimeoutError:
            await app.core.storage.store.compact(COMPACTION_SECONDS)
    await server.stop()


class Watcher(asyncio.Protocol):
    """Reads a watch as fast as it comes and notes how old each change is."""

    def __init__(self, figures: Figures, host: str, path: str, token: str, *, timed: bool) -> None:
        self._figures = figures
        self._timed = timed
        headers = f"Host: {host}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\r\n"
        self._request = f"GET {path}?watch=true&resourceVersion=1 HTTP/1.1\r\n{headers}".encode()
        self.began = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.began.done():
            self.began.set_result(None)
        self._figures.events += data.count(b'{"type":')
        if self._timed:
            now = time.monotonic()
            self._figures.delays += [now - float(sent) for sent in STAMP.findall(data)]


class Writer:
    """Objects with a name each: what is not there is created, what is there is changed in one of three ways."""

    def __init__(self, session: aiohttp.ClientSession, figures: Figures) -> None:
        self._session = session
        self._figures = figures
        self._there: set[str] = set()
        self._free = [f"c{number}" for number in range(NAMES)]
        self._padding = "x" * 800

    async def write(self) -> None:
        # One write at a time for each object: nobody else's write comes in between.
        name = self._free.pop(random.randrange(len(self._free)))
        begun = time.monotonic()
        try:
            status = await self._one(name)
        finally:
            self._free.append(name)
        if status < 300:
            self._figures.writes.append(time.monotonic() - begun)
        else:
            self._figures.refused[status] = self._figures.refused.get(status, 0) + 1

    async def _one(self, name: str) -> int:
        body = json.dumps(self._object(name))
        if name not in self._there:
            self._there.add(name)
            return await self._ask("POST", MAPS, body)
        chance = random.random()
        if chance < 0.2:
            self._there.discard(name)
            return await self._ask("DELETE", f"{MAPS}/{name}", "")
        if chance < 0.6:
            return await self._ask("PUT", f"{MAPS}/{name}", body)
        return await self._ask("PATCH", f"{MAPS}/{name}", body, "application/merge-patch+json")

    def _object(self, name: str) -> dict[str, object]:
        data = {"sent": f"{time.monotonic():.6f}", "padding": self._padding}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}

    async def _ask(self, method: str, path: str, body: str, media: str = "application/json") -> int:
        async with self._session.request(method, path, data=body, headers={"content-type": media}) as response:
            await response.read()
            return response.status


@contextmanager
def served(home: Path) -> Iterator[tuple[psutil.Process, str]]:
    command = [sys.executable, "-m", "bench.apiserver", "--serve", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield psutil.Process(process.pid), process.stdout.readline().strip()
        process.terminate()


async def load(home: Path, url: str, options: Options) -> Figures:
    token = (home / "pki" / "token").read_text().strip()
    tls = ssl.create_default_context(cafile=str(home / "pki" / "ca.crt"))
    figures = Figures()
    connector = aiohttp.TCPConnector(ssl=tls, limit=64)
    async with aiohttp.ClientSession(url, connector=connector, headers={"authorization": f"Bearer {token}"}) as session:
        await _watch(url, token, tls, figures, options)
        await _write(Writer(session, figures), options)
    return figures


async def _watch(url: str, token: str, tls: ssl.SSLContext, figures: Figures, options: Options) -> None:
    loop, target = asyncio.get_running_loop(), urlsplit(url)
    for number in range(options.watchers):
        # Reading the stamps of all watchers would measure this process instead.
        timed = number % max(options.watchers // 10, 1) == 0
        _, watcher = await loop.create_connection(
            lambda timed=timed: Watcher(figures, target.netloc, MAPS, token, timed=timed),  # type: ignore[misc]
            target.hostname,
            target.port,
            ssl=tls,
        )
        await watcher.began


async def _write(writer: Writer, options: Options) -> None:
    loop = asyncio.get_running_loop()
    begun, tasks = loop.time(), set[asyncio.Task[None]]()
    for number in range(int(options.rate * options.seconds)):
        wait = begun + number / options.rate - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(writer.write())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    await asyncio.sleep(1.0)  # what is under way to watchers arrives


def percentile(values: list[float], share: float) -> str:
    """In milliseconds."""
    found = sorted(values)
    return f"{found[min(int(len(found) * share), len(found) - 1)] * 1e3:.1f} ms" if found else "none"


def printed(options: Options, figures: Figures, cpu: float, seconds: float, memory: int) -> str:
    asked = int(options.rate * options.seconds)
    expected = len(figures.writes) * options.watchers
    return "\n".join(
        [
            f"{options.watchers} watchers, {options.rate} writes a second for {options.seconds:g} s",
            f"writes     {len(figures.writes)} of {asked} in {seconds:.1f} s, refused {figures.refused or 'none'}",
            f"a write    p50 {percentile(figures.writes, 0.5)}, p99 {percentile(figures.writes, 0.99)}",
            f"to watchers p50 {percentile(figures.delays, 0.5)}, p99 {percentile(figures.delays, 0.99)}",
            f"events     {figures.events} of {expected}",
            f"server     {cpu / seconds * 100:.0f} % of a core, {memory / 1e6:.0f} MB",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--rate", type=int, default=500, help="writes a second")
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    if given.serve:
        uvloop.run(serve(given.serve))
        return
    options = Options(given.watchers, given.rate, given.seconds)
    with tempfile.TemporaryDirectory(prefix="bench-apiserver-") as home, served(Path(home)) as (server, url):
        before, begun = server.cpu_times(), time.monotonic()
        figures = uvloop.run(load(Path(home), url, options))
        seconds, after = time.monotonic() - begun, server.cpu_times()
        cpu = after.user + after.system - before.user - before.system
        print(printed(options, figures, cpu, seconds, server.memory_info().rss))


if __name__ == "__main__":
    main()
