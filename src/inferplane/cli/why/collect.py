"""Reads from the API what `decide` looks at. The only part of `why` that does I/O."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from inferplane.assembly.record import Platform
from inferplane.cli.prediction import http, send, target
from inferplane.cli.why.facts import (
    Deployment,
    Event,
    Facts,
    Node,
    Pod,
    Process,
    Route,
    Runtime,
    Service,
    Terminated,
    TrainedModel,
)
from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, Resource
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.autoscaling import HorizontalPodAutoscaler
from inferplane.resources.meta import View

SERVICE_LABEL = "serving.kserve.io/inferenceservice"
TAIL_LINES = 10
_ASKED_WITHIN = 5.0
_V = TypeVar("_V", bound=View)


async def collect(api: Api, name: str, namespace: str, platform: Platform | None) -> Facts:
    """Everything about one service, read at the same time. Raises ServerUnreachable and ApiError."""
    processes = _processes(platform)
    try:
        found = await api.get(kinds.INFERENCE_SERVICE, name, namespace)
    except NotFound:
        services = await _list(api, kinds.INFERENCE_SERVICE, Service)
        others = tuple(f"{one.metadata.namespace}/{one.metadata.name}" for one in services)
        return Facts(name, namespace, datetime.now(UTC), None, processes=processes, other_services=others)
    labels = f"{SERVICE_LABEL}={name}"
    async with asyncio.TaskGroup() as reads:
        runtimes = reads.create_task(_list(api, kinds.SERVING_RUNTIME, Runtime, namespace))
        cluster_runtimes = reads.create_task(_list(api, kinds.CLUSTER_SERVING_RUNTIME, Runtime))
        deployments = reads.create_task(_list(api, kinds.DEPLOYMENT, Deployment, namespace, labels))
        autoscalers = reads.create_task(
            _list(api, kinds.HORIZONTAL_POD_AUTOSCALER, HorizontalPodAutoscaler, namespace, labels)
        )
        pods = reads.create_task(_list(api, kinds.POD, Pod, namespace, labels))
        routes = reads.create_task(_list(api, kinds.HTTP_ROUTE, Route, namespace))
        nodes = reads.create_task(_list(api, kinds.NODE, Node))
        events = reads.create_task(_list(api, kinds.EVENT, Event, namespace))
        models = reads.create_task(_list(api, kinds.TRAINED_MODEL, TrainedModel, namespace))
    mine = {name, *(one.metadata.name for one in deployments.result()), *(one.metadata.name for one in pods.result())}
    service = msgspec.convert(found, Service)
    served = tuple(one for one in models.result() if one.spec.inference_service == name)
    return Facts(
        name,
        namespace,
        datetime.now(UTC),
        service,
        runtimes=(*runtimes.result(), *cluster_runtimes.result()),
        deployments=tuple(deployments.result()),
        autoscalers=tuple(autoscalers.result()),
        pods=tuple(pods.result()),
        routes=tuple(one for one in routes.result() if _owned_by(one, name)),
        nodes=tuple(nodes.result()),
        events=_in_order(one for one in events.result() if one.involved_object.name in mine),
        processes=processes,
        models=served,
        index=await _index(service.status.url or "", platform) if served else {},
        log_tails=await _tails(api, pods.result()),
    )


async def _list(api: Api, resource: Resource, kind: type[_V], namespace: str = "", labels: str = "") -> list[_V]:
    """A cluster without the kind (no Gateway API, say) simply has none of it."""
    try:
        found = await api.list(resource, namespace, labels=labels)
    except NotFound:
        return []
    return [msgspec.convert(item, kind) for item in found.items]


class _Indexed(msgspec.Struct):
    name: str
    state: str = ""
    reason: str = ""


async def _index(url: str, platform: Platform | None) -> dict[str, tuple[str, str]]:
    """Of one of the service's servers; nothing where it cannot be asked, or has no such list."""
    if not url:
        return {}
    to = target(url, "/v2/repository/index", platform.gateway if platform is not None else "")
    try:
        async with asyncio.timeout(_ASKED_WITHIN), http() as session:
            answer = await send(session, to, b"{}")
        found = msgspec.json.decode(answer.body, type=list[_Indexed])
    except (InferplaneError, TimeoutError, msgspec.DecodeError):
        return {}
    return {one.name: (one.state, one.reason) for one in found}


def _owned_by(route: Route, name: str) -> bool:
    owner = route.metadata.controller_of()
    return owner is not None and owner.kind == "InferenceService" and owner.name == name


def _in_order(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda one: one.last_timestamp or one.metadata.creation_timestamp or ""))


async def _tails(api: Api, pods: list[Pod]) -> dict[str, tuple[str, ...]]:
    """The last lines of pods that are not ready; ready ones have nothing to explain."""
    troubled = [pod for pod in pods if not all(status.ready for status in pod.status.container_statuses)]
    tails = await asyncio.gather(*(_tail(api, pod) for pod in troubled))
    return {pod.metadata.name: tail for pod, tail in zip(troubled, tails, strict=True) if tail}


async def _tail(api: Api, pod: Pod) -> tuple[str, ...]:
    statuses = [*pod.status.init_container_statuses, *pod.status.container_statuses]
    # The container that ended last with an error, else the first of the pod.
    ended = [one for one in statuses if _ended_badly(one.state.terminated) or _ended_badly(one.last_state.terminated)]
    chosen = next(iter(ended or statuses), None)
    if chosen is None:
        return ()
    for previous in (chosen.restart_count > 0, False):
        lines = await _lines(api, pod, chosen.name, previous=previous)
        if lines:
            return lines
    return ()


def _ended_badly(terminated: Terminated | None) -> bool:
    return terminated is not None and terminated.exit_code != 0


async def _lines(api: Api, pod: Pod, container: str, *, previous: bool) -> tuple[str, ...]:
    meta = pod.metadata
    log = api.logs(meta.name, meta.namespace, container=container, previous=previous, tail=TAIL_LINES)
    try:
        chunks = [chunk async for chunk in log]
    except ApiError:
        # No log yet, or the pod went away meanwhile: the explanation does without it.
        return ()
    return tuple(b"".join(chunks).decode(errors="replace").splitlines())


def _processes(platform: Platform | None) -> tuple[Process, ...]:
    if platform is None:
        return ()
    return tuple(Process(name, pid, platform.alive(name) is not None) for name, pid in platform.processes.items())
