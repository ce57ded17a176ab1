"""Sockets for a gRPC port: one's own, or one that worker processes share."""

import socket

from inferplane.dataplane.server.http.listener import CannotListen


def reserved(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A port for gRPC that only processes of this user which ask for a share can have too; 0 is the system's choice.

    Raises CannotListen for a port that is taken, when `shared` only where its holder does not share it.
    """
    try:
        if port and not shared:
            # Shared, it could be another server's too: the system would deal its clients out among both.
            bound(host, port, shared=False).close()
        return bound(host, port, shared=True)
    except OSError as error:
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: OSError) -> CannotListen:
    return CannotListen(
        f"cannot listen for gRPC on {host}:{port}: {error.strerror or error}",
        fix="stop what holds the port, or choose another with --grpc_port",
    )


def bound(host: str, port: int, *, shared: bool) -> socket.socket:
    # As grpcio, which takes any address to mean those of IPv6 too. Sockets of the two kinds would not share the port.
    everywhere = host in ("", "0.0.0.0", "::") and socket.has_dualstack_ipv6()  # the operator's choice
    host = "::" if everywhere else host
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if everywhere:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
