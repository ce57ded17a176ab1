"""What the node knows about a pod's containers, as values: the input of `decide` and `status`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from inferplane.controlplane.node.runs import Run
from inferplane.resources.core import Container


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a container could not be started; shown as its waiting state. `retry_at`: seconds since the epoch."""

    reason: str
    message: str
    retry_at: float


@dataclass(frozen=True, slots=True)
class Health:
    """What probes found out about the latest run; None: no verdict yet. `unhealthy`: why a probe gave up on the run."""

    startup: bool | None = None
    readiness: bool | None = None
    unhealthy: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One container. `run` is the latest one (living or ended), `previous` the one before it.

    `launching`: a start is under way; `progress` says how far it (or an init container that runs) has come where that
    takes long. `hooked`: its postStart hook is at work. `terminated_at`: when the run was told to end (first by its
    preStop hook), `killed` whether SIGKILL was sent; 0.0 and False for a run that nobody stops.
    """

    run: Run | None = None
    previous: Run | None = None
    launching: bool = False
    progress: str = ""
    health: Health = Health()
    problem: Problem | None = None
    hooked: bool = False
    terminated_at: float = 0.0
    killed: bool = False

    @property
    def running(self) -> bool:
        return self.run is not None and self.run.exit is None

    @property
    def announces(self) -> bool:
        return self.run is not None and self.run.announces

    @property
    def succeeded(self) -> bool:
        return self.run is not None and self.run.exit is not None and self.run.exit.code == 0


Containers: TypeAlias = Mapping[str, Seen]

ABSENT = Seen()


def started(container: Container, seen: Seen) -> bool:
    """Kubernetes' `started`: the startup probe has succeeded, or there is none. An announcement stands for it."""
    if not seen.running or seen.run is None or seen.hooked:
        return False
    if seen.announces:
        return seen.run.ready_at > 0
    return container.startup_probe is None or seen.health.startup is True


def ready(container: Container, seen: Seen) -> bool:
    """Kubernetes' `ready`. A run that announced itself is ready until its readiness probe says otherwise."""
    if not started(container, seen) or seen.terminated_at:
        return False
    if container.readiness_probe is None:
        return True
    return seen.health.readiness is not False if seen.announces else seen.health.readiness is True
