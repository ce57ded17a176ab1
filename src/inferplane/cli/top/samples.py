"""One look at everything, as values: what `collect` reads and `compare` works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """Of an object, or of a component of an InferenceService (`component` is predictor, transformer or explainer)."""

    namespace: str
    service: str
    component: str


@dataclass(frozen=True, slots=True)
class Replicas:
    """`wanted` and `ready` of all Deployments of a component together."""

    wanted: int = 0
    ready: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests so far, and those under way."""

    total: float = 0.0
    active: float = 0.0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.total + other.total, self.active + other.active)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations so far of at most each bound (seconds); the last bound is infinite. `seconds`: their sum."""

    counts: Mapping[float, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def count(self) -> float:
        return max(self.counts.values(), default=0.0)

    @property
    def mean(self) -> float | None:
        return self.seconds / self.count if self.count > 0 else None

    def __add__(self, other: "Histogram") -> "Histogram":
        bounds = sorted({*self.counts, *other.counts})
        counts = {one: self.counts.get(one, 0.0) + other.counts.get(one, 0.0) for one in bounds}
        return Histogram(counts, self.seconds + other.seconds)

    def since(self, before: "Histogram") -> "Histogram":
        """What came in between; a server that was restarted begins anew."""
        fresh = {bound: count - before.counts.get(bound, 0.0) for bound, count in self.counts.items()}
        began_anew = any(count < 0 for count in fresh.values())
        return self if began_anew else Histogram(fresh, self.seconds - before.seconds)


@dataclass(frozen=True, slots=True)
class Use:
    """`cpu` in cores, `memory` in bytes."""

    cpu: float = 0.0
    memory: float = 0.0

    def __add__(self, other: "Use") -> "Use":
        return Use(self.cpu + other.cpu, self.memory + other.memory)


@dataclass(frozen=True, slots=True)
class Served:
    """What one replica's own server says: by pod."""

    traffic: Traffic = Traffic()
    latency: Histogram = Histogram()


@dataclass(frozen=True, slots=True)
class Sample:
    """`at`: seconds of a clock that never goes back. What is not known of a component is absent.

    `gateway`: what went through the gateway; `served`: what each of its pods has served, by pod's uid.
    """

    at: float
    services: Mapping[Name, Replicas] = field(default_factory=dict)
    use: Mapping[Name, Use] = field(default_factory=dict)
    gateway: Mapping[Name, Traffic] = field(default_factory=dict)
    served: Mapping[Name, Mapping[str, Served]] = field(default_factory=dict)
