"""Which container, and which of its runs, a request to the node's socket names; refusals as a kubelet words them."""

from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.node import runs
from inferplane.controlplane.node.care import Care
from inferplane.controlplane.node.pods import House, Pods


class Refusal(Exception):
    """`status` and a text for the user, as a kubelet answers."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def house_of(pods: Pods, key: Key) -> House:
    """Raises Refusal."""
    house = pods.find(key)
    if house is None:
        raise Refusal(404, f'pod "{key}" is not on this node')
    return house


def care_of(pods: Pods, key: Key, container: str) -> Care:
    """`container` may be "" in a pod that has only one. Raises Refusal."""
    house = house_of(pods, key)
    if container:
        if container not in house.cares:
            raise Refusal(400, f"container {container} is not valid for pod {key.name}")
        return house.cares[container]
    return _only(house)


def _only(house: House) -> Care:
    names = [one.name for one in house.pod.spec.containers]
    if len(names) == 1:
        return house.cares[names[0]]
    listed = " ".join(names)
    raise Refusal(
        400, f"a container name must be specified for pod {house.pod.metadata.name}, choose one of: [{listed}]"
    )


def run_of(care: Care, *, previous: bool) -> runs.Run:
    """The run whose log is asked for. Raises Refusal."""
    seen, where = care.seen, f'container "{care.container.name}" in pod "{care.pod.metadata.name}"'
    if previous:
        # While the next run waits for its back-off, the ended one is the previous one.
        run = seen.run if seen.run is not None and seen.run.exit is not None else seen.previous
        if run is None:
            raise Refusal(400, f"previous terminated {where} not found")
        return run
    if seen.run is None:
        why = seen.problem.reason if seen.problem is not None else "ContainerCreating"
        raise Refusal(400, f"{where} is waiting to start: {why}")
    return seen.run


def living_run(care: Care) -> runs.Run:
    """The run that is a process now. Raises Refusal."""
    run = care.seen.run
    if run is None or run.exit is not None or run.process is None:
        raise Refusal(500, f'container not found ("{care.container.name}")')
    return run
