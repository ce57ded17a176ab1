"""What passes through the sidecar, as exchanges for the log: a `relay.gate.Tap`.

Bodies are as they were on the wire. Of gRPC the messages are logged, without their frames: a unary call is one
exchange, of a stream each message is one, with its number.
"""

import struct
from collections.abc import Iterator, Mapping
from time import time

from inferplane.dataplane.agent.events import HEADER_LENGTH, ID_HEADER
from inferplane.dataplane.agent.recording import Recording
from inferplane.dataplane.server.ids import new_id
from inferplane.relay.gate import Asked

KEPT = 16 * 1024 * 1024
"""Bytes of one body, at most; a longer one is not logged."""

_FRAME = struct.Struct(">BI")


class Listening:
    """To one request. `ended` is to be called once, when it is over."""

    def __init__(self, recording: Recording, asked: Asked) -> None:
        self._recording = recording
        self._asked = asked
        self._began = time()
        self._sent = bytearray()
        self._got = bytearray()
        self._status = 0
        self._names: Mapping[bytes, bytes] = {}
        self._failed = False
        self._complete = False

    # relay.gate.Tap

    def request(self, data: bytes) -> None:
        if len(self._sent) <= KEPT:
            self._sent += data

    def answer(self, status: int, names: Mapping[bytes, bytes]) -> None:
        self._status, self._names = status, names
        self._failed = names.get(b"grpc-status", b"0") != b"0"

    def response(self, data: bytes) -> None:
        if len(self._got) <= KEPT:
            self._got += data

    def trailers(self, names: Mapping[bytes, bytes]) -> None:
        self._failed = self._failed or names.get(b"grpc-status", b"0") != b"0"

    def complete(self) -> None:
        self._complete = True

    def ended(self) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._asked.names.items()}
        whole = self._complete and not self._failed
        if headers.get("content-type", "").startswith("application/grpc") and self._asked.speaks_http2:
            self._messages(headers, whole)
        else:
            self._note(headers, _kept(self._sent), _kept(self._got) if whole else None)

    def _messages(self, headers: Mapping[str, str], whole: bool) -> None:
        sent, got = list(messages(bytes(self._sent))), list(messages(bytes(self._got)))
        if len(sent) == 1 and len(got) <= 1:
            self._note(headers, sent[0], got[0] if whole and got else None)
            return
        own = headers.get(ID_HEADER) or new_id()
        for number, message in enumerate(sent, 1):
            self._note(headers, message, None, own, number)
        for number, message in enumerate(got, 1):
            self._note(headers, None, message, own, number)

    def _note(
        self, headers: Mapping[str, str], body: bytes | None, answer: bytes | None, own: str = "", number: int = 0
    ) -> None:
        asked, names = self._asked, self._names
        kind, length = (names.get(name, b"").decode("latin-1") for name in (b"content-type", HEADER_LENGTH.encode()))
        path, method = asked.target.decode("latin-1"), asked.method.decode("latin-1")
        size = int(length) if length.isdecimal() else 0
        note = (own, method, path, headers, body, self._began, self._status, kind, size, answer, time(), number)
        self._recording.heard(note)


def messages(data: bytes) -> Iterator[bytes]:
    """What gRPC's frames hold; one that is not complete is left out."""
    start = 0
    while start + _FRAME.size <= len(data):
        _, length = _FRAME.unpack_from(data, start)
        end = start + _FRAME.size + length
        if end > len(data):
            return
        yield data[start + _FRAME.size : end]
        start = end


def _kept(body: bytearray) -> bytes | None:
    return bytes(body) if len(body) <= KEPT else None
