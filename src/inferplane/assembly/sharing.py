"""The start of several workers: what they share is there before they are forked, which is the ports and the metrics."""

import os
import socket
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from tempfile import TemporaryDirectory

from inferplane.assembly.model_server_grpc import PORT, GrpcFlags, done_without
from inferplane.assembly.worker_channel import Message
from inferplane.assembly.workers import Place, Workers
from inferplane.dataplane.server.grpc.reserving import reserved
from inferplane.dataplane.server.http.listener import CannotListen, listening_socket


def share(
    number: int,
    host: str,
    http_port: int,
    grpc: GrpcFlags,
    serve: Callable[[GrpcFlags, Place], None],
    announce: Callable[[Message], None],
) -> int:
    """Runs workers until they are told to stop; the exit code. What was imported and loaded they have in common.

    `serve` runs in each of them, with the gRPC port that all have. Raises CannotListen.
    """
    http = listening_socket(host, http_port)
    held = _held(grpc, host)
    port = None if held is None else int(held.getsockname()[1])
    with (
        closing(http),
        nullcontext() if held is None else closing(held),
        TemporaryDirectory(prefix="inferplane-metrics-") as directory,
    ):
        # Read by the Prometheus client when it is imported, which our own code does only when asked for metrics.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", directory)
        given = replace(grpc, enabled=port is not None, port=port)
        return Workers(number, http, partial(serve, given), announce).run()


def _held(grpc: GrpcFlags, host: str) -> socket.socket | None:
    """None without a gRPC port."""
    if not grpc.enabled:
        return None
    try:
        return reserved(host, PORT if grpc.port is None else grpc.port)
    except CannotListen as error:
        done_without(grpc, error)
        return None
