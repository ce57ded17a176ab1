"""Load as a real Envoy counts it, held against what its clients and its replicas saw.

A request is in Envoy for no longer than its client waits, and for no shorter than its replica works. So the measured
load lies between what those two saw, however busy the machine is.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from tests.e2e.gateway_under_test import Platform, running, to

from inferplane.controlplane.autoscaling.collect import EnvoyStatistics
from inferplane.signals.gateway import Meter, Moment

pytestmark = pytest.mark.e2e

# More than this machine can be late with anything.
FOREVER = 600.0


@dataclass
class Times:
    """When a request was seen: by its client, and by the replica."""

    client: tuple[float, float] = (0.0, 0.0)
    replica: tuple[float, float] = (0.0, 0.0)

    @property
    def longest(self) -> float:
        return self.client[1] - self.client[0]

    @property
    def shortest(self) -> float:
        return max(0.0, min(self.replica[1], self.client[1]) - self.replica[0])


@dataclass
class Sleeper:
    """A replica that takes as long as it is told."""

    seen: list[Times] = field(default_factory=list)
    runner: web.AppRunner | None = None

    async def start(self) -> int:
        app = web.Application()
        app.router.add_get("/{number}/{seconds}", self._answer)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            await web.SockSite(self.runner, listening.dup()).start()
            port: int = listening.getsockname()[1]
            return port

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        times, start = self.seen[int(request.match_info["number"])], time.monotonic()
        times.replica = (start, FOREVER + start)
        await asyncio.sleep(float(request.match_info["seconds"]))
        times.replica = (start, time.monotonic())
        return web.Response()

    async def ask(self, platform: Platform, seconds: float, patience: float = FOREVER) -> None:
        times, start = Times(), time.monotonic()
        self.seen.append(times)
        url = f"http://127.0.0.1:{platform.port}/{len(self.seen) - 1}/{seconds}"
        limit = aiohttp.ClientTimeout(total=patience)
        try:
            async with platform.http.get(url, headers={"Host": "iris.localhost"}, timeout=limit) as answer:
                assert answer.status == 200
                await answer.read()
        except TimeoutError:
            assert patience < seconds
        times.client = (start, time.monotonic())


@dataclass
class Load:
    """What the pages said: seconds of requests in flight, and requests."""

    statistics: EnvoyStatistics
    meter: Meter = field(default_factory=Meter)
    since: float = field(default_factory=time.monotonic)
    busy: float = 0.0
    requests: float = 0.0

    async def look(self) -> None:
        page = await self.statistics.page()
        now = Moment(time.time(), time.monotonic())
        seconds, self.since = now.steady - self.since, now.steady
        for stat in self.meter.read(page, now):
            assert (stat.namespace, stat.revision) == ("default", "iris")
            self.busy += stat.concurrency * seconds
            self.requests += stat.requests * seconds

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(0.3)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with running() as one:
        yield one


@pytest.fixture
async def replica(platform: Platform) -> AsyncIterator[Sleeper]:
    one = Sleeper()
    await platform.service("iris", await one.start())
    await platform.route("iris", ["iris.localhost"], to("iris"))
    await platform.programmed("iris")
    yield one
    await one.stop()


async def test_the_measured_load_lies_between_what_clients_and_replicas_saw(
    platform: Platform, replica: Sleeper
) -> None:
    async def shorts() -> None:
        for _ in range(30):
            await replica.ask(platform, 0.002)
            await replica.ask(platform, 0.02)

    async with EnvoyStatistics(platform.home / "admin.sock") as statistics:
        load = Load(statistics)
        await load.look()
        watching = asyncio.create_task(load.watch())
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(shorts())
                tasks.create_task(replica.ask(platform, 0.3))
                tasks.create_task(replica.ask(platform, 1.4))
            tasks.create_task(replica.ask(platform, 2.2))
            tasks.create_task(replica.ask(platform, 30.0, patience=0.5))
            tasks.create_task(replica.ask(platform, 30.0, patience=1.5))
        watching.cancel()
        least, most = sum(one.shortest for one in replica.seen), sum(one.longest for one in replica.seen)
        async with asyncio.timeout(60):
            # Envoy hears of a client that left when it comes to it.
            while load.busy < 0.98 * least or round(load.requests) < len(replica.seen):
                await load.look()
                await asyncio.sleep(0.05)
        assert load.busy <= 1.05 * most
        assert round(load.requests) == len(replica.seen)


async def test_a_request_that_goes_on_counts_as_one_in_flight(platform: Platform, replica: Sleeper) -> None:
    async with EnvoyStatistics(platform.home / "admin.sock") as statistics:
        load = Load(statistics)
        await load.look()
        asking = asyncio.create_task(replica.ask(platform, 60.0))
        async with asyncio.timeout(60):
            while not load.busy:
                await load.look()
                await asyncio.sleep(0.05)
        counted, start = load.busy, load.since
        async with asyncio.timeout(60):
            while load.since < start + 2:
                await load.look()
                await asyncio.sleep(0.1)
        assert load.busy - counted == pytest.approx(load.since - start, rel=0.2)
        asking.cancel()
