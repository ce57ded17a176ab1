"""A model server's gRPC as its settings want it: the port, and calls that come over the HTTP port."""

import asyncio
import logging
import ssl
from dataclasses import dataclass, replace
from pathlib import Path

from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.observing import Observer
from inferplane.dataplane.server.grpc.port import GrpcServer, PortOptions, Tls
from inferplane.dataplane.server.http.limits import Limits
from inferplane.dataplane.server.http.listener import CannotListen
from inferplane.dataplane.server.http.probes import Probes

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


@dataclass(frozen=True, slots=True)
class Calls:
    """Who answers gRPC: on a port of its own, and over HTTP/2 on the HTTP port, where a proxy brings unary calls and
    streams alike."""

    port: GrpcServer
    over_http: GrpcServer

    async def drain(self, limits: Limits) -> None:
        """As the HTTP port: for a while they still take calls, then those under way get their grace."""
        await asyncio.sleep(limits.lame_duck)
        await asyncio.gather(self.port.drain(limits.grace), self.over_http.drain(limits.grace))

    async def close(self) -> None:
        """At once."""
        await asyncio.gather(self.port.drain(0), self.over_http.drain(0))


STREAMS_OF_A_WORKER = 32
"""Calls at once on one connection to the HTTP port that workers share: a gateway then opens several."""


def calls(
    given: GrpcFlags, limits: Limits, dispatch: Dispatch, probes: Probes, observer: Observer | None, *, worker: bool
) -> Calls:
    """A `worker` shares the ports with others."""
    tls = given.tls
    own = PortOptions(
        given.max_send,
        given.max_receive,
        given.compress,
        Tls(tls.certificate, tls.key, tls.ca) if tls else None,
        shared=worker,
    )
    streams = STREAMS_OF_A_WORKER if worker else own.limits.streams
    over_http = PortOptions(-1, limits.body, given.compress, limits=replace(own.limits, streams=streams))
    return Calls(GrpcServer(dispatch, probes, own, observer), GrpcServer(dispatch, probes, over_http, observer))


async def listen(server: GrpcServer, given: GrpcFlags, host: str) -> int | None:
    """The number of the port that it listens on now, None when it has none."""
    if not given.enabled:
        return None
    try:
        return await server.listen(host, PORT if given.port is None else given.port)
    except CannotListen as error:
        done_without(given, error)
        return None


def done_without(given: GrpcFlags, error: CannotListen) -> None:
    """Of a port that is taken: the default one is done without, with a warning; one that was asked for is an error."""
    if given.port is not None:
        raise error
    log.warning("no gRPC port: %s", error)
