"""A model server's gRPC port as its settings want it: a door, or with TLS a server at once."""

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

if TYPE_CHECKING:
    from inferplane.dataplane.server.tracing import Spans

log = logging.getLogger("inferplane.server")

PORT = 8081
MESSAGE_LENGTH = 8 * 1024 * 1024


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
            raise CannotListen(
                f"TLS: {self.certificate} and {self.key} cannot be used: {error}",
                fix="give PEM files that belong together in --ssl_certfile and --ssl_keyfile",
            ) from error
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


@dataclass(frozen=True, slots=True)
class GrpcPort:
    """`number` is the port in use."""

    number: int
    port: Port

    async def drain(self, limits: Limits) -> None:
        """As the HTTP port: for a while it still takes calls, then those under way get their grace."""
        await asyncio.sleep(limits.lame_duck)
        await self.port.drain(limits.grace)

    async def close(self) -> None:
        """At once."""
        await self.port.drain(0)


async def listen(
    given: GrpcFlags, dispatch: Dispatch, probes: Probes, host: str, *, worker: bool, spans: "Spans | None" = None
) -> GrpcPort | None:
    """The listening gRPC port, None when there is none. A `worker` shares it with others."""
    if not given.enabled:
        return None

    async def made() -> Behind:
        return _server(given, dispatch, probes, spans, shared=worker or given.tls is None)

    # A door tells its first client to come again without TLS.
    port = Door(made, shared=worker) if given.tls is None else await made()
    try:
        number = await port.listen(host, PORT if given.port is None else given.port)
    except CannotListen as error:
        done_without(given, error)
        return None
    return GrpcPort(number, port)


def done_without(given: GrpcFlags, error: CannotListen) -> None:
    """Of a port that is taken: the default one is done without, with a warning; one that was asked for is an error."""
    if given.port is not None:
        raise error
    log.warning("no gRPC port: %s", error)


def _server(given: GrpcFlags, dispatch: Dispatch, probes: Probes, spans: "Spans | None", *, shared: bool) -> Behind:
    # Not at the top: grpc and protobuf take 0.1 s to import, and few servers ever need them.
    from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions, Tls
    from inferplane.dataplane.server.grpc.service import Service

    tls = given.tls
    options = PortOptions(
        given.max_send,
        given.max_receive,
        given.compress,
        Tls(tls.certificate, tls.key, tls.ca) if tls else None,
        shared=shared,  # with a door, or with other workers
        interceptors=traced(spans),
    )
    return GrpcServer(Service(dispatch, probes), dispatch, options)
