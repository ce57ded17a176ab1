"""Defaults of services and of what lists their endpoints."""

from inferplane.controlplane.apiserver.builtin.filling import fill, part, parts
from inferplane.kernel.json import JsonObject

_AFFINITY_SECONDS = 10_800
_EXTERNAL = ("NodePort", "LoadBalancer")


def default_service(obj: JsonObject) -> None:
    spec = part(obj, "spec")
    fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    for port in parts(spec, "ports"):
        port.setdefault("protocol", "TCP")
        if "port" in port:
            port.setdefault("targetPort", port["port"])
    if spec["sessionAffinity"] == "ClientIP":
        client = part(part(spec, "sessionAffinityConfig"), "clientIP")
        client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    if spec["type"] in _EXTERNAL:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec["type"] != "ExternalName":
        fill(spec, {"internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
        if address := spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [address])
    part(part(obj, "status"), "loadBalancer")


def default_slice(obj: JsonObject) -> None:
    for port in parts(obj, "ports"):
        fill(port, {"name": "", "protocol": "TCP"})
    obj.setdefault("endpoints", None)
    obj.setdefault("ports", None)


def default_endpoints(obj: JsonObject) -> None:
    for subset in parts(obj, "subsets"):
        for port in parts(subset, "ports"):
            port.setdefault("protocol", "TCP")
