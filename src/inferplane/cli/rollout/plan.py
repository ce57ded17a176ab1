"""What is asked for → the change of `canaryTrafficPercent` that brings it, and the shares that say it is there. Pure.

The rules are KServe's. Without the field the newest revision has all requests; with it that many percent, and the rest
go to the revision that was rolled out last (the `stable` one). 0 therefore rolls back, also where the newest revision
has been rolled out already: then KServe takes the one before it for the stable one. Removing the field promotes.
"""

from dataclasses import dataclass

from inferplane.cli.rollout.facts import Component, Rollout
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

KNATIVE = "Knative"
_ALL = 100


@dataclass(frozen=True, slots=True)
class Change:
    """`percent` None removes the field. `shares` is what the status says once it is done: revision → percent."""

    component: str
    percent: int | None
    shares: dict[str, int]

    @property
    def patch(self) -> JsonObject:
        """A merge patch of the InferenceService."""
        return {"spec": {self.component: {"canaryTrafficPercent": self.percent}}}


def component_of(rollout: Rollout, name: str) -> Component:
    """Raises InferplaneError for a service that knows no shares of revisions, and for a component that it lacks."""
    service = f"inferenceservice/{rollout.name}"
    if not rollout.mode:
        raise InferplaneError(f"{service} has no revision yet", fix=f"see why: inferplane why {rollout.name}")
    if rollout.mode != KNATIVE:
        raise InferplaneError(
            f"{service} is in {rollout.mode} mode, which has no revisions: its canaries are in spec.canary",
            fix="change  spec.canary[].trafficPercent  in its file, then  inferplane apply -f FILE",
        )
    found = rollout.components.get(name)
    if found is None or not found.newest:
        there = ", ".join(one for one, component in rollout.components.items() if component.newest)
        words = f"the {name} of {service} has no revision yet" if found else f"{service} has no {name}"
        raise InferplaneError(f"{words}{f' (there is: {there})' if there else ''}")
    return found


def share(component: Component, percent: int) -> Change:
    """Gives the newest revision so many percent. Raises InferplaneError where there is nobody to share with."""
    if percent:
        _usable(component)
    if not component.stable:
        raise InferplaneError(
            f"there is no canary: {component.newest} is the only revision and takes all requests",
            fix="change the model in its file, with  canaryTrafficPercent: "
            f"{percent}  beside it, then  inferplane apply -f FILE",
        )
    return _change(component, percent)


def rollback(component: Component) -> Change:
    """Gives all requests to the stable revision. Raises InferplaneError where there is none."""
    if not component.stable:
        raise InferplaneError(f"there is nothing to go back to: {component.newest} is the only revision so far")
    return _change(component, 0)


def promote(component: Component) -> Change:
    """Gives all requests to the newest revision. Raises InferplaneError where it has them already."""
    _usable(component)
    if component.percent is None:
        when = "already" if component.shares() == {component.newest: _ALL} else "as soon as it is ready"
        raise InferplaneError(f"there is nothing to promote: {component.newest} takes all requests {when}")
    return Change(component.name, None, {component.newest: _ALL})


def _usable(component: Component) -> None:
    if reason := component.failure():
        raise InferplaneError(
            f"{component.newest} cannot take requests ({reason})", fix="--rollback leaves it without any"
        )


def _change(component: Component, percent: int) -> Change:
    stable = component.stable
    if percent < _ALL and component.revision(stable) is None:
        raise InferplaneError(
            f"{stable} is no longer there (old revisions are deleted in time, see config-gc)",
            fix="apply the file of that version again",
        )
    shares = {component.newest: percent, stable: _ALL - percent}
    return Change(component.name, percent, {name: each for name, each in shares.items() if each})
