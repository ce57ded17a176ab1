"""The activator as a part of the control plane: what assembly starts.

It listens before the informers are synced and accepts when they are, so requests that come while a control plane starts
again wait: Envoy still knows the port, which is kept (`published.port_before`).
"""

import asyncio
import logging
import socket

from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE, SERVICE
from inferplane.controlplane.activator import published
from inferplane.controlplane.activator.buffer import DEPTH, Buffer, Report, Woken
from inferplane.controlplane.activator.door import Door
from inferplane.controlplane.activator.revisions import CachedRevisions
from inferplane.controlplane.machinery.cache import decode
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.kernel.backoff import Backoff
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError
from inferplane.relay.listener import Listener, listening
from inferplane.resources.activator import NAME, NAMESPACE
from inferplane.resources.discovery import EndpointSlice

log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds that requests get to end when the control plane ends; the supervisor waits twice as long."""

_RETRY = Backoff(first=0.05, limit=2.0)


class Activator:
    """`report` gets the load (`signals.stats`); `capacity` bounds the requests of all revisions; `woken` is told the
    phases of each cold start, `first` is taken while it lasts."""

    def __init__(
        self,
        informers: Informers,
        clock: Clock,
        report: Report,
        *,
        host: str = "127.0.0.1",
        depth: int = DEPTH,
        capacity: int = 1 << 30,
        woken: Woken = lambda _: None,
        first: Precedence | None = None,
    ) -> None:
        self._informers = informers
        self._api: Api = informers.api
        self._clock = clock
        self._host = host
        revisions = CachedRevisions(informers)
        self.buffer = Buffer(revisions, report, clock, depth=depth, capacity=capacity, woken=woken, first=first)
        self.listener = Listener(Door(self.buffer), clock)
        revisions.on_pods(self.buffer.pods_changed)
        revisions.on_deletion(self.buffer.gone)

    async def run(self) -> None:
        """Until cancelled; then those who wait get 503, and what runs has `GRACE` seconds to end."""
        with listening(self._host, await self._port_before()) as socket_:
            await self._informers.synced()
            await self.listener.start(socket_)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._publish(socket_), name="activator's Service")
                    tasks.create_task(self.buffer.run(), name="activator's reports")
                    tasks.create_task(self.listener.run(), name="activator's connections")
            finally:
                await self.listener.stop(GRACE)

    async def _port_before(self) -> int:
        try:
            known = await self._api.get(ENDPOINT_SLICE, published.SLICE, NAMESPACE)
        except InferplaneError as error:
            # The first start, or an API server that isn't there yet: then Envoy learns the new port when it is.
            log.debug("port of the last time is not known error=%s", error)
            return 0
        return published.port_before([decode(known, EndpointSlice)], self._host)

    async def _publish(self, socket_: socket.socket) -> None:
        """Writes the Service and where it leads; tried again while the namespace isn't there."""
        port, failures = int(socket_.getsockname()[1]), 0
        while True:
            try:
                await self._api.apply(SERVICE, published.service(), NAMESPACE, manager=published.MANAGER)
                made = published.endpoint_slice(self._host, port)
                await self._api.apply(ENDPOINT_SLICE, made, NAMESPACE, manager=published.MANAGER)
            except InferplaneError as error:
                failures += 1
                delay = _RETRY.delay(failures)
                log.warning("service not written service=%s/%s retry_in=%g error=%s", NAMESPACE, NAME, delay, error)
                await self._clock.sleep(delay)
            else:
                return
