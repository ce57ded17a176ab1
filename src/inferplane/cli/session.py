"""What every command has at hand: where the platform is, a way to its API server, and the terminal.

`main` makes one from the command line's global options; tests make one with their own `connect`.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from inferplane.cli.terminal import Terminal
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    # Imported where they are used: `inferplane --help` must not wait for aiohttp.
    from inferplane.assembly.home import Home
    from inferplane.assembly.record import Platform
    from inferplane.client.kubernetes.tables import CommandLine

Connect = Callable[[Path, str], AbstractAsyncContextManager["CommandLine"]]
_T = TypeVar("_T")


class NotRunning(InferplaneError):
    """There is no platform to talk to."""

    def __init__(self) -> None:
        super().__init__("the platform is not running", fix="start it with  inferplane up")


@dataclass(frozen=True, slots=True)
class Session:
    """`kubeconfig` is set when the user named a cluster (by a context alone: kubectl's usual file)."""

    home: "Home"
    terminal: Terminal
    kubeconfig: Path | None = None
    context: str = ""
    connect: Connect | None = None
    find_platform: "Callable[[Home], Platform | None] | None" = None

    @property
    def foreign(self) -> bool:
        """Whether the commands go to a cluster that is not the platform of `home`."""
        return self.kubeconfig is not None

    def platform(self) -> "Platform | None":
        """The running platform of this home."""
        if self.find_platform is not None:
            return self.find_platform(self.home)
        from inferplane.assembly.record import running

        return running(self.home)

    def namespace(self, given: str | None) -> str:
        """The namespace the user named, else the one of the cluster's context, else `default`."""
        if given or not self.foreign:
            return given or "default"
        from inferplane.client.kubernetes.kubeconfig import read_kubeconfig

        return read_kubeconfig(self.kubeconfig or self.home.kubeconfig, self.context).namespace

    def api(self) -> "AbstractAsyncContextManager[CommandLine]":
        """A connection to the API server. Raises NotRunning when there is none to connect to."""
        if not self.foreign and self.platform() is None:
            raise NotRunning
        return (self.connect or _connect)(self.kubeconfig or self.home.kubeconfig, self.context)


def run(work: Coroutine[None, None, _T]) -> _T:
    """Runs the asynchronous part of a command. Ctrl-C cancels it and becomes KeyboardInterrupt."""
    return asyncio.run(work)


def _connect(kubeconfig: Path, context: str) -> "AbstractAsyncContextManager[CommandLine]":
    from inferplane.client.kubernetes.kubeconfig import read_kubeconfig
    from inferplane.client.kubernetes.tables import CommandLineApi

    return CommandLineApi(read_kubeconfig(kubeconfig, context))
