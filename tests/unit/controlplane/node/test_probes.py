import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # published without types
from grpc_health.v1.health import HealthServicer  # type: ignore[import-untyped]  # published without types
from tests.fakes.clock import FakeClock

from inferplane.controlplane.node.probes import Finding, Kind, Prober, Streak, Target, ask, port_number
from inferplane.resources.core import (
    Container,
    ExecAction,
    GrpcAction,
    HttpGetAction,
    HttpHeader,
    Probe,
    TcpSocketAction,
)

HTTP = Probe(http_get=HttpGetAction(port="http", path="/ok"), period_seconds=5)


class Server:
    """Answers with `status`; `seen` are the User-Agents and `X` headers of its requests."""

    def __init__(self) -> None:
        self.status = 200
        self.port = 0
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((request.headers["User-Agent"], request.headers.get("X", "")))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_get("/ok", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def target(port: int = 1) -> Target:
    return Target("127.0.0.1", {"http": port}, {"PATH": "/usr/bin:/bin"}, Path("/"), str)


async def asked(probe: Probe, port: int = 1) -> Finding:
    async with aiohttp.ClientSession() as session:
        return await ask(probe, target(port), session)


@pytest.mark.parametrize(("status", "passed"), [(200, True), (302, True), (399, True), (400, False), (503, False)])
async def test_an_http_answer_below_400_passes(status: int, passed: bool) -> None:
    async with serving() as server:
        server.status = status
        found = await asked(HTTP, server.port)
    assert found == Finding(passed, "" if passed else f"HTTP probe failed with statuscode: {status}")


async def test_an_http_probe_names_itself_and_sends_its_headers() -> None:
    action = HttpGetAction(port="http", path="ok", http_headers=[HttpHeader(name="X", value="y")])
    async with serving() as server:
        await asked(Probe(http_get=action), server.port)
    assert server.seen == [("kube-probe/inferplane", "y")]


async def test_a_tcp_probe_passes_when_somebody_listens() -> None:
    async with serving() as server:
        there = await asked(Probe(tcp_socket=TcpSocketAction(port=server.port)))
        port = server.port
    gone = await asked(Probe(tcp_socket=TcpSocketAction(port=port)))
    assert (there.passed, gone.passed) == (True, False)


@pytest.mark.parametrize(
    ("code", "finding"),
    [("print('fine')", Finding(True, "fine")), ("raise SystemExit('sick')", Finding(False, "sick"))],
)
async def test_an_exec_probe_passes_with_exit_code_0(code: str, finding: Finding) -> None:
    assert await asked(Probe(exec=ExecAction(command=[sys.executable, "-c", code]), timeout_seconds=20)) == finding


async def test_an_exec_probe_that_takes_too_long_is_killed() -> None:
    found = await asked(Probe(exec=ExecAction(command=["sleep", "100"]), timeout_seconds=1))
    assert found == Finding(False, "no answer within 1 s")


async def test_a_command_that_does_not_exist_is_a_failed_probe() -> None:
    assert not (await asked(Probe(exec=ExecAction(command=["no-such-command"])))).passed


def test_ports_have_names() -> None:
    assert [port_number(port, {"http": 80}) for port in ("http", "81", 82)] == [80, 81, 82]
    with pytest.raises(ValueError, match="no port named 'grpc'"):
        port_number("grpc", {})


def test_a_verdict_needs_its_threshold_in_a_row() -> None:
    probe, streak, verdicts = Probe(success_threshold=2, failure_threshold=3), Streak(), []
    for passed in (True, True, False, True, False, False, False):
        streak = streak.then(passed)
        verdicts.append(streak.verdict(probe))
    assert verdicts == [None, True, None, None, None, None, False]


class Watched:
    """A prober over made-up time. `verdicts` are those that it gave."""

    def __init__(self, container: Container, port: int, session: aiohttp.ClientSession, *, announces: bool) -> None:
        self.clock, self.announced = FakeClock(), asyncio.Event()
        self.verdicts: list[tuple[Kind, bool]] = []
        self.failures: list[str] = []
        self.prober = Prober(
            container=container,
            target=target(port),
            announces=announces,
            announced=self.announced,
            session=session,
            clock=self.clock,
            on_verdict=lambda kind, passed: self.verdicts.append((kind, passed)),
            on_failure=lambda _, text: self.failures.append(text),
        )

    async def pass_time(self, seconds: float) -> None:
        """Lets `seconds` pass once the prober sleeps."""
        while not self.clock.sleepers:  # noqa: ASYNC110 - real answers come over a real socket
            await asyncio.sleep(0.001)
        self.clock.advance(seconds)


async def probing(container: Container, steps: list[int], *, announces: bool = False) -> Watched:
    """Runs a prober past the given answers of the server, 5 seconds apart."""
    async with serving() as server, aiohttp.ClientSession() as session:
        watched = Watched(container, server.port, session, announces=announces)
        server.status = steps[0]
        task = asyncio.create_task(watched.prober.run())
        for status in steps[1:]:
            await watched.pass_time(0)
            server.status = status
            await watched.pass_time(5)
        await watched.pass_time(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return watched


async def test_readiness_follows_the_answers_by_its_thresholds() -> None:
    probe = Probe(http_get=HTTP.http_get, period_seconds=5, failure_threshold=2)
    watched = await probing(Container(name="c", readiness_probe=probe), [200, 500, 500, 200])
    assert watched.verdicts == [(Kind.READINESS, True), (Kind.READINESS, False), (Kind.READINESS, True)]
    assert watched.failures == ["Readiness probe failed: HTTP probe failed with statuscode: 500"] * 2


async def test_a_process_that_is_soon_ready_does_not_wait_for_the_period() -> None:
    async with serving() as server, aiohttp.ClientSession() as session:
        server.status = 500
        watched = Watched(Container(name="c", readiness_probe=HTTP), server.port, session, announces=False)
        began = watched.clock.monotonic()
        task = asyncio.create_task(watched.prober.run())
        await watched.pass_time(0)
        server.status = 200
        await watched.pass_time(0.25)
        await watched.pass_time(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (watched.verdicts, watched.failures) == ([(Kind.READINESS, True)], [])
    assert watched.clock.monotonic() - began < 1


async def test_other_probes_wait_for_the_startup_probe() -> None:
    startup = Probe(http_get=HTTP.http_get, period_seconds=5, failure_threshold=9)
    watched = await probing(Container(name="c", startup_probe=startup, readiness_probe=HTTP), [500, 500, 200])
    assert watched.verdicts == [(Kind.STARTUP, True), (Kind.READINESS, True)]


async def test_a_startup_probe_that_gives_up_is_the_end() -> None:
    startup = Probe(http_get=HTTP.http_get, period_seconds=5, failure_threshold=1)
    async with serving() as server, aiohttp.ClientSession() as session:
        server.status = 500
        watched = Watched(
            Container(name="c", startup_probe=startup, liveness_probe=HTTP), server.port, session, announces=False
        )
        await watched.prober.run()
    assert watched.verdicts == [(Kind.STARTUP, False)]


async def test_the_port_of_a_process_that_announces_itself_is_not_polled() -> None:
    tcp = Probe(tcp_socket=TcpSocketAction(port=1))
    async with aiohttp.ClientSession() as session:
        watched = Watched(Container(name="c", readiness_probe=tcp, startup_probe=tcp), 1, session, announces=True)
        await watched.prober.run()  # returns: there is nothing to ask
    assert watched.verdicts == []


async def test_an_http_readiness_probe_begins_a_period_after_the_announcement() -> None:
    async with serving() as server, aiohttp.ClientSession() as session:
        watched = Watched(Container(name="c", readiness_probe=HTTP), server.port, session, announces=True)
        task = asyncio.create_task(watched.prober.run())
        await asyncio.sleep(0)
        assert watched.clock.sleepers == []
        watched.announced.set()
        await watched.pass_time(0)
        assert (server.seen, watched.clock.sleepers) == ([], [5.0])
        await watched.pass_time(5)
        await watched.pass_time(0)
        assert watched.verdicts == [(Kind.READINESS, True)]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextmanager
def health(**services: str) -> Iterator[int]:
    """A gRPC server that gives these services' states; its port."""
    servicer = HealthServicer()
    for name, status in services.items():
        servicer.set("" if name == "server" else name, health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(grace=None).wait()


async def test_a_grpc_probe_asks_the_health_service() -> None:
    with health(server="SERVING", busy="NOT_SERVING") as port:
        assert await asked(Probe(grpc=GrpcAction(port=port), timeout_seconds=30)) == Finding(True)
        busy = await asked(Probe(grpc=GrpcAction(port=port, service="busy"), timeout_seconds=30))
        unknown = await asked(Probe(grpc=GrpcAction(port=port, service="nobody"), timeout_seconds=30))
    assert busy == Finding(False, 'service unhealthy (responded with "NOT_SERVING")')
    assert unknown.detail.startswith("error: health rpc failed")


async def test_a_grpc_probe_tells_a_server_without_health_service_and_one_that_is_not_there() -> None:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    without = await asked(Probe(grpc=GrpcAction(port=port), timeout_seconds=30))
    server.stop(grace=None).wait()
    assert "does not implement the grpc health protocol" in without.detail
    gone = await asked(Probe(grpc=GrpcAction(port=port), timeout_seconds=30))
    assert gone.detail.startswith(f'timeout: failed to connect service "127.0.0.1:{port}" within 30s')
