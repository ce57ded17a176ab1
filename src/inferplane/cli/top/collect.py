"""Reads one `Sample`: objects and metrics from the API server, the gateway's counters, the model servers' own metrics.

The gateway's admin interface and pods' addresses can be reached on one machine only; on a cluster what they would say
is absent. A source that does not answer leaves its columns empty: the others are still worth showing.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from inferplane.cli.top.samples import Histogram, Name, Replicas, Sample, Served, Traffic, Use
from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, Resource
from inferplane.resources.apps import Deployment
from inferplane.resources.autoscaling import PodMetrics
from inferplane.resources.core import Pod
from inferplane.resources.knative.words import REVISION
from inferplane.resources.meta import ObjectMeta, View
from inferplane.resources.schemas.quantities import amount

SERVICE = "serving.kserve.io/inferenceservice"
_COMPONENT = "component"
_PORT, _PATH = "prometheus.kserve.io/port", "prometheus.kserve.io/path"
_PATIENCE = aiohttp.ClientTimeout(total=2)
# Envoy writes the colon of a cluster's name as an underscore.
_COUNTER = re.compile(r"cluster\.([^/.]+)/([^/]+)_\d+(?:/h2c)?\.upstream_rq_(total|active)")
_SAMPLE = re.compile(
    r"^(request_predict_seconds_(?:bucket|sum)|inferplane_requests_total|inferplane_in_flight)(?:\{(.*)\})? (\S+)",
    re.MULTILINE,
)
_BOUND = re.compile(r'\ble="([^"]+)"')
_V = TypeVar("_V", bound=View)


@dataclass(frozen=True, slots=True)
class Reader:
    """`admin`: the socket of the gateway's admin interface, None on a cluster. `service` narrows to one."""

    api: Api
    namespace: str
    service: str
    admin: Path | None
    http: aiohttp.ClientSession

    async def read(self) -> Sample:
        """Raises ApiError and ServerUnreachable when there is no API server to ask."""
        labels = f"{SERVICE}={self.service}" if self.service else SERVICE
        async with asyncio.TaskGroup() as reads:
            deployments = reads.create_task(self._list(kinds.DEPLOYMENT, Deployment, labels))
            pods = reads.create_task(self._list(kinds.POD, Pod, labels))
            usage = reads.create_task(self._usage(labels))
            counters = reads.create_task(self._counters())
        at = time.monotonic()
        return Sample(
            at=at,
            services=_replicas(deployments.result()),
            use=_use(usage.result()),
            gateway=_traffic(counters.result(), deployments.result()),
            served=await self._served(pods.result()) if self.admin is not None else {},
        )

    async def _list(self, resource: Resource, view: type[_V], labels: str) -> list[_V]:
        found = await self.api.list(resource, self.namespace, labels=labels)
        return msgspec.convert(found.items, list[view])  # type: ignore[valid-type]  # mypy knows no types as values

    async def _usage(self, labels: str) -> list[PodMetrics]:
        try:
            return await self._list(kinds.POD_METRICS, PodMetrics, labels)
        except ApiError:
            # No metrics-server, or it has nothing yet.
            return []

    async def _counters(self) -> str:
        if self.admin is None:
            return ""
        wanted = {"filter": r"^cluster\..*\.upstream_rq_(total|active)$"}
        try:
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.admin)), timeout=_PATIENCE) as session,
                session.get("http://envoy/stats", params=wanted) as answer,
            ):
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return ""

    async def _served(self, pods: Iterable[Pod]) -> dict[Name, dict[str, Served]]:
        asked = [one for one in pods if one.ready and one.status.pod_ip and _PORT in one.metadata.annotations]
        answers = await asyncio.gather(*(self._metrics(one) for one in asked))
        found: dict[Name, dict[str, Served]] = defaultdict(dict)
        for pod, text in zip(asked, answers, strict=True):
            if text:
                found[_name(pod.metadata)][pod.metadata.uid] = served(text)
        return found

    async def _metrics(self, pod: Pod) -> str:
        marks = pod.metadata.annotations
        url = f"http://{pod.status.pod_ip}:{marks[_PORT]}{marks.get(_PATH, '/metrics')}"
        try:
            async with self.http.get(url, timeout=_PATIENCE) as answer:
                return await answer.text() if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError, OSError):
            return ""


def _name(meta: ObjectMeta) -> Name:
    return Name(meta.namespace, meta.labels.get(SERVICE, ""), meta.labels.get(_COMPONENT, ""))


def _replicas(deployments: Iterable[Deployment]) -> dict[Name, Replicas]:
    found: dict[Name, Replicas] = defaultdict(Replicas)
    for one in deployments:
        name, so_far = _name(one.metadata), found[_name(one.metadata)]
        found[name] = Replicas(so_far.wanted + one.spec.replicas, so_far.ready + one.status.ready_replicas)
    return found


def _use(metrics: Iterable[PodMetrics]) -> dict[Name, Use]:
    found: dict[Name, Use] = defaultdict(Use)
    for pod in metrics:
        for one in pod.containers:
            cpu, memory = (float(amount(one.usage.get(what, "0"))) for what in ("cpu", "memory"))
            found[_name(pod.metadata)] += Use(cpu, memory)
    return found


def _traffic(counters: str, deployments: Iterable[Deployment]) -> dict[Name, Traffic]:
    """Of each component: the clusters of its Services, which are named as its Deployments, or as its revisions."""
    names = {(one.metadata.namespace, _service(one.metadata)): _name(one.metadata) for one in deployments}
    found: dict[Name, Traffic] = defaultdict(Traffic)
    for place, traffic in gateway_traffic(counters).items():
        if place in names:
            found[names[place]] += traffic
    return found


def _service(deployment: ObjectMeta) -> str:
    return deployment.labels.get(REVISION, deployment.name)


def gateway_traffic(text: str) -> dict[tuple[str, str], Traffic]:
    """By namespace and Service: Envoy's `/stats`, a counter a line."""
    found: dict[tuple[str, str], Traffic] = defaultdict(Traffic)
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        if (counter := _COUNTER.fullmatch(name)) and value.isdigit():
            place, number = (counter[1], counter[2]), float(value)
            found[place] += Traffic(total=number) if counter[3] == "total" else Traffic(active=number)
    return found


def served(text: str) -> Served:
    """What a model server's `/metrics` says: ours, or KServe's, which has the histogram alone.

    Only the lines that are wanted are looked at: a parser of all takes a millisecond for each of hundreds of pods.
    """
    counts: dict[float, float] = defaultdict(float)
    total = active = seconds = 0.0
    for name, labels, text_value in _SAMPLE.findall(text):
        value = float(text_value)
        match name:
            case "request_predict_seconds_bucket":
                if bound := _BOUND.search(labels):
                    counts[float(bound[1])] += value
            case "request_predict_seconds_sum":
                seconds += value
            case "inferplane_requests_total":
                total += value
            case "inferplane_in_flight":
                active += value
    return Served(Traffic(total, active), Histogram(dict(counts), seconds))
