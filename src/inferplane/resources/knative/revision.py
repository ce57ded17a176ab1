"""Revision: a template as it once was, with the pods that run it. Its spec never changes."""

# msgspec copies a mutable default for each instance.

from typing import Annotated

from msgspec import Meta

from inferplane.resources.knative import words
from inferplane.resources.meta import Condition, ObjectMeta, View
from inferplane.resources.serving.fields import Int32, JsonObject

RESOURCES_AVAILABLE = "ResourcesAvailable"
CONTAINER_HEALTHY = "ContainerHealthy"
ACTIVE = "Active"
READY = "Ready"
DEPENDENTS = (RESOURCES_AVAILABLE, CONTAINER_HEALTHY)


class ContainerImage(View, frozen=True, kw_only=True):
    name: str = ""
    image_digest: str = ""


class RevisionStatus(View, frozen=True, kw_only=True):
    """Whether its pods run, and how many there are."""

    observed_generation: int = 0
    conditions: list[Condition] = []
    container_statuses: list[ContainerImage] = []
    init_container_statuses: list[ContainerImage] = []
    log_url: str = ""
    actual_replicas: Annotated[Int32 | None, Meta(description="Pods that are ready.")] = None
    desired_replicas: Annotated[Int32 | None, Meta(description="Pods wanted.")] = None


class Revision(View, frozen=True, kw_only=True):
    """`spec` is a pod's with the fields of `RevisionLimits`, as it was written."""

    metadata: ObjectMeta = ObjectMeta()
    spec: JsonObject = {}
    status: RevisionStatus = RevisionStatus()

    @property
    def configuration(self) -> str:
        return self.metadata.labels.get(words.CONFIGURATION, "")

    @property
    def number(self) -> int:
        """Generation of the Configuration that it was made of; 0 when that isn't known."""
        text = self.metadata.labels.get(words.CONFIGURATION_GENERATION, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def routing_state(self) -> str:
        return self.metadata.labels.get(words.ROUTING_STATE, "")
