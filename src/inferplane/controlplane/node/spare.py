"""A spare: the next process of a zygote, forked while nobody waits for it.

A fork of a process with 130 MB takes 6 ms, and each of the first 2,500 pages that the fork writes to is copied for it,
which takes as long again. A spare has both behind it: it has called the zygote's rehearsals, which do what its run will
do, and waits for the launch to become.

The keeper holds `Spare`; the process itself is in `wait`. The readiness pipe is the run's from the beginning.
"""

import gc
import os
import socket
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferplane.controlplane.node.protocol import Launch, Start, decode_request, line

_WAITING = b"."


@dataclass(slots=True)
class Spare:
    """`pipe` is the reading end of its readiness pipe. `waits`: it has rehearsed and can be started."""

    pid: int
    orders: socket.socket
    pipe: int
    waits: bool = False

    def hear(self) -> None:
        """What comes before the launch is the word that it waits; nothing, when it has ended."""
        try:
            self.waits = self.orders.recv(1) == _WAITING
        except ConnectionError:
            self.waits = False

    def launch(self, launch: Launch) -> None:
        """Raises OSError when it has ended."""
        self.orders.sendall(line(Start(launch=launch)))
        self.orders.close()

    def close(self) -> None:
        """Lets go of it; its process ends when the keeper's end of `orders` is closed."""
        self.orders.close()
        os.close(self.pipe)


def wait(orders: socket.socket, rehearsals: Sequence[Callable[[], object]]) -> Launch | None:
    """In the spare: rehearses, then waits for its launch. None when the keeper has ended or needs it no more."""
    rehearse(rehearsals)
    gc.collect()
    try:
        orders.sendall(_WAITING)
        text = _line(orders)
    except OSError:
        return None
    request = decode_request(text) if text else None
    return request.launch if isinstance(request, Start) else None


def rehearse(rehearsals: Sequence[Callable[[], object]]) -> None:
    """What goes wrong goes to the log only: a run starts without rehearsal, too, and says what is wrong."""
    for rehearsal in rehearsals:
        try:
            rehearsal()
        except Exception:
            traceback.print_exc()


def _line(orders: socket.socket) -> bytes:
    """Up to the newline; nothing when the other end was closed first."""
    text = bytearray()
    while not text.endswith(b"\n"):
        data = orders.recv(1 << 16)
        if not data:
            return b""
        text += data
    return bytes(text)
