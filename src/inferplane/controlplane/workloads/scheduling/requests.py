"""What a pod's requests reserve of a node. Pure.

Containers, sidecars and init containers add up as kube-scheduler adds them. One thing is different: requests that
KServe puts on every container of a service (1 CPU and 2Gi; 100m and 100Mi on what is injected) reserve nothing. Nobody
chose them, our pods are processes that take 10 MB while idle, and a laptop with four cores would serve four models.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from inferplane.resources.core import Container, Pod, Quantities
from inferplane.resources.schemas.quantities import amount

Amounts = Mapping[str, Fraction]

_BY_DEFAULT = tuple({"cpu": amount(cpu), "memory": amount(memory)} for cpu, memory in (("1", "2Gi"), ("100m", "100Mi")))


def reserved(pod: Pod) -> dict[str, Fraction]:
    """By resource. At the pod's most: all containers, or an init container beside the sidecars started before it."""
    sidecars: dict[str, Fraction] = {}
    most: dict[str, Fraction] = {}
    for init in pod.spec.init_containers:
        needed = _sum(sidecars, _requests(init))
        most = _larger(most, needed)
        if init.restart_policy == "Always":
            sidecars = needed
    everything = sidecars
    for container in pod.spec.containers:
        everything = _sum(everything, _requests(container))
    return {name: value for name, value in _larger(most, everything).items() if value}


def total(pods: Iterable[Pod]) -> dict[str, Fraction]:
    """What they reserve together."""
    found: dict[str, Fraction] = {}
    for pod in pods:
        found = _sum(found, reserved(pod))
    return found


def amounts(quantities: Quantities) -> dict[str, Fraction]:
    """Those that are quantities; the API server admits no others."""
    return {name: amount(str(value)) for name, value in quantities.items()}


def _requests(container: Container) -> dict[str, Fraction]:
    # A limit without a request is one; the API server writes it so, a hand-written pod may not have it.
    found = {**amounts(container.resources.limits), **amounts(container.resources.requests)}
    return {} if found in _BY_DEFAULT else found


def _sum(one: Amounts, other: Amounts) -> dict[str, Fraction]:
    return {name: one.get(name, Fraction()) + other.get(name, Fraction()) for name in {**one, **other}}


def _larger(one: Amounts, other: Amounts) -> dict[str, Fraction]:
    return {name: max(one.get(name, Fraction()), other.get(name, Fraction())) for name in {**one, **other}}
