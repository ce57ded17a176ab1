"""How many replicas each revision of a Deployment gets next. Pure.

The rules are Kubernetes' (`pkg/controller/deployment`): never more than `replicas + maxSurge` pods wanted, never fewer
than `replicas - maxUnavailable` available; a scaled Deployment in the middle of a rollout keeps its proportions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inferplane.controlplane.workloads.deployments.revisions import DESIRED, MAXIMUM, Revision
from inferplane.resources.apps import Deployment, IntOrPercent, ReplicaSet


@dataclass(frozen=True, slots=True)
class Bounds:
    """`surge` pods above and `unavailable` pods below the wanted number are allowed during a rollout."""

    surge: int
    unavailable: int


Scales = dict[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: resize these revisions (by name), or make one for the present template with `create` replicas."""

    scales: Scales
    create: int | None = None


def bounds(deployment: Deployment) -> Bounds:
    spec = deployment.spec
    if spec.strategy.type == "Recreate":
        return Bounds(0, 0)
    update = spec.strategy.rolling_update
    surge = _share(update.max_surge, spec.replicas, math.ceil)
    unavailable = _share(update.max_unavailable, spec.replicas, math.floor)
    if surge == 0 and unavailable == 0:
        # Both rounding to zero would stop every rollout.
        unavailable = 1
    return Bounds(surge, min(unavailable, spec.replicas))


def most_replicas(deployment: Deployment) -> int:
    return deployment.spec.replicas + bounds(deployment).surge if deployment.spec.replicas else 0


def next_step(deployment: Deployment, new: Revision | None, old: Sequence[Revision]) -> Step:
    """`new` is the revision of the present template, if it exists yet; `old` are all others."""
    everyone = [*([new] if new else []), *old]
    if deployment.spec.paused or any(_is_outdated(deployment, one) for one in everyone if one.replicas):
        return Step(_changed(deployment, _rescaled(deployment, new, old), everyone))
    if deployment.spec.strategy.type == "Recreate":
        return _recreate(deployment, new, old)
    if new is None:
        room = deployment.spec.replicas + bounds(deployment).surge - sum(one.replicas for one in old)
        return Step({}, create=max(0, min(room, deployment.spec.replicas)))
    up = _resized({new.name: _next_new(deployment, new, old)}, everyone)
    return Step(up or _resized(_next_old(deployment, new, old), everyone))


def _recreate(deployment: Deployment, new: Revision | None, old: Sequence[Revision]) -> Step:
    """The old pods are gone, to the last one, before the first new one is made."""
    if any(one.replicas for one in old):
        return Step({one.name: 0 for one in old if one.replicas})
    if any(_has_pods(one.replica_set) for one in old):
        return Step({})
    if new is None:
        return Step({}, create=deployment.spec.replicas)
    return Step(_resized({new.name: deployment.spec.replicas}, [new]))


def _has_pods(replica_set: ReplicaSet) -> bool:
    status = replica_set.status
    stale = status.observed_generation < replica_set.metadata.generation
    return stale or status.replicas > 0 or (status.terminating_replicas or 0) > 0


def _is_outdated(deployment: Deployment, one: Revision) -> bool:
    """Somebody changed the Deployment's `replicas` since this revision was last sized."""
    return one.replica_set.metadata.annotations.get(DESIRED, "") not in ("", str(deployment.spec.replicas))


def _rescaled(deployment: Deployment, new: Revision | None, old: Sequence[Revision]) -> Scales:
    wanted = deployment.spec.replicas
    everyone = [*([new] if new else []), *old]
    active = [one for one in everyone if one.replicas > 0]
    if len(active) <= 1:
        latest = active[0] if active else max(everyone, key=lambda one: one.number, default=None)
        return {latest.name: wanted} if latest is not None else {}
    if new is not None and new.replicas == wanted and new.available == wanted:
        return {one.name: 0 for one in old}
    return _in_proportion(deployment, active)


def _in_proportion(deployment: Deployment, active: Sequence[Revision]) -> Scales:
    """Spreads the difference over the revisions by their share; the remainder goes to the largest."""
    total = sum(one.replicas for one in active)
    to_add = most_replicas(deployment) - total
    # Growing favours the newest of equals, shrinking takes from the oldest.
    order = sorted(active, key=lambda one: one.age, reverse=to_add > 0)
    order.sort(key=lambda one: one.replicas, reverse=True)
    result: Scales = {}
    left = to_add
    for one in order:
        share = _proportion(deployment, one, to_add, left) if to_add else 0
        result[one.name] = one.replicas + share
        left -= share
    result[order[0].name] = max(0, result[order[0].name] + left)
    return result


def _proportion(deployment: Deployment, one: Revision, to_add: int, left: int) -> int:
    # What the Deployment was at most when this revision was last sized.
    text = one.replica_set.metadata.annotations.get(MAXIMUM, "")
    most = int(text) if text.isdigit() and int(text) else deployment.status.replicas or one.replicas
    share = math.floor(one.replicas * most_replicas(deployment) / most + 0.5) - one.replicas
    return min(share, left) if to_add > 0 else max(share, left)


def _next_new(deployment: Deployment, new: Revision, old: Sequence[Revision]) -> int:
    wanted = deployment.spec.replicas
    if new.replicas >= wanted:
        return wanted
    room = wanted + bounds(deployment).surge - new.replicas - sum(one.replicas for one in old)
    return new.replicas + max(0, min(room, wanted - new.replicas))


def _next_old(deployment: Deployment, new: Revision, old: Sequence[Revision]) -> Scales:
    least = deployment.spec.replicas - bounds(deployment).unavailable
    total = new.replicas + sum(one.replicas for one in old)
    spare = total - least - (new.replicas - new.available)
    if spare <= 0:
        return {}
    result = {one.name: one.replicas for one in old}
    by_age = sorted(old, key=lambda one: one.age)
    for one in by_age:
        # Pods that don't work cost nothing to remove, and may be what blocks the rollout.
        sick = min(spare, one.replicas - min(one.replicas, one.available))
        result[one.name] -= sick
        spare -= sick
    removable = new.available + sum(one.available for one in old) - least
    for one in by_age:
        gone = max(0, min(removable, result[one.name]))
        result[one.name] -= gone
        removable -= gone
    return result


def _resized(wanted: Scales, revisions: Sequence[Revision]) -> Scales:
    present = {one.name: one.replicas for one in revisions}
    return {name: count for name, count in wanted.items() if present.get(name) != count}


def _changed(deployment: Deployment, wanted: Scales, revisions: Sequence[Revision]) -> Scales:
    """Those of another size, and those whose size is right but which still say what was wanted before."""
    outdated = {one.name for one in revisions if one.replicas and _is_outdated(deployment, one)}
    return _resized(wanted, revisions) | {name: count for name, count in wanted.items() if name in outdated}


def _share(value: IntOrPercent, of: int, rounding: Callable[[float], int]) -> int:
    """`value` is a number or a percentage of `of`."""
    if isinstance(value, int):
        return value
    return rounding(of * int(value.removesuffix("%")) / 100)
