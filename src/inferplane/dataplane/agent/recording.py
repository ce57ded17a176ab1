"""What the server's own loop does for the log: note an exchange, and hand the notes on a few milliseconds later.

This is all that a logged request costs the others: no event is made here, no JSON read, no sink waited for. Notes go to
the writer's process in packets. Where it does not keep up (it has the processor when nobody else wants it) they wait
here, within the logger's bounds, and what comes past these is dropped and counted.
"""

import asyncio
import re
import socket
from collections import deque
from collections.abc import Callable, Mapping
from random import random
from time import time
from typing import TypeAlias

import msgspec

from inferplane.dataplane.agent.channel import packets, sender_number
from inferplane.dataplane.agent.events import HEADER_LENGTH, ID_HEADER
from inferplane.dataplane.agent.settings import LoggerSettings, Mode
from inferplane.dataplane.server.answers import Answer, Pieces
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.http.wire import Incoming

HANDED_ON_AFTER = 0.005
"""Seconds."""

HANDED_ON_AT = 48 * 1024
"""Bytes of payloads: what fits into a packet."""

_REMEMBERED = 1024
_OVERHEAD = 256

_NOT_INFERENCE = re.compile(
    r"/v2/repository(/.*)?"
    r"|/[\w.]+/(?!ModelInfer$|ModelStreamInfer$)(Server|Model|Repository)\w+"
    r"|/grpc\.(health|reflection)\..*"
)

Note: TypeAlias = tuple[
    str, str, str, Mapping[str, str], bytes | None, float, int, str, int, "bytes | Pieces | None", float, int
]
"""The fields of an `Exchange`."""


