"""Waiting until everything that can happen without the clock has happened."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from tests.fakes.api import MemoryApi


class Busy(Protocol):
    def idle(self) -> bool: ...


async def settled(api: MemoryApi, controllers: Iterable[Busy]) -> None:
    """Returns when all watches have delivered and no controller has anything to do; fails after many rounds."""
    actors = list(controllers)
    calm = 0
    for _ in range(100_000):
        await asyncio.sleep(0)
        # A few calm rounds in a row, as a task that was just woken shows nowhere until it runs.
        calm = calm + 1 if api.delivered and all(one.idle() for one in actors) else 0
        if calm > 10:
            return
    raise AssertionError("the controllers don't come to rest")
