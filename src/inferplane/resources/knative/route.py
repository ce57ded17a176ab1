"""Route: hosts, and which revision behind them gets which share of the requests."""

# msgspec copies a mutable default for each instance.

from inferplane.resources.knative.traffic import Address, TrafficTarget
from inferplane.resources.meta import Condition, ObjectMeta, View

ALL_TRAFFIC_ASSIGNED = "AllTrafficAssigned"
INGRESS_READY = "IngressReady"
CERTIFICATE_PROVISIONED = "CertificateProvisioned"
READY = "Ready"
DEPENDENTS = (ALL_TRAFFIC_ASSIGNED, INGRESS_READY, CERTIFICATE_PROVISIONED)


class RouteSpec(View, frozen=True, kw_only=True):
    traffic: list[TrafficTarget] = []


class RouteStatus(View, frozen=True, kw_only=True):
    """Where requests go now."""

    observed_generation: int = 0
    conditions: list[Condition] = []
    url: str = ""
    address: Address | None = None
    traffic: list[TrafficTarget] = []


class Route(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: RouteSpec = RouteSpec()
    status: RouteStatus = RouteStatus()
