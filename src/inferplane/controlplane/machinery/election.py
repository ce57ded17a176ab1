"""Leader election on a Lease, for controllers that run more than once on a cluster.

Who holds the lease renews it; the others wait until they have watched it stay unchanged for its whole duration, by
their own clock (clocks of different machines are never compared). The rules are client-go's `leaderelection`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from inferplane.client.kubernetes.api import AlreadyExists, Api, ApiError, Conflict, NotFound, ServerUnreachable
from inferplane.client.kubernetes.kinds import LEASE
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.clock import Clock, micro_timestamp
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, number_at, object_at, text_at

log = logging.getLogger(__name__)


class LeadershipLost(InferplaneError):
    """The lease could not be renewed in time; the work was stopped, since somebody else may be leading by now."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Seconds. A leader that cannot renew within `renew_within` stops before others may take over (`duration`)."""

    duration: float = 15.0
    renew_within: float = 10.0
    retry: float = 2.0


class Move(Enum):
    CREATE = auto()
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


@dataclass(frozen=True, slots=True)
class Observed:
    """A lease as it was when it last changed: its version and when (monotonic) we first saw that one."""

    version: str
    since: float


def observe(before: Observed | None, lease: JsonObject, now: float) -> Observed:
    version = text_at(lease, "metadata", "resourceVersion")
    return before if before is not None and before.version == version else Observed(version, now)


def decide(lease: JsonObject | None, seen: Observed | None, identity: str, now: float) -> Move:
    """What a candidate does about the lease, which was last seen to change at `seen.since`."""
    if lease is None or seen is None:
        return Move.CREATE
    holder = text_at(lease, "spec", "holderIdentity")
    if holder == identity:
        return Move.RENEW
    expired = now - seen.since > number_at(lease, "spec", "leaseDurationSeconds")
    return Move.TAKE if not holder or expired else Move.WAIT


class Election:
    def __init__(self, api: Api, lease: Key, identity: str, clock: Clock, terms: Terms = Terms()) -> None:
        self._api = api
        self._key = lease
        self._identity = identity
        self._clock = clock
        self._terms = terms
        self._seen: Observed | None = None

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Waits for the lease, then runs `work` for as long as it is held. Raises LeadershipLost when it isn't."""
        while not await self._attempt():
            await self._clock.sleep(self._terms.retry)
        log.info("leading lease=%s identity=%s", self._key, self._identity)
        job = asyncio.ensure_future(work())
        keeper = asyncio.create_task(self._keep())
        try:
            await asyncio.wait({job, keeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            job.cancel()
            keeper.cancel()
            await asyncio.gather(job, keeper, return_exceptions=True)
            await self._release()
        if not keeper.cancelled():
            raise LeadershipLost(f"lease {self._key}: not renewed within {self._terms.renew_within:g} s")
        if not job.cancelled():
            job.result()

    async def _keep(self) -> None:
        renewed = self._clock.monotonic()
        while self._clock.monotonic() - renewed < self._terms.renew_within:
            await self._clock.sleep(self._terms.retry)
            asked = self._clock.monotonic()
            if await self._attempt():
                renewed = asked

    async def _attempt(self) -> bool:
        """One try to get or keep the lease; true when it is ours now."""
        try:
            lease = await self._read()
            now = self._clock.monotonic()
            self._seen = observe(self._seen, lease, now) if lease is not None else None
            move = decide(lease, self._seen, self._identity, now)
            if move is Move.WAIT:
                return False
            await self._write(lease, move)
        except (Conflict, AlreadyExists):
            return False
        except (ApiError, ServerUnreachable) as error:
            log.warning("lease not reached lease=%s error=%s", self._key, error)
            return False
        return True

    async def _read(self) -> JsonObject | None:
        try:
            return await self._api.get(LEASE, self._key.name, self._key.namespace)
        except NotFound:
            return None

    async def _write(self, lease: JsonObject | None, move: Move) -> None:
        now = micro_timestamp(self._clock.now())
        before = object_at(lease or {}, "spec")
        spec = before | {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._terms.duration),
            "renewTime": now,
        }
        if move is Move.CREATE or lease is None:
            body: JsonObject = {"metadata": {"name": self._key.name}, "spec": spec | {"acquireTime": now}}
            await self._api.create(LEASE, body, self._key.namespace)
            return
        if move is Move.TAKE:
            spec |= {"acquireTime": now, "leaseTransitions": number_at(before, "leaseTransitions") + 1}
        # The resourceVersion in the body makes this a compare-and-set.
        await self._api.update(LEASE, lease | {"spec": spec}, self._key.namespace)

    async def _release(self) -> None:
        """Lets the next one start at once; if that fails, the lease runs out by itself."""
        try:
            lease = await self._read()
            if lease is not None and text_at(lease, "spec", "holderIdentity") == self._identity:
                spec = object_at(lease, "spec") | {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._api.update(LEASE, lease | {"spec": spec}, self._key.namespace)
        except (ApiError, ServerUnreachable) as error:
            log.info("lease not released lease=%s error=%s", self._key, error)
