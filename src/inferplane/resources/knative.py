"""Knative Serving's Service (`serving.knative.dev/v1`), as a client of it reads it.

What the InferenceService controller writes of it is in `controlplane.serving.knative.render`.
"""

# msgspec copies a mutable default for each instance.

from typing import Annotated

from msgspec import Meta

from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Int64

CONFIGURATIONS_READY = "ConfigurationsReady"
ROUTES_READY = "RoutesReady"
READY = "Ready"


class Address(View, frozen=True, kw_only=True):
    url: Annotated[str, Meta(description="The URL.")] = ""


class TrafficTarget(View, frozen=True, kw_only=True):
    """A share of the traffic. `latest_revision`: it goes to whichever revision was ready last."""

    tag: str = ""
    revision_name: str = ""
    latest_revision: bool | None = None
    percent: Int64 | None = None
    url: str = ""


class KnativeServiceStatus(View, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: list[Condition] = []
    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""
    url: str = ""
    address: Address | None = None
    traffic: list[TrafficTarget] = []


class KnativeService(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    status: KnativeServiceStatus = KnativeServiceStatus()

    @property
    def is_current(self) -> bool:
        """The status is about the spec as it is now. One that says no generation is taken at its word."""
        return self.status.observed_generation in (0, self.metadata.generation)
