"""The vocabulary of an explanation: which kinds of cause there are and what one says."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Every cause that `why` can tell apart; each has a section in docs/cli.md."""

    NOT_FOUND = "NotFound"
    PROCESS_DOWN = "ProcessDown"
    DELETING = "Deleting"
    STOPPED = "Stopped"
    UNKNOWN_FORMAT = "UnknownFormat"
    NO_PROTOCOL = "NoProtocol"
    RUNTIME_UNKNOWN = "RuntimeUnknown"
    RUNTIME_DISABLED = "RuntimeDisabled"
    INVALID_SPEC = "InvalidSpec"
    MODE_REJECTED = "ModeRejected"
    NOT_RECONCILED = "NotReconciled"
    REPLICAS_REFUSED = "ReplicasRefused"
    UNSCHEDULABLE = "Unschedulable"
    NODE_NOT_READY = "NodeNotReady"
    STORAGE = "Storage"
    IMAGE_NOT_RUNNABLE = "ImageNotRunnable"
    CANNOT_START = "CannotStart"
    MODEL_NOT_LOADED = "ModelNotLoaded"
    MISSING_LIBRARY = "MissingLibrary"
    CRASHING = "Crashing"
    PROBE_FAILING = "ProbeFailing"
    ROUTE_MISSING = "RouteMissing"
    ROUTE_REFUSED = "RouteRefused"
    ROUTE_NOT_PROGRAMMED = "RouteNotProgrammed"
    NO_ENDPOINTS = "NoEndpoints"
    STARTING = "Starting"
    CONDITION = "Condition"
    MODEL_NOT_SERVED = "ModelNotServed"
    NOT_SCALED = "NotScaled"


@dataclass(frozen=True, slots=True)
class Cause:
    """One link: who (`predictor`, `route`, `gateway`), what, the evidence, and what to do about it."""

    kind: Kind
    subject: str
    summary: str
    details: tuple[str, ...] = ()
    fix: str = ""
    pod: str = ""
    """The pod whose last lines are worth reading, if one is."""
    previous: bool = False
    """Whether those lines are of a process that has been replaced since."""
