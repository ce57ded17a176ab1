"""How a listening socket hands its port on to another one, and no client that is just connecting is reset.

Closing a listener resets who is in its queue or in the middle of the handshake. So first nobody new comes to it: the
kernel is told to choose the other of the two sockets that share the port, or, when more share it and which is which
cannot be told, the listener overhears new SYNs, which clients repeat after a second. Then those under way finish.
Socket filters (classic BPF) need no privilege. Systems other than Linux have neither; there the newest socket of a
port gets its clients.
"""

import array
import socket
import struct
import sys

SETTLE = 0.9
"""Seconds that a handshake under way may take to finish; less than the one after which a SYN is repeated (RFC 6298)."""

_SO_ATTACH_FILTER = 26
_SO_ATTACH_REUSEPORT_CBPF = 51

_CHOOSE_SECOND = ((0x06, 0, 0, 1),)  # return 1
_DROP_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header that has the flags
    (0x54, 0, 0, 0x12),  # of these, SYN and ACK
    (0x15, 0, 1, 0x02),  # unless SYN alone, skip one
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
)


def take_nobody_new(listening: socket.socket, *, shared: bool) -> None:
    """From now on only connections under way come to `listening`.

    It was the first of two to listen on its port, or, when `shared`, one of many in any order.
    """
    if sys.platform != "linux":
        return
    if not shared:
        _attach(listening, _SO_ATTACH_REUSEPORT_CBPF, _CHOOSE_SECOND)
    _attach(listening, _SO_ATTACH_FILTER, _DROP_SYN)


def _attach(to: socket.socket, option: int, program: tuple[tuple[int, int, int, int], ...]) -> None:
    code = array.array("B", b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    to.setsockopt(socket.SOL_SOCKET, option, struct.pack("@HP", len(program), code.buffer_info()[0]))
