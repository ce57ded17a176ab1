"""Connections of one listening socket shared among worker processes, each to the worker that has the fewest.

The system wakes whichever worker happens to be free, and one that takes all that wait gets a whole client's connections
while its neighbours idle; a socket of one's own for each (SO_REUSEPORT) spreads by chance, and resets what waits in the
queue of a worker that ends. Here a worker leaves a connection to those with fewer for a few milliseconds, in case they
are free.

Two workers, 60 trials of connections opened at once, how often all went to one worker: 2 connections 43 % with sockets
of their own, 13 % with one plain socket, 0 % here; 64 connections 0 %, 20 %, 0 %, the busier one's share at worst 62 %,
100 %, 50 %.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from inferplane.dataplane.server.cells import Cells

log = logging.getLogger("inferplane.server")

PATIENCE = 0.002
"""Seconds for a worker with fewer connections to come before us."""

_TURNS = 4
_BREATH = 0.1


class SharedListener:
    """`counts` has a cell for each worker: its connections, infinite while it does not serve."""

    def __init__(
        self,
        listening: socket.socket,
        connect: Callable[[], asyncio.BaseProtocol],
        connections: Callable[[], int],
        counts: Cells,
        own: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._connect = connect
        self._connections = connections
        self._counts = counts
        self._own = own
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._later: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._coming = 0
        self._closed = False
        self.counted()
        self._listen()

    def counted(self) -> None:
        """Tells the others how many connections there are here."""
        if not self._closed:
            self._counts[self._own] = self._connections() + self._coming

    def close(self) -> None:
        """Takes no more. The socket itself stays, as it is the others' too."""
        self._closed = True
        self._counts[self._own] = float("inf")
        self._loop.remove_reader(self._listening)
        if self._later is not None:
            self._later.cancel()

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._ready)

    def _ready(self) -> None:
        if self._left < _TURNS and min(self._counts) < self._counts[self._own]:
            self._left += 1
            self._pause(PATIENCE)
            return
        self._left = 0
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of descriptors or memory: connections wait until some are free.
            log.warning("cannot accept a connection: %s", error.strerror)
            self._pause(_BREATH)
            return
        self._coming += 1
        self.counted()
        task = self._loop.create_task(self._take(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._later = self._loop.call_later(seconds, self._listen)

    async def _take(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connect, connection, ssl=self._tls)
        except OSError as error:
            log.debug("a connection failed before its first request: %s", error)  # TLS that did not come about
        finally:
            self._coming -= 1
            self.counted()
