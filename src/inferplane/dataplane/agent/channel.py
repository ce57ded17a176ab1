"""From the process that answers requests to the one that logs them: lists of exchanges, in packets of a socket pair.

Packets keep their bounds, so several server processes send over one socket, and a writer that takes another's place
begins between two of them. A list that is too long for a packet goes in several, told apart by the sender's number.
"""

import os
import socket
import struct
from collections.abc import Iterator

import msgspec

from inferplane.dataplane.agent.events import Exchange

PACKET = 60 * 1024
"""Bytes. Linux takes packets of 200 KiB by default; smaller ones find room in its buffers sooner."""

_HEAD = struct.Struct("=QB")
_DECODER = msgspec.msgpack.Decoder(list[Exchange])


def pair() -> tuple[socket.socket, socket.socket]:
    """(end of the servers, end of the writer)."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def packets(sender: int, message: bytes) -> Iterator[bytes]:
    """`message` as it is sent."""
    view = memoryview(message)
    for start in range(0, len(view), PACKET):
        part = view[start : start + PACKET]
        yield _HEAD.pack(sender, start + PACKET >= len(view)) + part


def sender_number() -> int:
    """Of this process; another one that gets its pid has another number."""
    return int.from_bytes(os.urandom(4), "big") << 32 | os.getpid()


class Incoming:
    """Puts messages together again. What a sender did not finish is thrown away when it begins anew."""

    def __init__(self) -> None:
        self._parts: dict[int, list[bytes]] = {}

    def feed(self, packet: bytes) -> list[Exchange]:
        """The exchanges of the message that is complete with this packet; empty for one in the middle, and for what
        only the writer before us has seen the beginning of."""
        sender, last = _HEAD.unpack_from(packet)
        part = packet[_HEAD.size :]
        if not last:
            self._parts.setdefault(sender, []).append(part)
            return []
        before = self._parts.pop(sender, None)
        whole = part if before is None else b"".join((*before, part))
        try:
            return _DECODER.decode(whole)
        except msgspec.MsgspecError:
            return []
