"""Who of a service still calls a predictor of before: what the removal of one has to wait for. Pure.

Transformer and explainer are told where the predictor is by an argument. When `spec.predictor.name` changes, they are
told the new name once the new predictor is available (`plan`), and the old one stays until no pod is left that was told
the old name.
"""

from collections.abc import Collection, Sequence

from inferplane.controlplane.serving import names
from inferplane.resources.apps import Deployment

_CALLERS = (f"-{names.TRANSFORMER}", f"-{names.EXPLAINER}")


def still_called(deployments: Sequence[Deployment], leaving: Collection[str]) -> frozenset[str]:
    """Names of predictors. `leaving`: names of those of the service's Deployments that have pods which are ending."""
    predictors = [one for one in deployments if one.metadata.name.endswith(f"-{names.PREDICTOR}")]
    callers = [one for one in deployments if one.metadata.name.endswith(_CALLERS)]
    unsettled = any(one.metadata.name in leaving or not _is_settled(one) for one in callers)
    told = {word.rpartition("=")[2].partition(":")[0] for one in callers for word in _arguments(one)}
    return frozenset(
        one.metadata.name for one in predictors if unsettled or f"{one.metadata.name}.{one.metadata.namespace}" in told
    )


def _is_settled(one: Deployment) -> bool:
    """All of its pods are of its present template (`kubectl rollout status`)."""
    status, wanted = one.status, one.spec.replicas
    seen = status.observed_generation >= (one.metadata.generation or 0)
    return seen and status.updated_replicas == status.replicas == status.available_replicas == wanted


def _arguments(one: Deployment) -> list[str]:
    return [word for container in one.spec.template.spec.containers for word in (*container.command, *container.args)]
