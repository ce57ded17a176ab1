"""Lifecycle hooks, by a kubelet's rules: `postStart` beside a new run, `preStop` before it is told to end.

A hook is a command in the container's place, an HTTP request to it (any answer will do, whatever its status), or a
pause. `tcpSocket` is part of the API and has never been one: it fails.
"""

import asyncio
from collections.abc import Sequence

import aiohttp

from inferplane.controlplane.node.probes import Target, request, run_command
from inferplane.kernel.clock import Clock
from inferplane.resources.core import LifecycleHandler

LEAST_GRACE = 2.0
"""Seconds that a process has after its preStop hook, even when that took all of its grace period (kubelet)."""


async def failure(handler: LifecycleHandler, target: Target, session: aiohttp.ClientSession, clock: Clock) -> str:
    """Runs the hook to its end; why it failed, "" when it did not."""
    try:
        if handler.exec is not None:
            return await _command(handler.exec.command, target)
        if handler.http_get is not None:
            await request(handler.http_get, target, session)
            return ""
        if handler.sleep is not None:
            await clock.sleep(handler.sleep.seconds)
            return ""
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return str(error) or type(error).__name__
    return "invalid handler: expected one of exec, httpGet and sleep"


async def failure_within(
    handler: LifecycleHandler, target: Target, session: aiohttp.ClientSession, clock: Clock, seconds: float
) -> str:
    """The same, given up on after so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            return await failure(handler, target, session, clock)
    except TimeoutError:
        return f"not done within the grace period of {seconds:g} s"


async def _command(words: Sequence[str], target: Target) -> str:
    found = await run_command([target.places(word) for word in words], target)
    if found.passed:
        return ""
    return f"command '{' '.join(words)}' failed{': ' if found.detail else ''}{found.detail}"
