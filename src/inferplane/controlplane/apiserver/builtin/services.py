"""Services and EndpointSlices: ports, addresses, and what stays as it was made."""

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.controlplane.apiserver.builtin.metadata import label_errors
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import duplicate, invalid, not_supported, required, too_many

PROTOCOLS: list[Json] = ["SCTP", "TCP", "UDP"]
_TYPES: list[Json] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
_AFFINITIES: list[Json] = ["ClientIP", "None"]
_ADDRESS_TYPES: list[Json] = ["FQDN", "IPv4", "IPv6"]
_MOST = 100


def service_errors(obj: JsonObject) -> list[FieldError]:
    spec = object_at(obj, "spec")
    kind = text_at(spec, "type")
    found = []
    if not list_at(spec, "ports") and kind != "ExternalName" and spec.get("clusterIP") != "None":
        found.append(required("spec.ports"))
    found += _port_errors(spec)
    found += label_errors(spec.get("selector"), "spec.selector")
    if kind not in _TYPES:
        found.append(not_supported("spec.type", kind, _TYPES))
    if spec.get("sessionAffinity") not in _AFFINITIES:
        found.append(not_supported("spec.sessionAffinity", spec.get("sessionAffinity"), _AFFINITIES))
    if kind == "ExternalName":
        name = text_at(spec, "externalName").rstrip(".")
        found += [invalid("spec.externalName", name, one) for one in names.subdomain_name(name)] if name else []
        found += [] if name else [required("spec.externalName")]
    return found + _address_errors(spec)


def _address_errors(spec: JsonObject) -> list[FieldError]:
    found = []
    for i, address in enumerate(list_at(spec, "clusterIPs")):
        if address not in ("", "None"):
            found += [invalid(f"spec.clusterIPs[{i}]", address, one) for one in names.ip_address(str(address))]
    return found


def _port_errors(spec: JsonObject) -> list[FieldError]:
    found = []
    ports = list(parts(spec, "ports"))
    seen_names: set[Json] = set()
    seen: set[tuple[Json, Json]] = set()
    for i, port in enumerate(ports):
        path = f"spec.ports[{i}]"
        found += _port_name_errors(port, path, needed=len(ports) > 1, seen=seen_names)
        found += number_errors(port.get("port", 0), f"{path}.port")
        found += target_errors(port.get("targetPort"), f"{path}.targetPort")
        protocol = port.get("protocol")
        if protocol not in PROTOCOLS:
            found.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))
        key = (protocol, port.get("port"))
        if key in seen:
            found.append(duplicate(path, {"port": port.get("port"), "protocol": protocol}))
        seen.add(key)
    return found


def _port_name_errors(port: JsonObject, path: str, *, needed: bool, seen: set[Json]) -> list[FieldError]:
    name = text_at(port, "name")
    if not name:
        return [required(f"{path}.name")] if needed else []
    found = [invalid(f"{path}.name", name, one) for one in names.label_name(name)]
    if name in seen:
        found.append(duplicate(f"{path}.name", name))
    seen.add(name)
    return found


def number_errors(port: Json, path: str) -> list[FieldError]:
    number = port if isinstance(port, int) else 0
    return [invalid(path, number, one) for one in names.port_number(number)]


def target_errors(port: Json, path: str) -> list[FieldError]:
    """Of a port given by number or by name."""
    if isinstance(port, str):
        return [invalid(path, port, one) for one in names.port_name(port)]
    return number_errors(port, path)


def service_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    before, after = object_at(old, "spec"), object_at(new, "spec")
    address = before.get("clusterIP")
    # Only a service that becomes, or stops being, an alias may lose its address.
    if not address or "ExternalName" in (before.get("type"), after.get("type")) or after.get("clusterIP") == address:
        return []
    return [invalid("spec.clusterIPs[0]", after.get("clusterIPs", []), "may not change once set")]


def slice_errors(obj: JsonObject) -> list[FieldError]:
    kind = text_at(obj, "addressType")
    found = []
    if not kind:
        found.append(required("addressType"))
    elif kind not in _ADDRESS_TYPES:
        return [not_supported("addressType", kind, _ADDRESS_TYPES)]
    for i, endpoint in enumerate(parts(obj, "endpoints")):
        found += _endpoint_errors(endpoint, f"endpoints[{i}]", kind)
    for i, port in enumerate(parts(obj, "ports")):
        if port.get("protocol") not in PROTOCOLS:
            found.append(not_supported(f"ports[{i}].protocol", port.get("protocol"), PROTOCOLS))
        if "port" in port:
            found += number_errors(port["port"], f"ports[{i}].port")
    return found


def _endpoint_errors(endpoint: JsonObject, path: str, kind: str) -> list[FieldError]:
    addresses = list_at(endpoint, "addresses")
    if not addresses:
        return [required(f"{path}.addresses", "must contain at least 1 address")]
    if len(addresses) > _MOST:
        return [too_many(f"{path}.addresses", len(addresses), _MOST)]
    rule = names.subdomain_name if kind == "FQDN" else names.ip_address
    return [
        invalid(f"{path}.addresses[{i}]", address, one)
        for i, address in enumerate(addresses)
        for one in rule(str(address))
    ]


def slice_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    if old.get("addressType") == new.get("addressType"):
        return []
    return [invalid("addressType", new.get("addressType"), "field is immutable")]
