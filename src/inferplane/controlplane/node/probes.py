"""Probes of one run: asks its process at the declared times and tells what changed. A kubelet's rules and texts.

`ask` makes one attempt (http, tcp, exec or grpc) and gives a `Finding`; `Streak` turns findings into verdicts by the
thresholds; `Prober` does both for the life of a run, startup probe first, and calls `on_verdict`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import aiohttp

from inferplane.controlplane.node import descriptors, execution
from inferplane.controlplane.node.confinement import FREE, Bounds
from inferplane.controlplane.node.execution import Command
from inferplane.kernel.clock import Clock
from inferplane.resources.core import Container, GrpcAction, HttpGetAction, IntOrString, Probe


class Kind(StrEnum):
    STARTUP = "Startup"
    READINESS = "Readiness"
    LIVENESS = "Liveness"


@dataclass(frozen=True, slots=True)
class Finding:
    """One attempt. `detail` is the kubelet's text for a failed one."""

    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run is: its pod's address, named ports, and what an exec probe needs to run in its place."""

    address: str
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    cwd: Path
    places: Callable[[str], str]
    bounds: Bounds = FREE


@dataclass(frozen=True, slots=True)
class Streak:
    """How many attempts in a row had the same outcome."""

    passed: bool = False
    length: int = 0

    def then(self, passed: bool) -> "Streak":
        return Streak(passed, self.length + 1) if passed == self.passed else Streak(passed, 1)

    def verdict(self, probe: Probe) -> bool | None:
        """None while a threshold has not been reached: what held before holds on."""
        needed = probe.success_threshold if self.passed else probe.failure_threshold
        return self.passed if self.length >= needed else None


# Seconds that the first probe may take longer, for gRPC to be loaded.
_GRPC_IMPORT = 5.0

# Seconds between the first attempts of a readiness probe.
_EAGER = 0.25

OnVerdict = Callable[[Kind, bool], None]
OnFailure = Callable[[Kind, str], None]


@dataclass(slots=True)
class Prober:
    """`announced` is set when the run says itself that it is ready; it stands for the startup probe then.

    `on_failure` is told each failed attempt (the Unhealthy event), `on_verdict` each change past a threshold.
    """

    container: Container
    target: Target
    announces: bool
    announced: asyncio.Event
    session: aiohttp.ClientSession
    clock: Clock
    on_verdict: OnVerdict
    on_failure: OnFailure

    async def run(self) -> None:
        """Until cancelled, or until there is nothing (more) to ask."""
        begun = self.clock.monotonic()
        async with asyncio.TaskGroup() as group:
            if not self.announces and self.container.startup_probe is not None:
                passed = await self._until_started(self.container.startup_probe, begun)
                if not passed:
                    return
            if (probe := self.container.liveness_probe) is not None:
                group.create_task(self._repeat(Kind.LIVENESS, probe, begun))
            if (probe := self.container.readiness_probe) is not None and not self._says_nothing_more(probe):
                group.create_task(self._readiness(probe, begun))

    def _says_nothing_more(self, probe: Probe) -> bool:
        """A process that announced itself listens; that its port can be reached as long as it lives is no news."""
        return self.announces and probe.tcp_socket is not None

    async def _until_started(self, probe: Probe, begun: float) -> bool:
        streak = Streak()
        await self._wait_initial(probe, begun)
        while True:
            streak = await self._attempt(Kind.STARTUP, probe, streak)
            if (verdict := streak.verdict(probe)) is not None:
                self.on_verdict(Kind.STARTUP, verdict)
                return verdict
            await self.clock.sleep(probe.period_seconds)

    async def _readiness(self, probe: Probe, begun: float) -> None:
        if self.announces:
            await self.announced.wait()
            await self.clock.sleep(probe.period_seconds)
            begun = float("-inf")
        await self._repeat(Kind.READINESS, probe, begun)

    async def _repeat(self, kind: Kind, probe: Probe, begun: float) -> None:
        streak, before = Streak(), None
        await self._wait_initial(probe, begun)
        if kind is Kind.READINESS and not self.announces and probe.exec is None:
            await self._until_it_answers(probe)
        while True:
            streak = await self._attempt(kind, probe, streak)
            verdict = streak.verdict(probe)
            if verdict is not None and verdict != before:
                before = verdict
                self.on_verdict(kind, verdict)
            await self.clock.sleep(probe.period_seconds)

    async def _until_it_answers(self, probe: Probe) -> None:
        """For one period at most. A process that is ready in a second is not to wait for the next attempt of ten; what
        fails meanwhile counts for nothing."""
        until = self.clock.monotonic() + probe.period_seconds
        while self.clock.monotonic() < until and not (await ask(probe, self.target, self.session)).passed:
            await self.clock.sleep(_EAGER)

    async def _wait_initial(self, probe: Probe, begun: float) -> None:
        left = begun + probe.initial_delay_seconds - self.clock.monotonic()
        if left > 0:
            await self.clock.sleep(left)

    async def _attempt(self, kind: Kind, probe: Probe, streak: Streak) -> Streak:
        finding = await ask(probe, self.target, self.session)
        if not finding.passed:
            self.on_failure(kind, f"{kind} probe failed: {finding.detail}")
        return streak.then(finding.passed)


