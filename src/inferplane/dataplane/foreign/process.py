"""A server that is not ours as a child of this process. It has all of our environment, but for what is changed.

It stays in our session: whoever ends the container ends it too. `stop` ends it with everything that it started.
"""

import asyncio
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

GRACE = 10.0
"""Seconds to end by itself."""


class Foreign:
    """`command` runs until `stop`, or until it ends by itself. Its output goes where ours goes, unless `piped`."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], directory: Path, *, piped: bool = False
    ) -> None:
        self.process = subprocess.Popen(
            command,
            env=dict(environ),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else None,
            stderr=subprocess.STDOUT if piped else None,
        )

    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self.process.poll()

    async def ended(self) -> int:
        """Returns the exit code when it has ended."""
        try:
            descriptor = os.pidfd_open(self.process.pid)
        except ProcessLookupError:
            return self.process.wait()
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return self.process.wait()

    def stop(self, grace: float = GRACE) -> None:
        """SIGTERM to all of its processes, SIGKILL to those that are left after `grace` seconds."""
        family = self._family()
        for one in family:
            _signalled(one.terminate)
        _, left = psutil.wait_procs(family, timeout=grace)
        for one in left:
            _signalled(one.kill)
        self.process.wait()

    def _family(self) -> list[psutil.Process]:
        if self.process.poll() is not None:
            return []
        try:
            own = psutil.Process(self.process.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _signalled(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        pass  # it has ended since
