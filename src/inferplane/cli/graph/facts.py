"""What is known of a graph and of the services that it asks, as JSON from the API → values. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta, View, condition
from inferplane.resources.serving.inferencegraph import InferenceGraph, InferenceGraphSpec, Step


class Status(View, frozen=True, kw_only=True):
    conditions: list[Condition] = []


class Asked(View, frozen=True, kw_only=True):
    """An InferenceService, as far as a drawing needs it."""

    metadata: ObjectMeta = ObjectMeta()
    status: Status = Status()


@dataclass(frozen=True, slots=True)
class State:
    """Of a service: `trouble` is why it does not answer, "" when it is ready."""

    trouble: str = ""

    @property
    def ready(self) -> bool:
        return not self.trouble


@dataclass(frozen=True, slots=True)
class Facts:
    graph: InferenceGraph
    spec: InferenceGraphSpec
    services: Mapping[str, State]

    @property
    def ready(self) -> Condition | None:
        return condition(self.graph.status.conditions, "Ready")

    @property
    def is_ready(self) -> bool:
        return self.ready is not None and self.ready.status is ConditionStatus.TRUE

    def state(self, step: Step) -> State | None:
        """None for what is no service of the graph's namespace."""
        return self.services.get(step.service_name, State("does not exist")) if step.service_name else None


def facts(graph: JsonObject, services: Sequence[JsonObject]) -> Facts:
    """`services`: the InferenceServices of the graph's namespace. InferplaneError for a graph that cannot be read."""
    found = msgspec.convert(graph, InferenceGraph)
    try:
        spec = msgspec.convert(found.spec, InferenceGraphSpec)
    except msgspec.ValidationError as error:
        raise InferplaneError(f"inferencegraph/{found.metadata.name}: spec: {error}") from error
    states = {one.metadata.name: _state(one) for one in (msgspec.convert(each, Asked) for each in services)}
    return Facts(found, spec, states)


def _state(service: Asked) -> State:
    ready = condition(service.status.conditions, "Ready")
    if ready is None:
        return State("its status is not known yet")
    if ready.status is ConditionStatus.TRUE:
        return State()
    return State(ready.message or ready.reason or "not ready")


def document(found: Facts) -> JsonObject:
    """For programs: the nodes as they are written, each step that asks a service with `ready` and `problem`."""
    meta, status = found.graph.metadata, found.graph.status
    problem = found.ready.message or found.ready.reason if found.ready and not found.is_ready else ""
    nodes: JsonObject = {
        name: {"routerType": node.router_type.value, "steps": [_step(found, step) for step in node.steps]}
        for name, node in found.spec.nodes.items()
    }
    told: JsonObject = {"name": meta.name, "namespace": meta.namespace, "ready": found.is_ready, "url": status.url}
    return told | ({"problem": problem} if problem else {}) | {"nodes": nodes}


def _step(found: Facts, step: Step) -> Json:
    written: JsonObject = msgspec.to_builtins(step)
    state = found.state(step)
    if state is None:
        return written
    return written | {"ready": state.ready} | ({"problem": state.trouble} if state.trouble else {})
