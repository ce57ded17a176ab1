"""The model server's gRPC flags and what they make: a door, or with TLS or in a worker process a server at once."""

import argparse
import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from inferplane.assembly.tracing import traced
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.door import Behind, Door
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes
from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")

PORT = 8081
MESSAGE_LENGTH = 8 * 1024 * 1024
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})
_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """In PEM. With `ca`, clients must show a certificate that it signed."""

    certificate: Path
    key: Path
    ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """For the REST port."""
        try:
            made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.ca)
            made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise InferplaneError(f"TLS: {self.certificate} and {self.key} cannot be used: {error}") from error
        if self.ca is not None:
            made.verify_mode = ssl.CERT_REQUIRED
        return made


@dataclass(frozen=True, slots=True)
class GrpcFlags:
    """`port` None is the default one, which a server does without when it is taken. Sizes are in bytes."""

    enabled: bool = True
    port: int | None = None
    max_send: int = MESSAGE_LENGTH
    max_receive: int = MESSAGE_LENGTH
    compress: bool = False
    tls: TlsFiles | None = None


class Port(Protocol):
    async def drain(self, grace: float) -> None: ...


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--enable_grpc", type=yes_or_no, default=True, help="listen for gRPC")
    parser.add_argument("--grpc_port", type=int, default=None, help=f"{PORT} when not given; 0 lets the system choose")
    for direction in ("send", "receive"):
        parser.add_argument(
            f"--grpc_max_{direction}_message_length",
            type=int,
            default=MESSAGE_LENGTH,
            help=f"bytes of the largest message that the gRPC port {direction}s; -1 is no limit",
        )
    parser.add_argument(
        "--grpc_compression", choices=("none", "gzip"), default="none", help="of the gRPC port's answers"
    )
    parser.add_argument("--ssl_certfile", type=Path, default=None, help="certificate (PEM): both ports speak TLS")
    parser.add_argument("--ssl_keyfile", type=Path, default=None, help="the certificate's key (PEM)")
    parser.add_argument("--ssl_ca_certs", type=Path, default=None, help="clients must show a certificate signed by it")


def flags(found: argparse.Namespace) -> GrpcFlags:
    """What the command line says; raises ValueError for what does not fit together."""
    if (found.ssl_certfile is None) != (found.ssl_keyfile is None):
        raise ValueError("--ssl_certfile and --ssl_keyfile belong together")
    if found.ssl_certfile is not None and found.workers > 1:
        raise ValueError("--ssl_certfile: TLS with several --workers is not supported")
    tls = TlsFiles(found.ssl_certfile, found.ssl_keyfile, found.ssl_ca_certs) if found.ssl_certfile else None
    return GrpcFlags(
        found.enable_grpc,
        found.grpc_port,
        found.grpc_max_send_message_length,
        found.grpc_max_receive_message_length,
        found.grpc_compression == "gzip",
        tls,
    )


def yes_or_no(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text}")
    return text.lower() in _TRUE


async def drain(port: Port | None, limits: Limits) -> None:
    """As the HTTP port: for a while it still takes calls, then those under way get their grace."""
    if port is not None:
        await asyncio.sleep(limits.lame_duck)
        await port.drain(limits.grace)


async def listen(
    given: GrpcFlags, dispatch: Dispatch, probes: Probes, host: str, *, worker: bool, spans: "Spans | None" = None
) -> Port | None:
    """The listening gRPC port, None when there is none. A `worker` shares it with others."""
    if not given.enabled:
        return None

    async def made() -> Behind:
        return _server(given, dispatch, probes, spans)

    # A door tells its first client to come again without TLS.
    port = Door(made, shared=worker) if given.tls is None else await made()
    try:
        number = await port.listen(host, PORT if given.port is None else given.port)
    except CannotListen as error:
        if given.port is not None:
            raise
        log.warning("no gRPC port: %s", error)
        return None
    log.info("grpc address=%s:%d", host, number)
    return port


def _server(given: GrpcFlags, dispatch: Dispatch, probes: Probes, spans: "Spans | None") -> Behind:
    # Not at the top: grpc and protobuf take 0.1 s to import, and few servers ever need them.
    from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions, Tls
    from inferplane.dataplane.server.grpc.service import Service

    tls = given.tls
    options = PortOptions(
        given.max_send,
        given.max_receive,
        given.compress,
        Tls(tls.certificate, tls.key, tls.ca) if tls else None,
        shared=tls is None,  # with a door; workers have no TLS
        interceptors=traced(spans),
    )
    return GrpcServer(Service(dispatch, probes), dispatch, options)
