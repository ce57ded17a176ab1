"""`metrics.k8s.io`: what pods and nodes use. Computed when asked from the node's latest samples, never stored.

A pod's labels are the pod's own, so they select as they do there; it is there once each of its containers has a figure.
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
from inferplane.controlplane.apiserver.negotiation import Form
from inferplane.controlplane.apiserver.storage import unsaved
from inferplane.kernel.json import Json, JsonObject, object_at
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
    one = next((one for one in found if objects.name(one) == call.name), None)
    if one is None:
        raise errors.not_found(call.kind.resource, call.name)
    return answers.one(core, call, unsaved(call.kind, one))


async def listing(core: Core, call: Call) -> Answer:
    selector = selectors.parse(call.kind, call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
    found = [one for one in await _found(core, call) if selector.empty or selector.matches(one)]
    if call.wanted.form is not Form.OBJECT:
        return answers.many(core, call, [unsaved(call.kind, one) for one in found], {})
    items: list[Json] = [*found]
    return answers.plain(call.wanted, {**answers.list_head(call.kind, {}), "items": items})


async def _found(core: Core, call: Call) -> list[JsonObject]:
    if core.usage is None:
        raise _unavailable(call, "there is no node here")
    try:
        report = await core.usage.report()
    except NodeGone as error:
        raise _unavailable(call, str(error)) from error
    return [*(_nodes(core, report) if call.kind.resource.kind == "NodeMetrics" else _pods(core, call, report))]


def _unavailable(call: Call, why: str) -> StatusError:
    """As the aggregator answers for a metrics-server that is down."""
    resource = call.kind.resource
    text = f"the server is currently unable to handle the request (get {resource.plural}.{resource.group}): {why}"
    return StatusError(503, "ServiceUnavailable", text)


def _pods(core: Core, call: Call, report: Report) -> Iterator[JsonObject]:
    now = core.now
    for one in sorted(report.pods, key=lambda one: (one.namespace, one.name)):
        if call.namespace in ("", one.namespace) and call.name in ("", one.name):
            yield _pod_metrics(one, now)


def _pod_metrics(use: PodUse, now: str) -> JsonObject:
    # The oldest sample of the pod: no figure of it is older than what is said.
    oldest = min(use.containers, key=lambda one: one.at)
    containers: list[Json] = [{"name": one.name, "usage": _usage(one)} for one in use.containers]
    metadata: JsonObject = {"name": use.name, "namespace": use.namespace, "creationTimestamp": now}
    if use.labels:
        metadata["labels"] = {**use.labels}
    return {"metadata": metadata, **_when(oldest), "containers": containers}


def _nodes(core: Core, report: Report) -> Iterator[JsonObject]:
    if report.node is None:
        return
    stored = core.storage.get(_NODE, "", report.node.name)
    if stored is not None:
        metadata: JsonObject = {"name": report.node.name, "creationTimestamp": core.now}
        if labels := object_at(stored.object, "metadata", "labels"):
            metadata["labels"] = labels
        yield {"metadata": metadata, **_when(report.node), "usage": _usage(report.node)}


def _when(use: Use) -> JsonObject:
    return {"timestamp": f"{use.at.partition('.')[0].removesuffix('Z')}Z", "window": _go_duration(use.window)}


def _usage(use: Use) -> JsonObject:
    return {"cpu": canonical(f"{math.ceil(use.cpu * 1e9)}n"), "memory": canonical(f"{use.memory // 1024}Ki")}


def _go_duration(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _built_in(kind: str) -> Kind:
    return next(one for one in BUILT_IN if one.resource.kind == kind)


_NODE = _built_in("Node")
