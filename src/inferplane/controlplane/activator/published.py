"""The activator as a Service: objects by which gateways find it. Pure.

The Service has no selector, so its EndpointSlice is ours to write. Both of its ports lead to the one listener.
"""

from collections.abc import Sequence

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import JsonObject
from inferplane.resources.activator import HTTP, HTTP2, NAME, NAMESPACE, SHARED_BACKEND
from inferplane.resources.discovery import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, EndpointSlice

MANAGER = "inferplane-activator"
SLICE = f"{NAME}-local"


def service() -> JsonObject:
    ports: list[JsonObject] = [
        {"name": "http", "port": HTTP, "protocol": "TCP", "targetPort": HTTP},
        {
            "name": "http2",
            "port": HTTP2,
            "protocol": "TCP",
            "targetPort": HTTP2,
            "appProtocol": "kubernetes.io/h2c",
        },
    ]
    return {
        "apiVersion": kinds.SERVICE.api_version,
        "kind": kinds.SERVICE.kind,
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {"app": "activator", SHARED_BACKEND: "true"}},
        "spec": {"ports": [*ports]},
    }


def endpoint_slice(host: str, port: int) -> JsonObject:
    labels: JsonObject = {SERVICE_NAME_LABEL: NAME, MANAGED_BY_LABEL: MANAGER}
    return {
        "apiVersion": kinds.ENDPOINT_SLICE.api_version,
        "kind": kinds.ENDPOINT_SLICE.kind,
        "metadata": {"name": SLICE, "namespace": NAMESPACE, "labels": labels},
        "addressType": "IPv6" if ":" in host else "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True, "serving": True, "terminating": False}}],
        "ports": [
            {"name": "http", "port": port, "protocol": "TCP"},
            {"name": "http2", "port": port, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
        ],
    }


def port_before(slices: Sequence[EndpointSlice], host: str) -> int:
    """Where it listened at this address the last time, 0 when it never did."""
    found = (
        port.port
        for one in slices
        if any(host in endpoint.addresses for endpoint in one.endpoints)
        for port in one.ports
        if port.port
    )
    return next(found, 0)
