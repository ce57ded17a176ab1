"""ServerlessService (`networking.internal.knative.dev/v1alpha1`): two Services for the pods of one revision.

The private one selects the pods. The public one leads to the same pods (mode Serve) or to the activator (mode Proxy).
"""

# msgspec copies a mutable default for each instance.

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from inferplane.resources.autoscaling_knative.podautoscaler import ObjectReference, ProtocolType
from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Count32, Int64

GROUP = "networking.internal.knative.dev"

READY = "Ready"
ENDPOINTS_POPULATED = "EndpointsPopulated"
ACTIVATOR_ENDPOINTS_POPULATED = "ActivatorEndpointsPopulated"


class Mode(StrEnum):
    SERVE = "Serve"
    PROXY = "Proxy"


class ServerlessServiceSpec(View, frozen=True, kw_only=True):
    """Which pods, and whether requests go to them or to the activator."""

    object_ref: Annotated[ObjectReference, Meta(description="What has the pods.")]
    protocol_type: Annotated[ProtocolType, Meta(description="What the pods speak.")]
    mode: Annotated[Mode, Meta(description="Serve: requests go to the pods; Proxy: to the activator.")] = Mode.SERVE
    num_activators: Annotated[Count32, Meta(description="Activators to spread over; 0: all.")] = 0


class ServerlessServiceStatus(View, frozen=True, kw_only=True):
    """Names of the two Services, and whether there is something behind them."""

    observed_generation: Annotated[Int64, Meta(description="Generation of the spec that this is about.")] = 0
    conditions: Annotated[list[Condition], Meta(description="Ready, and who is behind the public Service.")] = []
    annotations: Annotated[dict[str, str], Meta(description="Further words of controllers.")] = {}
    service_name: Annotated[str, Meta(description="The public Service.")] = ""
    private_service_name: Annotated[str, Meta(description="The Service that leads to the pods alone.")] = ""


class ServerlessService(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ServerlessServiceSpec
    status: ServerlessServiceStatus = ServerlessServiceStatus()
