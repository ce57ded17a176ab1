"""PodAutoscaler (`autoscaling.internal.knative.dev/v1alpha1`): who scales the pods of one revision, and how far it is.

The revision's controller writes the spec (annotations of the template come along as they are), the autoscaler's the
status. Conditions: `Ready` is made of the three others.
"""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Count64, Int32, Int64

GROUP = "autoscaling.internal.knative.dev"

READY = "Ready"
ACTIVE = "Active"
SCALE_TARGET_INITIALIZED = "ScaleTargetInitialized"
SKS_READY = "SKSReady"
DEPENDENTS = (ACTIVE, SCALE_TARGET_INITIALIZED, SKS_READY)


class Reachability(StrEnum):
    """Whether a Route leads to the revision. Unknown counts as reachable; an unreachable one may go at once."""

    UNKNOWN = ""
    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"


class ProtocolType(StrEnum):
    HTTP1 = "http1"
    H2C = "h2c"


class ObjectReference(View, frozen=True, kw_only=True):
    """An object of the same namespace."""

    api_version: Annotated[str, Meta(description="Group and version of the object.")] = ""
    kind: Annotated[str, Meta(description="Kind of the object.")] = ""
    name: Annotated[str, Meta(description="Name of the object.")] = ""


class PodAutoscalerSpec(View, frozen=True, kw_only=True):
    """What is scaled, and what its pods can take."""

    scale_target_ref: Annotated[ObjectReference, Meta(description="What is scaled: it has the subresource scale.")]
    protocol_type: Annotated[ProtocolType, Meta(description="What the pods speak.")]
    container_concurrency: Annotated[
        Count64, Meta(description="Requests that a pod takes at the same time; 0: any number.")
    ] = 0
    reachability: Annotated[Reachability, Meta(description="Whether a route leads to the pods; empty: unknown.")] = (
        Reachability.UNKNOWN
    )


class PodAutoscalerStatus(View, frozen=True, kw_only=True):
    """What the autoscaler wants and what is there."""

    observed_generation: Annotated[Int64, Meta(description="Generation of the spec that this is about.")] = 0
    conditions: Annotated[list[Condition], Meta(description="Ready and what it is made of.")] = []
    annotations: Annotated[dict[str, str], Meta(description="Further words of controllers.")] = {}
    service_name: Annotated[str, Meta(description="The Service that leads to the pods, or to the activator.")] = ""
    metrics_service_name: Annotated[str, Meta(description="The Service that leads to the pods alone.")] = ""
    desired_scale: Annotated[Int32 | None, Meta(description="Pods wanted; absent before the first decision.")] = None
    actual_scale: Annotated[Int32 | None, Meta(description="Pods that are ready.")] = None


class PodAutoscaler(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodAutoscalerSpec
    status: PodAutoscalerStatus = PodAutoscalerStatus()

    @property
    def is_reachable(self) -> bool:
        return self.spec.reachability != Reachability.UNREACHABLE