class Recording:
    """A `PayloadLog`. Belongs to one event loop. `lost` is called with the number of notes that had no room."""

    def __init__(self, end: socket.socket, settings: LoggerSettings, lost: Callable[[int], None]) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._lost = lost
        self._share = settings.share
        self._room = settings.bounds.bytes
        self._request, self._response = settings.mode is not Mode.RESPONSE, settings.mode is not Mode.REQUEST
        self._names = frozenset(
            ("content-type", HEADER_LENGTH, ID_HEADER, *(name.lower() for name in settings.headers))
        )
        self._sender = sender_number()
        self._encode = msgspec.msgpack.Encoder().encode
        self._targets: dict[bytes, str] = {}
        self._heads: dict[int, tuple[dict[str, str], dict[str, str]]] = {}
        self._notes: list[Note] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._backlog: deque[tuple[bytes, int]] = deque()
        """Packets, each with the number of notes that it is the last one of."""
        self._held = 0
        self._drained = asyncio.Event()
        self._drained.set()
        self._gone = False

    # What is logged.

    def wants(self, method: bytes, target: bytes) -> bool:
        """Requests that are POSTed, but not to the model repository or to gRPC's calls about servers and models."""
        return method == b"POST" and bool(self._path(target))

    def answered(self, request: Incoming, answer: Answer | None, body: bytes | Pieces | None) -> None:
        path = self._targets.get(request.target)
        if path is None:
            path = self._path(request.target)
        if not path or request.method != b"POST" or request.refusal is not None:
            return
        if self._share < 1 and random() >= self._share:
            return
        asked = request.body if self._request else None
        kind, length = "", 0
        if not self._response or answer is None or answer.status != 200:
            body = None
        elif body is not None:
            kind = "" if answer.content_type is None else answer.content_type.decode("latin-1")
            length = _header_length(answer) if answer.headers else 0
            body = b"".join(body) if isinstance(body, tuple) else body
        self._note(
            (
                "",
                "POST",
                path,
                self._of_head(request),
                asked,
                request.began,
                request.status,
                kind,
                length,
                body,
                time(),
                0,
            ),
            (0 if asked is None else len(asked)) + (0 if body is None else len(body)),
        )

    def heard(self, exchange: Note) -> None:
        """An exchange that others answered; parts that are not logged are left out here."""
        if self._share < 1 and random() >= self._share:
            return
        own, method, path, headers, body, began, status, kind, length, answer, ended, number = exchange
        body, answer = body if self._request else None, answer if self._response and status == 200 else None
        wanted = self._wanted(headers)
        size = (0 if body is None else len(body)) + (0 if answer is None else len(answer))
        self._note((own, method, path, wanted, body, began, status, kind, length, answer, ended, number), size)

    def called(self, path: str, metadata: Headers, began: float, body: bytes, answer: bytes | None) -> None:
        if self._share < 1 and random() >= self._share:
            return
        status = 0 if answer is None else 200
        if not self._response:
            answer = None
        note = ("", "POST", path, self._wanted(metadata), body if self._request else None, began, status,
                _GRPC, 0, answer, time(), 0)  # fmt: skip
        self._note(note, len(body) + (0 if answer is None else len(answer)))

    def message(
        self, path: str, metadata: Headers, id: str, number: int, *, sent: bytes | None, got: bytes | None
    ) -> None:
        now = time()
        body, answer = got if self._request else None, sent if self._response else None
        note = (id, "POST", path, self._wanted(metadata), body, now, 200, _GRPC, 0, answer, now, number)
        self._note(note, len(sent or b"") + len(got or b""))

    def _path(self, target: bytes) -> str:
        """Empty for what is not logged."""
        path = self._targets.get(target)
        if path is None:
            if len(self._targets) >= _REMEMBERED:
                self._targets.clear()  # targets are the client's to make up
            text = target.decode("latin-1")
            path = self._targets[target] = "" if _NOT_INFERENCE.fullmatch(text.partition("?")[0]) else text
        return path

    def _of_head(self, request: Incoming) -> Mapping[str, str]:
        known = request.known
        if known is None:
            return self._wanted({name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers})
        found = self._heads.get(id(known))
        if found is None or found[0] is not known:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            found = self._heads[id(known)] = (known, self._wanted(known))
        return found[1]

    def _wanted(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: headers[name] for name in self._names if name in headers}

    # Handing on.

    def _note(self, note: Note, size: int) -> None:
        self._notes.append(note)
        self._size += size + _OVERHEAD
        if self._size >= HANDED_ON_AT:
            self._hand_on()
        elif self._timer is None:
            self._timer = self._loop.call_later(HANDED_ON_AFTER, self._hand_on)

    def _hand_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        notes, self._notes = self._notes, []
        size, self._size = self._size, 0
        if not notes:
            return
        if self._gone or self._held + size > self._room:
            self._lost(len(notes))
            return
        for packet in packets(self._sender, self._encode(notes)):
            self._backlog.append((packet, 0))
            self._held += len(packet)
        self._backlog[-1] = (self._backlog[-1][0], len(notes))
        if self._drained.is_set():
            self._send()

    def _send(self) -> None:
        """As much as there is room for; goes on when there is more."""
        waits = not self._drained.is_set()
        try:
            while self._backlog:
                self._end.send(self._backlog[0][0])
                self._held -= len(self._backlog.popleft()[0])
        except (BlockingIOError, InterruptedError):
            if not waits:
                self._drained.clear()
                self._loop.add_writer(self._end, self._send)
            return
        except OSError:
            # Nobody is there to read, now or ever.
            self._gone = True
            self._give_up()
        if waits:
            self._loop.remove_writer(self._end)
            self._drained.set()

    async def finish(self, seconds: float) -> None:
        """Hands on what is left."""
        self._hand_on()
        try:
            async with asyncio.timeout(seconds):
                await self._drained.wait()
        except TimeoutError:
            self._loop.remove_writer(self._end)
            self._give_up()
        self._end.close()

    def _give_up(self) -> None:
        self._lost(sum(notes for _, notes in self._backlog))
        self._backlog.clear()
        self._held = 0


_GRPC = "application/grpc"


def _header_length(answer: Answer) -> int:
    return next((int(value) for name, value in answer.headers if name == _LENGTH), 0)


_LENGTH = HEADER_LENGTH.encode()
