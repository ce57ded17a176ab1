"""Choosing ports: the one wanted, or the next free one with a sentence that says who has it."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from inferplane.kernel.errors import InferplaneError

# How many ports after the wanted one are tried.
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """`note` is empty when the wanted port was free."""

    port: int
    note: str = ""


def choose(wanted: int, *, avoid: Iterable[int] = ()) -> Choice:
    """The first port from `wanted` on where nobody would get our clients' connections, and that isn't in `avoid`.
    0 is any port: the system chooses."""
    taken = set(avoid)
    if wanted == 0:
        return Choice(_by_the_system())
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        if port not in taken and is_free(port):
            return Choice(port, "" if port == wanted else f"port {wanted} is taken{_by_whom(wanted)}; using {port}")
    raise InferplaneError(f"no free port from {wanted} to {wanted + _TRIES - 1}", fix="give another one with --port")


def check_free(address: str, port: int, *, option: str) -> None:
    """InferplaneError when nobody could listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            probe.listen(1)
    except OSError as error:
        raise InferplaneError(
            f"{option}: cannot listen on {address}, port {port}: {error.strerror}{_by_whom(port)}",
            fix="give an address of this machine and a free port",
        ) from error


def _by_the_system() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    return all(_can_bind(family, address, port) for family, address in _ADDRESSES)


# A listener on all addresses is in the way of these, too; one on another address, such as a pod's, is not.
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


def _can_bind(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        probe = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return True  # this family does not exist here, so nobody listens on it
    with probe:
        # SO_REUSEADDR ignores connections in TIME_WAIT and still fails when somebody listens.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            # Without IPv6 the address cannot be assigned: nobody can listen there either.
            return error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def _by_whom(port: int) -> str:
    """` by pid 4121 (python)`, or nothing when the system does not tell (another user's process)."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for one in connections:
        if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid:
            try:
                return f" by pid {one.pid} ({psutil.Process(one.pid).name()})"
            except psutil.NoSuchProcess:
                return ""
    return ""
