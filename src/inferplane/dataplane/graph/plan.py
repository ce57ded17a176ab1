"""The graph as the router carries it out: `--graph-json` (the spec, with the URLs of its services) → nodes and steps.

Conditions are parsed and URLs taken apart once, here; what is wrong with the graph is said before the first request.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.resources import gjson
from inferplane.resources.serving import graph_validation, inferencegraph
from inferplane.resources.serving.inferencegraph import RESPONSE, ROOT, InferenceGraphSpec, RouterTimeouts, RouterType


class InvalidGraph(InferplaneError):
    """The graph cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a step asks; `start` is the request line and Host."""

    url: str
    start: bytes


@dataclass(frozen=True, slots=True)
class Data:
    """What a step is sent: the node's input, or the response of the step before; `path`: a part of it."""

    of_response: bool = False
    path: gjson.Path | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Leads to a node (`node`) or a URL (`target`). `place` names it in errors and metrics, `key` in an ensemble."""

    place: str
    key: str
    node: str = ""
    target: Target | None = None
    data: Data = Data()
    maps_predictions: bool = False
    condition: gjson.Path | None = None
    is_hard: bool = False
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    kind: RouterType
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, those of KServe; None is no bound. `call` is the longest of one step's call."""

    read: float | None = 60.0
    whole: float | None = 60.0
    idle: float | None = 180.0
    call: float | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: Mapping[str, Node]
    timeouts: Timeouts = Timeouts()

    @property
    def root(self) -> Node:
        return self.nodes[ROOT]


def read(text: str) -> Graph:
    """Raises InvalidGraph with all that is wrong."""
    try:
        spec = msgspec.json.decode(text, type=InferenceGraphSpec)
    except msgspec.DecodeError as error:
        raise InvalidGraph(f"--graph-json: {error}") from error
    # The controller leaves the service's name beside the URL that it found for it.
    nodes = {name: _resolved(node) for name, node in spec.nodes.items()}
    spec = msgspec.structs.replace(spec, nodes=nodes)
    unresolved = [
        f"spec.nodes.{name}.steps[{index}].serviceName: {step.service_name!r} has no URL beside it"
        for name, node in nodes.items()
        for index, step in enumerate(node.steps)
        if step.service_name
    ]
    if found := [*graph_validation.problems("graph", spec), *unresolved]:
        raise InvalidGraph(f"--graph-json: {'; '.join(found)}")
    return Graph(
        {name: _node(name, node) for name, node in nodes.items()}, _timeouts(spec.router_timeouts or RouterTimeouts())
    )


def _resolved(node: inferencegraph.Node) -> inferencegraph.Node:
    steps = [msgspec.structs.replace(one, service_name="") if one.service_url else one for one in node.steps]
    return msgspec.structs.replace(node, steps=steps)


def _node(name: str, node: inferencegraph.Node) -> Node:
    return Node(name, node.router_type, tuple(_step(name, index, one) for index, one in enumerate(node.steps)))


def _step(node: str, index: int, step: inferencegraph.Step) -> Step:
    key = step.name or str(index)
    word, _, path = step.data.partition(".")
    return Step(
        place=f"{node}/{key}",
        key=key,
        node=step.node_name,
        target=target(step.service_url) if step.service_url else None,
        data=Data(word == RESPONSE, gjson.parse(path) if path else None),
        maps_predictions=step.map_predictions_to_instances,
        condition=gjson.parse(step.condition) if step.condition else None,
        is_hard=step.is_hard,
        weight=step.weight or 0,
    )


def target(url: str) -> Target:
    """Of an http or https URL."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    return Target(url, f"POST {path} HTTP/1.1\r\nhost: {host}\r\n".encode())


def _timeouts(given: RouterTimeouts) -> Timeouts:
    default = Timeouts()
    return Timeouts(
        read=_seconds(given.server_read, default.read),
        whole=_seconds(given.server_write, default.whole),
        idle=_seconds(given.server_idle, default.idle),
        call=_seconds(given.service_client, default.call),
    )


def _seconds(given: int | None, default: float | None) -> float | None:
    """0 is no bound, as for Go's server and client."""
    if given is None:
        return default
    return float(given) if given else None
