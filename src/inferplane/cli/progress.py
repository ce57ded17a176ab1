"""From "applied" to "Ready": which stages an InferenceService has reached, and whether waiting on makes sense.

All of it is pure; `waiting` watches the service and asks after each change.
"""

from dataclasses import dataclass

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Deployment, Service
from inferplane.cli.why.words import plural
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.serving.inferencegraph import InferenceGraph

# What only a change of the spec, of the model or of the machine can cure: waiting on would be in vain.
FINAL = frozenset(
    {
        Kind.PROCESS_DOWN,
        Kind.STOPPED,
        Kind.UNKNOWN_FORMAT,
        Kind.NO_PROTOCOL,
        Kind.RUNTIME_UNKNOWN,
        Kind.RUNTIME_DISABLED,
        Kind.INVALID_SPEC,
        Kind.MODE_REJECTED,
        Kind.STORAGE,
        Kind.IMAGE_NOT_RUNNABLE,
        Kind.CANNOT_START,
        Kind.MODEL_NOT_LOADED,
        Kind.MISSING_LIBRARY,
        Kind.CRASHING,
        Kind.ROUTE_REFUSED,
    }
)


def stages(service: Service) -> list[str]:
    """`applied`, `runtime kserve-sklearnserver`, `1 replica`, `Ready`, as far as it has come."""
    status = service.status
    reached = ["applied"]
    if runtime := status.serving_runtime_name or status.cluster_serving_runtime_name:
        reached.append(f"runtime {runtime}")
    if copies := status.model_status.copies.total_copies:
        reached.append(plural(copies, "replica"))
    if is_ready(service):
        reached.append("Ready")
    return reached


def is_ready(service: Service) -> bool:
    """Ready, and said so of the spec that there is now."""
    ready = condition(service.status.conditions, "Ready")
    current = service.status.observed_generation >= service.metadata.generation
    return current and ready is not None and ready.status is ConditionStatus.TRUE


def is_rolled_out(deployment: Deployment) -> bool:
    """Every replica is of the present template and available, and none of an older one is left (kubectl's rule)."""
    status = deployment.status
    wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    current = status.observed_generation >= deployment.metadata.generation
    return current and status.updated_replicas >= wanted == status.replicas == status.available_replicas


def is_hopeless(causes: tuple[Cause, ...]) -> bool:
    """Whether waiting on is in vain."""
    return any(cause.kind in FINAL for cause in causes)


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a graph stands; `final`: it is ready, or waiting on is in vain."""

    words: str = "applied"
    ready: bool = False
    final: bool = False


def graph_settled(graph: InferenceGraph) -> Settled:
    ready = condition(graph.status.conditions, "Ready")
    if ready is None or (graph.status.observed_generation or 0) < graph.metadata.generation:
        return Settled()
    if ready.status is ConditionStatus.TRUE:
        return Settled("applied → Ready", ready=True, final=True)
    words = f"{ready.reason}: {ready.message}".strip(": ") or "not ready yet"
    return Settled(words, final=ready.reason in _GRAPH_FINAL)


_GRAPH_FINAL = frozenset({"InvalidGraphSpec", "ServerlessModeRejected", "Stopped"})
