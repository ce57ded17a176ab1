"""Controllers as assembly runs them, for as long as a test looks at what they do."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers


@asynccontextmanager
async def running(informers: Informers, recorder: Recorder, controllers: Sequence[Controller]) -> AsyncIterator[None]:
    """From the moment that the informers know what is there."""
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(recorder.run())]
    try:
        await informers.synced()
        tasks += [asyncio.create_task(one.run()) for one in controllers]
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
