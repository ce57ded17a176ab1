"""From what pods use to a number of replicas, for one metric. Pure.

The rules are those of Kubernetes' replica calculator (`pkg/controller/podautoscaler/replica_calculator.go`): a change
within the tolerance is no change; a pod that cannot be measured counts as fully busy when that would scale down and as
idle when that would scale up, so that ignorance never moves the number.

Amounts are thousandths: of a core, or of a byte.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from inferplane.kernel.clock import parse_timestamp
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.core import Container, Pod
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.schemas.quantities import amount

CPU = "cpu"


class CannotCompute(InferplaneError):
    """The metric gives no number of replicas; the text is Kubernetes'."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pod used over the `window` before `at`."""

    milli: int
    at: datetime
    window: timedelta


Samples = Mapping[str, Sample]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the ratio of use to target may stray from 1 before anything is done."""

    up: float = 0.1
    down: float = 0.1

    def holds(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds in which the CPU time of a young pod says little about its load (kube-controller-manager's flags)."""

    cpu_initialization: float = 300.0
    initial_readiness: float = 30.0


@dataclass(frozen=True, slots=True)
class Groups:
    """Names of the pods whose samples don't count, and how many there are whose do."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """`ratio` of use to target; `average` for each pod; `utilization` in percent of what the pods request."""

    ratio: float
    average: int
    utilization: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    replicas: int
    measured: Measured


class Goal(Protocol):
    """What is to be held."""

    def measure(self, used: Mapping[str, int]) -> Measured:
        """`used` by pod. Raises CannotCompute."""
        ...

    def fully_busy(self, pod: str) -> int:
        """What a pod that nobody measured uses at most, as far as scaling down is concerned."""
        ...


@dataclass(frozen=True, slots=True)
class Utilization:
    """`percent` of what the pods request."""

    percent: int
    requests: Mapping[str, int]

    def measure(self, used: Mapping[str, int]) -> Measured:
        counted = {pod: milli for pod, milli in used.items() if pod in self.requests}
        requested = sum(self.requests[pod] for pod in counted)
        if requested == 0:
            raise CannotCompute("no metrics returned matched known pods")
        total = sum(counted.values())
        percent = total * 100 // requested
        return Measured(percent / self.percent, total // len(counted), percent)

    def fully_busy(self, pod: str) -> int:
        return self.requests[pod] * max(100, self.percent) // 100


@dataclass(frozen=True, slots=True)
class AverageValue:
    milli: int

    def measure(self, used: Mapping[str, int]) -> Measured:
        average = sum(used.values()) // len(used)
        return Measured(average / self.milli, average)

    def fully_busy(self, pod: str) -> int:
        return self.milli


def propose(
    current: int, pods: Sequence[Pod], samples: Samples, groups: Groups, goal: Goal, tolerance: Tolerance
) -> Proposal:
    """`current` replicas are wanted now. Raises CannotCompute."""
    if not pods:
        raise CannotCompute("no pods returned by selector while calculating replica count")
    used = {
        pod: sample.milli for pod, sample in samples.items() if pod not in groups.ignored and pod not in groups.unready
    }
    if not used:
        raise CannotCompute("did not receive metrics for targeted pods (pods might be unready)")
    measured = goal.measure(used)
    if not groups.missing and not (groups.unready and measured.ratio > 1.0):
        same = tolerance.holds(measured.ratio)
        return Proposal(current if same else math.ceil(measured.ratio * groups.ready), measured)
    used |= _assumed(measured.ratio, groups, goal)
    return Proposal(_cautious(current, measured.ratio, goal.measure(used).ratio, len(used), tolerance), measured)


def _assumed(ratio: float, groups: Groups, goal: Goal) -> dict[str, int]:
    """Use of the pods that have no sample to go by, so that they speak against the change that the others ask for."""
    if ratio > 1.0:
        return dict.fromkeys((*groups.missing, *groups.unready), 0)
    return {pod: goal.fully_busy(pod) for pod in groups.missing} if ratio < 1.0 else {}


def _cautious(current: int, before: float, after: float, pods: int, tolerance: Tolerance) -> int:
    """`after` is the ratio with the assumed use: it may dampen the change, never turn it round."""
    if tolerance.holds(after) or (before < 1.0 < after) or (before > 1.0 > after):
        return current
    replicas = math.ceil(after * pods)
    turned = (after < 1.0 and replicas > current) or (after > 1.0 and replicas < current)
    return current if turned else replicas


# --- pods -------------------------------------------------------------------------------------------------------------


def grouped(pods: Iterable[Pod], samples: Samples, resource: str, patience: Patience, now: datetime) -> Groups:
    ready, unready, missing, ignored = 0, set[str](), set[str](), set[str]()
    for pod in pods:
        name = pod.metadata.name
        if pod.metadata.deleting or pod.status.phase == "Failed":
            ignored.add(name)
        elif pod.status.phase == "Pending":
            unready.add(name)
        elif name not in samples:
            missing.add(name)
        elif resource == CPU and _is_warming(pod, samples[name], patience, now):
            unready.add(name)
        else:
            ready += 1
    return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_warming(pod: Pod, sample: Sample, patience: Patience, now: datetime) -> bool:
    """Whether the pod's CPU time may still be that of its start."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or pod.status.start_time is None:
        return True
    started, changed = parse_timestamp(pod.status.start_time), parse_timestamp(ready.last_transition_time or _EPOCH)
    is_unready = ready.status is ConditionStatus.FALSE
    if started + timedelta(seconds=patience.cpu_initialization) > now:
        return is_unready or sample.at < changed + sample.window
    return is_unready and started + timedelta(seconds=patience.initial_readiness) > changed


_EPOCH = "1970-01-01T00:00:00Z"


def requests(pods: Iterable[Pod], container: str, resource: str) -> dict[str, int]:
    """What each pod (or one container of each) requests. Raises CannotCompute when one doesn't say."""
    return {pod.metadata.name: sum(_request(pod, one, resource) for one in _containers(pod, container)) for pod in pods}


def _containers(pod: Pod, container: str) -> list[Container]:
    # Sidecars are init containers that are restarted.
    sidecars = [one for one in pod.spec.init_containers if one.restart_policy == "Always"]
    return [one for one in (*pod.spec.containers, *sidecars) if container in ("", one.name)]


def _request(pod: Pod, container: Container, resource: str) -> int:
    found = container.resources.requests.get(resource)
    if found is None:
        raise CannotCompute(f"missing request for {resource} in container {container.name} of Pod {pod.metadata.name}")
    return milli(found)


def milli(quantity: str | float) -> int:
    """Rounded up, as Kubernetes does it."""
    return math.ceil(amount(str(quantity)) * 1000)
