"""What every Kubernetes object has: metadata, owners, conditions, label selectors (apimachinery `meta/v1`).

Views are partial on purpose: decoding ignores fields that we don't read, and writers send only fields they own
(server-side apply), so nothing is lost by leaving a field out of a view.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Literal

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Base of all views: camelCase on the wire, immutable, absent fields take their defaults."""


class OwnerReference(View, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(View, frozen=True, kw_only=True):
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []
    finalizers: list[str] = []

    @property
    def deleting(self) -> bool:
        return self.deletion_timestamp is not None

    def controller_of(self) -> OwnerReference | None:
        """The one owner that manages this object, if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(View, frozen=True, kw_only=True):
    """`metav1.Condition` and its Knative cousin (which adds `severity` and has no `observedGeneration`)."""

    type: str
    status: ConditionStatus
    reason: str = ""
    message: str = ""
    severity: str = ""
    observed_generation: int | None = None
    last_transition_time: str | None = None


def condition(conditions: Iterable[Condition], type: str) -> Condition | None:
    return next((one for one in conditions if one.type == type), None)


class LabelSelectorRequirement(View, frozen=True, kw_only=True):
    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: list[str] = []


class LabelSelector(View, frozen=True, kw_only=True):
    match_labels: dict[str, str] = {}
    match_expressions: list[LabelSelectorRequirement] = []

    def matches(self, labels: Mapping[str, str]) -> bool:
        """An empty selector matches everything, as in apimachinery `LabelSelectorAsSelector`."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            _meets(one, labels) for one in self.match_expressions
        )


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            # An absent key satisfies NotIn (apimachinery labels.Requirement.Matches).
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
