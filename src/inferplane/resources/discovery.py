"""Views of `discovery.k8s.io/v1`: EndpointSlice, the addresses behind a Service."""

from inferplane.resources.core import ObjectReference
from inferplane.resources.meta import ObjectMeta, View

# The labels that tie a slice to its Service and to the controller that writes it.
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"


class EndpointConditions(View, frozen=True, kw_only=True, omit_defaults=False):
    """`ready` is what a gateway routes to; an ending pod may be `serving` and is never `ready`."""

    ready: bool = True
    serving: bool = True
    terminating: bool = False


class Endpoint(View, frozen=True, kw_only=True):
    addresses: list[str] = []
    conditions: EndpointConditions = EndpointConditions()
    node_name: str | None = None
    hostname: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(View, frozen=True, kw_only=True):
    """One port of the service, with the number on the pods. `name` is "" for a Service's only, unnamed port."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSlice(View, frozen=True, kw_only=True):
    address_type: str = "IPv4"
    metadata: ObjectMeta = ObjectMeta()
    endpoints: list[Endpoint] = []
    ports: list[EndpointPort] = []

    @property
    def service(self) -> str:
        """Name of the Service in the same namespace, "" when the slice belongs to none."""
        return self.metadata.labels.get(SERVICE_NAME_LABEL, "")