async def ask(probe: Probe, target: Target, session: aiohttp.ClientSession) -> Finding:
    """One attempt within the probe's timeout."""
    # gRPC keeps the time itself, and its answer says more; ours is for what hangs before that.
    limit = probe.timeout_seconds + (_GRPC_IMPORT if probe.grpc is not None else 0.0)
    try:
        async with asyncio.timeout(limit):
            return await _ask(probe, target, session)
    except TimeoutError:
        return Finding(False, f"no answer within {probe.timeout_seconds} s")
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return Finding(False, str(error))


async def _ask(probe: Probe, target: Target, session: aiohttp.ClientSession) -> Finding:
    if probe.http_get is not None:
        return await _http(probe.http_get, target, session)
    if probe.tcp_socket is not None:
        host = probe.tcp_socket.host or target.address
        _, writer = await asyncio.open_connection(host, port_number(probe.tcp_socket.port, target.ports))
        writer.close()
        return Finding(True)
    if probe.exec is not None:
        return await run_command([target.places(word) for word in probe.exec.command], target)
    if probe.grpc is not None:
        return await _grpc(probe.grpc, probe.timeout_seconds, target)
    return Finding(True)  # the API server admits no probe without a handler


async def _http(action: HttpGetAction, target: Target, session: aiohttp.ClientSession) -> Finding:
    status = await request(action, target, session)
    passed = 200 <= status < 400
    return Finding(passed, "" if passed else f"HTTP probe failed with statuscode: {status}")


async def request(action: HttpGetAction, target: Target, session: aiohttp.ClientSession) -> int:
    """The status of the answer. Raises OSError, aiohttp.ClientError, and ValueError for a port without a number."""
    host = action.host or target.address
    port = port_number(action.port, target.ports)
    url = f"{action.scheme.lower()}://{host}:{port}/{action.path.lstrip('/')}"
    headers = {"User-Agent": "kube-probe/inferplane", **{one.name: one.value for one in action.http_headers}}
    # As a kubelet: certificates are not checked, redirects to elsewhere count as an answer.
    async with session.get(url, headers=headers, ssl=False, allow_redirects=False) as answer:
        return answer.status


async def _grpc(action: GrpcAction, timeout: float, target: Target) -> Finding:
    from inferplane.controlplane.node.grpc_probe import failure

    why = await failure(f"{target.address}:{action.port}", action.service, timeout)
    return Finding(not why, why)


async def run_command(command: list[str], target: Target) -> Finding:
    """In the run's place; killed with all of its session when this is cancelled. Raises OSError."""
    asked = Command(command, target.environment, target.cwd, target.bounds)
    running = execution.start(asked, execution.Wanted(merged=True))
    try:
        said = b"".join([block async for block in descriptors.blocks(running.stdout)])
        code = await running.ended()
    finally:
        running.kill()
        await asyncio.shield(running.ended())
        running.close()
    return Finding(code == 0, said.decode(errors="replace").strip()[:1024])


def port_number(port: IntOrString, ports: Mapping[str, int]) -> int:
    """A port's number; names are those of the container's ports. Raises ValueError."""
    if isinstance(port, int):
        return port
    if port.isdecimal():
        return int(port)
    if port not in ports:
        raise ValueError(f"the container has no port named {port!r}")
    return ports[port]
