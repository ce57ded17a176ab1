"""What all pods use, from `metrics.k8s.io`: listed once for all autoscalers that look at about the same time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from inferplane.client.kubernetes.api import Api, ApiError, ServerUnreachable
from inferplane.client.kubernetes.kinds import POD_METRICS
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.owners import key_of_meta
from inferplane.kernel.clock import Clock
from inferplane.resources.autoscaling import PodMetrics


@dataclass(frozen=True, slots=True)
class Figures:
    """`problem` says why there are none."""

    pods: Mapping[Key, PodMetrics] = field(default_factory=dict)
    problem: str = ""


class Metrics:
    """`fresh`: for how many seconds a list is good enough."""

    def __init__(self, api: Api, clock: Clock, fresh: float) -> None:
        self._api = api
        self._clock = clock
        self._fresh = fresh
        self._figures = Figures()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def read(self) -> Figures:
        async with self._reading:
            now = self._clock.monotonic()
            if self._read_at is None or now - self._read_at >= self._fresh:
                self._figures = await self._list()
                self._read_at = now
        return self._figures

    async def _list(self) -> Figures:
        try:
            found = await self._api.list(POD_METRICS)
        except (ApiError, ServerUnreachable) as error:
            return Figures(problem=f"unable to fetch metrics from resource metrics API: {error}")
        pods = msgspec.convert(found.items, list[PodMetrics])
        return Figures({key_of_meta(one.metadata): one for one in pods})
