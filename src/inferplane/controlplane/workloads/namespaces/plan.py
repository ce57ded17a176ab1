"""The conditions of a namespace that is ending, from what is left in it. Pure.

Types, reasons and messages are those of Kubernetes' namespace controller.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from inferplane.client.kubernetes.api import Resource
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import Namespace
from inferplane.resources.meta import ObjectMeta

FINALIZER = "kubernetes"


@dataclass(frozen=True, slots=True)
class Left:
    """An object that is still in the namespace after everything was told to go."""

    resource: Resource
    metadata: ObjectMeta


def conditions(namespace: Namespace, left: Iterable[Left], failures: Iterable[str], now: str) -> list[Json]:
    """`failures` are the texts of deletions that were refused; `now` is an API timestamp."""
    left, refused = list(left), sorted(set(failures))
    kinds = Counter(_plural(one.resource) for one in left)
    finalizers = Counter(name for one in left for name in one.metadata.finalizers)
    found = [
        ("NamespaceDeletionDiscoveryFailure", False, "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            ("NamespaceDeletionContentFailure", True, "ContentDeletionFailed", "; ".join(refused))
            if refused
            else (
                "NamespaceDeletionContentFailure",
                False,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            )
        ),
        _remaining(kinds),
        _held(finalizers),
    ]
    return [_condition(namespace, *one, now) for one in found]


def _remaining(kinds: Counter[str]) -> tuple[str, bool, str, str]:
    if not kinds:
        return ("NamespaceContentRemaining", False, "ContentRemoved", "All content successfully removed")
    text = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    return ("NamespaceContentRemaining", True, "SomeResourcesRemain", f"Some resources are remaining: {text}")


def _held(finalizers: Counter[str]) -> tuple[str, bool, str, str]:
    if not finalizers:
        return (
            "NamespaceFinalizersRemaining",
            False,
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        )
    text = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    message = f"Some content in the namespace has finalizers remaining: {text}"
    return ("NamespaceFinalizersRemaining", True, "SomeFinalizersRemain", message)


def _condition(namespace: Namespace, type: str, holds: bool, reason: str, message: str, now: str) -> JsonObject:
    status = "True" if holds else "False"
    before = next((one for one in namespace.status.conditions if one.type == type), None)
    same = before is not None and before.status == status
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": before.last_transition_time if same and before is not None else now,
    }


def _plural(resource: Resource) -> str:
    """`pods.`, `deployments.apps`: the group is there even when it is empty."""
    return f"{resource.plural}.{resource.group}"
