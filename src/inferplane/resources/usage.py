"""What a node says about the use of resources, to the API server that makes `metrics.k8s.io` of it."""

from inferplane.resources.meta import View


class Use(View, frozen=True, kw_only=True):
    """Of a container or a node. `cpu`: cores, averaged over the `window` seconds before `at`; `memory`: bytes."""

    name: str = ""
    cpu: float = 0.0
    memory: int = 0
    at: str = ""
    window: float = 0.0


class PodUse(View, frozen=True, kw_only=True):
    """Of a pod each of whose containers has a figure."""

    namespace: str
    name: str
    labels: dict[str, str] = {}
    containers: list[Use] = []


class Report(View, frozen=True, kw_only=True):
    """`node` is None until two samples have been taken."""

    node: Use | None = None
    pods: list[PodUse] = []
