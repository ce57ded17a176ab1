"""Processes that a killed supervisor left behind: the next `up` replaces them, `down` ends them."""

import asyncio
import signal
from collections.abc import Callable

import psutil

from inferplane.assembly.home import Home
from inferplane.assembly.record import CONTROL_PLANE, GATEWAY, NODE, Platform, ends_within, recorded

_GRACE = 10.0
# The node ends its pods first, each with a grace period of its own.
_NODE_GRACE = 60.0


async def replace_processes(home: Home, note: Callable[[str], None]) -> None:
    """Makes room for a new supervisor. Pods live on: the node is killed rather than asked, so it doesn't end them."""
    platform = recorded(home)
    if platform is None:
        return
    if node := platform.alive(NODE):
        note(f"taking over the pods of the node process that was left running (pid {node.pid})")
        node.kill()
        await _gone(node, _GRACE)
    await _end(platform, (GATEWAY, CONTROL_PLANE), note)


async def end_processes(home: Home, note: Callable[[str], None]) -> bool:
    """Ends all of them, pods included. False when there were none."""
    platform = recorded(home)
    if platform is None:
        return False
    found = await _end(platform, (GATEWAY, NODE, CONTROL_PLANE), note)
    home.platform_file.unlink(missing_ok=True)
    return found


async def _end(platform: Platform, names: tuple[str, ...], note: Callable[[str], None]) -> bool:
    found = False
    for name in names:
        if process := platform.alive(name):
            found = True
            note(f"ending the {name} process that was left running (pid {process.pid})")
            process.send_signal(signal.SIGTERM)
            if not await _gone(process, _NODE_GRACE if name == NODE else _GRACE):
                process.kill()
                await _gone(process, _GRACE)
    return found


async def _gone(process: psutil.Process, seconds: float) -> bool:
    return await asyncio.to_thread(ends_within, process.pid, seconds)
