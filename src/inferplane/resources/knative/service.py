"""Service: one workload with all of its versions, and the way to them."""

# msgspec copies a mutable default for each instance.

from inferplane.resources.knative.template import RevisionTemplate
from inferplane.resources.knative.traffic import Address, TrafficTarget
from inferplane.resources.meta import Condition, ObjectMeta, View

CONFIGURATIONS_READY = "ConfigurationsReady"
ROUTES_READY = "RoutesReady"
READY = "Ready"
DEPENDENTS = (CONFIGURATIONS_READY, ROUTES_READY)


class KnativeServiceSpec(View, frozen=True, kw_only=True):
    template: RevisionTemplate = RevisionTemplate()
    traffic: list[TrafficTarget] = []


class KnativeServiceStatus(View, frozen=True, kw_only=True):
    """Where the service stands; written by the controller."""

    observed_generation: int = 0
    conditions: list[Condition] = []
    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""
    url: str = ""
    address: Address | None = None
    traffic: list[TrafficTarget] = []


class KnativeService(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: KnativeServiceSpec = KnativeServiceSpec()
    status: KnativeServiceStatus = KnativeServiceStatus()

    @property
    def is_current(self) -> bool:
        """The status is about the spec as it is now. One that says no generation is taken at its word."""
        return self.status.observed_generation in (0, self.metadata.generation)
