"""`metrics.k8s.io`: what pods and nodes use. Computed when asked from the node's latest samples, never stored.

Metadata comes from the objects in the store, so labels select as they do for the pods themselves; a pod is there once
each of its containers has a figure, as in metrics-server.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from inferplane.controlplane.apiserver import answers, errors, objects, selectors
from inferplane.controlplane.apiserver.calls import Answer, Call
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Kind
from inferplane.controlplane.apiserver.logs import NodeGone
from inferplane.controlplane.apiserver.storage import Stored, unsaved
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas.quantities import canonical
from inferplane.resources.usage import PodUse, Report, Use

_PATIENCE = 5.0


class UsageSource(Protocol):
    async def report(self) -> Report:
        """The latest figures. Raises NodeGone."""
        ...


class NodeUsage:
    """Over the node's unix socket: `GET /usage`."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def report(self) -> Report:
        connector = aiohttp.UnixConnector(path=str(self._socket))
        timeout = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get("http://node/usage") as answer,
            ):
                return msgspec.json.decode(await answer.read(), type=Report)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.MsgspecError) as error:
            raise NodeGone(f"the node does not answer at {self._socket}: {error}", fix="is it running?") from error


async def get(core: Core, call: Call) -> Answer:
    found = await _found(core, call)
    one = next((one for one in found if objects.name(one.object) == call.name), None)
    if one is None:
        raise errors.not_found(call.kind.resource, call.name)
    return answers.one(core, call, one)


async def listing(core: Core, call: Call) -> Answer:
    selector = selectors.parse(call.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    found = await _found(core, call)
    return answers.many(core, call, [one for one in found if selector.matches(one.object)], {})


async def _found(core: Core, call: Call) -> list[Stored]:
    if core.usage is None:
        raise _unavailable(call, "there is no node here")
    try:
        report = await core.usage.report()
    except NodeGone as error:
        raise _unavailable(call, str(error)) from error
    made = _nodes(core, report) if call.kind.resource.kind == "NodeMetrics" else _pods(core, call, report)
    return [unsaved(call.kind, one) for one in made]


def _unavailable(call: Call, why: str) -> StatusError:
    """As the aggregator answers for a metrics-server that is down."""
    resource = call.kind.resource
    text = f"the server is currently unable to handle the request (get {resource.plural}.{resource.group}): {why}"
    return StatusError(503, "ServiceUnavailable", text)


def _pods(core: Core, call: Call, report: Report) -> Iterator[JsonObject]:
    used = sorted((one for one in report.pods if call.namespace in ("", one.namespace)), key=_place)
    for one in used:
        stored = core.storage.get(_POD, one.namespace, one.name)
        if stored is not None and objects.uid(stored.object) == one.uid and _is_complete(stored.object, one):
            yield _pod_metrics(core, stored.object, one)


def _place(one: PodUse) -> tuple[str, str]:
    return one.namespace, one.name


def _is_complete(pod: JsonObject, use: PodUse) -> bool:
    wanted = {text_at(one, "name") for one in list_at(pod, "spec", "containers") if isinstance(one, dict)}
    return wanted <= {one.name for one in use.containers}


def _pod_metrics(core: Core, pod: JsonObject, use: PodUse) -> JsonObject:
    # The oldest sample of the pod: no figure of it is older than what is said.
    oldest = min(use.containers, key=lambda one: one.at)
    containers: list[Json] = [{"name": one.name, "usage": _usage(one)} for one in use.containers]
    metadata: JsonObject = {"name": use.name, "namespace": use.namespace}
    return {"metadata": _dated(core, metadata, pod), **_when(oldest), "containers": containers}


def _nodes(core: Core, report: Report) -> Iterator[JsonObject]:
    if report.node is None:
        return
    stored = core.storage.get(_NODE, "", report.node.name)
    if stored is not None:
        metadata = _dated(core, {"name": report.node.name}, stored.object)
        yield {"metadata": metadata, **_when(report.node), "usage": _usage(report.node)}


def _dated(core: Core, metadata: JsonObject, about: JsonObject) -> JsonObject:
    labels = object_at(about, "metadata", "labels")
    return {**metadata, "creationTimestamp": core.now, **({"labels": labels} if labels else {})}


def _when(use: Use) -> JsonObject:
    return {"timestamp": f"{use.at.partition('.')[0].removesuffix('Z')}Z", "window": _go_duration(use.window)}


def _usage(use: Use) -> JsonObject:
    return {"cpu": canonical(f"{math.ceil(use.cpu * 1e9)}n"), "memory": canonical(f"{use.memory // 1024}Ki")}


def _go_duration(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _built_in(kind: str) -> Kind:
    return next(one for one in BUILT_IN if one.resource.kind == kind)


_POD, _NODE = _built_in("Pod"), _built_in("Node")
