"""Connections to servers, and what the system knows of a connection that the event loop has not been told yet."""

import asyncio
import os
import socket

from inferplane.relay.gate import Address

# Seconds. Pods are near: one that doesn't answer a SYN in this time is as good as one that refuses.
_CONNECT_TIMEOUT = 1.0
# Numbers of Linux (include/net/tcp_states.h).
_ESTABLISHED = 1


async def connect(pod: Address) -> socket.socket:
    """A connected socket. Raises OSError, also where there is no answer in time."""
    family = socket.AF_INET6 if ":" in pod.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            await asyncio.get_running_loop().sock_connect(made, (pod.host, pod.port))
    except BaseException:
        made.close()
        raise
    return made


def is_open(one: socket.socket) -> bool:
    """Whether the other side has not closed it, as far as the system knows (on Linux; elsewhere it is assumed)."""
    if not hasattr(socket, "TCP_INFO"):
        return one.fileno() >= 0
    try:
        return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED
    except OSError:
        return False


def peer_is_there(transport: asyncio.BaseTransport) -> bool:
    """The same of a transport. One that is not being read doesn't notice by itself that its client has gone."""
    if (known := transport.get_extra_info("socket")) is None or known.fileno() < 0:
        return False
    with socket.socket(fileno=os.dup(known.fileno())) as again:
        return is_open(again)
