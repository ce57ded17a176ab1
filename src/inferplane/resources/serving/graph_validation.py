"""What is wrong with an InferenceGraph, in words: KServe's rules, and what KServe finds out with the first request.

The second are nodes that lead nowhere or in circles, conditions that do not parse or can never hold, data that names
nothing, and steps that nothing leads to.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from re import fullmatch
from urllib.parse import urlsplit

from inferplane.resources import gjson
from inferplane.resources.serving.inferencegraph import (
    REQUEST,
    RESPONSE,
    ROOT,
    InferenceGraphSpec,
    Node,
    RouterType,
    Step,
)
from inferplane.resources.serving.inferenceservice import NAME_PATTERN

_ALL = 100


def problems(name: str, spec: InferenceGraphSpec) -> list[str]:
    """Sentences that begin with the field's path; an empty list means that the graph can be carried out."""
    return list(_all(name, spec))


def _all(name: str, spec: InferenceGraphSpec) -> Iterator[str]:
    if not fullmatch(NAME_PATTERN, name):
        yield "metadata.name: must start with a lower-case letter and hold only lower-case letters, digits and '-'"
    if ROOT not in spec.nodes:
        have = ", ".join(sorted(spec.nodes)) or "none"
        yield f"spec.nodes: no node is named {ROOT}, which takes the requests; have: {have}"
    for key, node in spec.nodes.items():
        yield from _node(f"spec.nodes.{key}", node, spec.nodes)
    yield from _circles(spec.nodes)
    yield from _timeouts(spec)
    least = 1 if spec.min_replicas is None else spec.min_replicas
    if spec.max_replicas and least > spec.max_replicas:
        yield f"spec.minReplicas: {least} is more than maxReplicas, {spec.max_replicas}"


def _timeouts(spec: InferenceGraphSpec) -> Iterator[str]:
    limits = spec.router_timeouts
    if limits is None:
        return
    for field in ("server_read", "server_write", "server_idle", "service_client"):
        seconds = getattr(limits, field)
        if seconds is not None and seconds < 0:
            first, _, second = field.partition("_")
            path = f"spec.routerTimeouts.{first}{second.capitalize()}"
            yield f"{path}: expected 0 (no bound) or more seconds, got {seconds}"


# --- nodes ------------------------------------------------------------------------------------------------------------


def _node(path: str, node: Node, nodes: Mapping[str, Node]) -> Iterator[str]:
    if not node.steps:
        yield f"{path}.steps: at least one step is needed"
    for index, step in enumerate(node.steps):
        where = f"{path}.steps[{index}]"
        yield from _target(where, step, nodes)
        yield from _data(where, step)
        yield from _condition(where, step, node.router_type, first=index == 0)
    yield from _names(path, node.steps)
    if node.router_type is RouterType.SPLITTER:
        yield from _weights(path, node.steps)


def _names(path: str, steps: Sequence[Step]) -> Iterator[str]:
    for name, times in Counter(one.name for one in steps if one.name).items():
        if times > 1:
            yield f"{path}.steps: {times} steps are named {name}"


def _weights(path: str, steps: Sequence[Step]) -> Iterator[str]:
    missing = [index for index, one in enumerate(steps) if one.weight is None]
    for index in missing:
        yield f"{path}.steps[{index}].weight: every step of a Splitter needs one"
    for index, one in enumerate(steps):
        if one.weight is not None and one.weight < 0:
            yield f"{path}.steps[{index}].weight: expected 0 or more, got {one.weight}"
    total = sum(one.weight or 0 for one in steps)
    if steps and not missing and total != _ALL:
        yield f"{path}.steps: the weights of a Splitter sum to {_ALL}, got {total}"


def _target(path: str, step: Step, nodes: Mapping[str, Node]) -> Iterator[str]:
    given = [
        word
        for word, value in (
            ("nodeName", step.node_name),
            ("serviceName", step.service_name),
            ("serviceUrl", step.service_url),
        )
        if value
    ]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        yield f"{path}: exactly one of nodeName, serviceName and serviceUrl is needed, got {got}"
    if step.node_name and step.node_name not in nodes:
        yield f"{path}.nodeName: there is no node {step.node_name!r}; have: {', '.join(sorted(nodes))}"
    if step.service_url and (fault := url_fault(step.service_url)):
        yield f"{path}.serviceUrl: {fault}"


def url_fault(url: str) -> str:
    """What keeps it from being asked, "" for nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"expected http://HOST or https://HOST, got {url!r}"
    if any(letter <= " " or letter == "\x7f" for letter in url):
        return f"{url!r} holds a blank or a control character"
    return ""


def _data(path: str, step: Step) -> Iterator[str]:
    word, dot, rest = step.data.partition(".")
    if not step.data or (word in (REQUEST, RESPONSE) and not dot):
        return
    if word not in (REQUEST, RESPONSE):
        yield f"{path}.data: expected {REQUEST} or {RESPONSE}, perhaps with .PATH, got {step.data!r}"
        return
    try:
        gjson.parse(rest)
    except gjson.PathError as error:
        yield f"{path}.data: {error}"


def _condition(path: str, step: Step, kind: RouterType, *, first: bool) -> Iterator[str]:
    where = f"{path}.condition"
    if kind is RouterType.SWITCH and not step.condition:
        yield f"{where}: every step of a Switch needs one (@this holds for any request)"
    if not step.condition:
        return
    if kind is RouterType.SEQUENCE and first:
        yield f"{where}: there is no response yet that the first step of a Sequence could look at"
    try:
        parsed = gjson.parse(step.condition)
    except gjson.PathError as error:
        yield f"{where}: {error}"
        return
    if parsed.always_exists:
        yield f"{where}: {step.condition!r} makes a value of its own, so it always holds: expected a path into the data"


# --- circles ----------------------------------------------------------------------------------------------------------


def _circles(nodes: Mapping[str, Node]) -> Iterator[str]:
    """One sentence for each circle, with the way round it."""
    done: set[str] = set()
    for start in sorted(nodes, key=lambda name: (name != ROOT, name)):
        yield from _from(start, [], nodes, done)


def _from(name: str, way: list[str], nodes: Mapping[str, Node], done: set[str]) -> Iterator[str]:
    if name in way:
        yield f"spec.nodes.{name}: the nodes go in a circle: {' → '.join([*way[way.index(name) :], name])}"
        return
    if name in done or name not in nodes:
        return
    for step in nodes[name].steps:
        if step.node_name:
            yield from _from(step.node_name, [*way, name], nodes, done)
    done.add(name)
