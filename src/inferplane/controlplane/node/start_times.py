"""The times of a pod's start, for its annotation (`resources.start_times`). Pure."""

from inferplane.controlplane.node.observed import ABSENT, Containers, ready
from inferplane.resources.core import Pod
from inferplane.resources.start_times import StartTimes, read_start_times, write_start_times


def start_times(pod: Pod, containers: Containers, *, since: float, now: float, before: str) -> str:
    """The annotation's text; `before`, which may be "", until all containers of the pod are ready.

    Of several containers the last one counts. A pod whose containers were started again has the times of that start,
    but was scheduled only once. `since` (when the node took it up) and `now` are seconds since the epoch.
    """
    seen = [(one, containers.get(one.name, ABSENT)) for one in pod.spec.containers]
    runs = [one.run for _, one in seen if one.run is not None]
    if not runs or not all(ready(container, one) for container, one in seen):
        return before
    forked = _milliseconds(max(one.started_at for one in runs))
    if read_start_times(before).forked == forked:
        return before
    announced = max(one.ready_at for one in runs)
    loaded = _milliseconds(announced or now)
    return write_start_times(
        StartTimes(scheduled=_milliseconds(since), forked=forked, loaded=loaded, ready=_milliseconds(now))
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
