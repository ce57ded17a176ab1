"""What a pod must be (also inside a workload's template): containers, ports, environment, mounts, policies."""

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.filling import parts
from inferplane.controlplane.apiserver.builtin.metadata import label_errors
from inferplane.controlplane.apiserver.builtin.probes import probe_errors
from inferplane.controlplane.apiserver.builtin.resources import resource_errors
from inferplane.controlplane.apiserver.builtin.services import PROTOCOLS, number_errors
from inferplane.controlplane.apiserver.builtin.volumes import volume_errors
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import duplicate, invalid, not_supported, required

_PULL_POLICIES: list[Json] = ["Always", "IfNotPresent", "Never"]
_RESTART_POLICIES: list[Json] = ["Always", "OnFailure", "Never"]
_DNS_POLICIES: list[Json] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
_MESSAGE_POLICIES: list[Json] = ["FallbackToLogsOnError", "File"]
_LONGEST_DEADLINE = 2**31 - 1
# Fields of the pod itself that an environment variable may show.
_POD_FIELDS = frozenset(
    {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    }
)  # fmt: skip
_SUBSCRIPTED = ("metadata.labels['", "metadata.annotations['")


def pod_errors(obj: JsonObject) -> list[FieldError]:
    return pod_spec_errors(object_at(obj, "spec"), "spec")


def template_errors(template: JsonObject, path: str) -> list[FieldError]:
    found = label_errors(object_at(template, "metadata").get("labels"), f"{path}.labels")
    return found + pod_spec_errors(object_at(template, "spec"), f"{path}.spec")


def pod_spec_errors(spec: JsonObject, path: str) -> list[FieldError]:
    found = volume_errors(spec, path)
    mountable = {text_at(one, "name") for one in parts(spec, "volumes")}
    if not spec.get("containers"):
        found.append(required(f"{path}.containers"))
    taken: set[str] = set()
    for field in ("containers", "initContainers"):
        for i, container in enumerate(parts(spec, field)):
            found += _container_errors(container, f"{path}.{field}[{i}]", taken, mountable)
    found += label_errors(spec.get("nodeSelector"), f"{path}.nodeSelector")
    if spec.get("restartPolicy") not in _RESTART_POLICIES:
        found.append(not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES))
    return found + _dns_errors(spec, path) + _deadline_errors(spec, path)


def _dns_errors(spec: JsonObject, path: str) -> list[FieldError]:
    policy = spec.get("dnsPolicy")
    if policy not in _DNS_POLICIES:
        return [not_supported(f"{path}.dnsPolicy", policy, _DNS_POLICIES)]
    if policy == "None" and not object_at(spec, "dnsConfig"):
        return [required(f"{path}.dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None")]
    return []


def _deadline_errors(spec: JsonObject, path: str) -> list[FieldError]:
    deadline = spec.get("activeDeadlineSeconds")
    if not isinstance(deadline, int) or 1 <= deadline <= _LONGEST_DEADLINE:
        return []
    message = f"must be between 1 and {_LONGEST_DEADLINE}, inclusive"
    return [invalid(f"{path}.activeDeadlineSeconds", deadline, message)]


def _container_errors(container: JsonObject, path: str, taken: set[str], mountable: set[str]) -> list[FieldError]:
    found = _container_name_errors(text_at(container, "name"), path, taken)
    image = text_at(container, "image")
    if not image:
        found.append(required(f"{path}.image"))
    elif image.strip() != image:
        found.append(invalid(f"{path}.image", image, "must not have leading or trailing whitespace"))
    found += _port_errors(container, path)
    found += _environment_errors(container, path)
    found += _mount_errors(container, path, mountable)
    found += probe_errors(container, path)
    found += resource_errors(object_at(container, "resources"), f"{path}.resources")
    policy, message_policy = container.get("imagePullPolicy"), container.get("terminationMessagePolicy")
    if policy not in _PULL_POLICIES:
        found.append(not_supported(f"{path}.imagePullPolicy", policy, _PULL_POLICIES))
    if message_policy not in _MESSAGE_POLICIES:
        found.append(not_supported(f"{path}.terminationMessagePolicy", message_policy, _MESSAGE_POLICIES))
    return found


def _container_name_errors(name: str, path: str, taken: set[str]) -> list[FieldError]:
    if not name:
        return [required(f"{path}.name")]
    found = [invalid(f"{path}.name", name, one) for one in names.label_name(name)]
    if name in taken:
        found.append(duplicate(f"{path}.name", name))
    taken.add(name)
    return found


def _port_errors(container: JsonObject, path: str) -> list[FieldError]:
    found = []
    taken: set[str] = set()
    for i, port in enumerate(parts(container, "ports")):
        here = f"{path}.ports[{i}]"
        if name := text_at(port, "name"):
            found += [invalid(f"{here}.name", name, one) for one in names.port_name(name)]
            if name in taken:
                found.append(duplicate(f"{here}.name", name))
            taken.add(name)
        if not port.get("containerPort"):
            found.append(required(f"{here}.containerPort"))
        else:
            found += number_errors(port["containerPort"], f"{here}.containerPort")
        if "hostPort" in port:
            found += number_errors(port["hostPort"], f"{here}.hostPort")
        if port.get("protocol") not in PROTOCOLS:
            found.append(not_supported(f"{here}.protocol", port.get("protocol"), PROTOCOLS))
    return found


def _environment_errors(container: JsonObject, path: str) -> list[FieldError]:
    found = []
    for i, variable in enumerate(parts(container, "env")):
        here = f"{path}.env[{i}]"
        name = text_at(variable, "name")
        if not name:
            found.append(required(f"{here}.name"))
        elif "=" in name or not name.isprintable() or not name.isascii():
            message = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            found.append(invalid(f"{here}.name", name, message))
        found += _source_errors(variable, f"{here}.valueFrom")
    return found


def _source_errors(variable: JsonObject, path: str) -> list[FieldError]:
    source = variable.get("valueFrom")
    if not isinstance(source, dict):
        return []
    if variable.get("value"):
        return [invalid(path, "", "may not be specified when `value` is not empty")]
    if not source:
        return [
            invalid(
                path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            )
        ]
    if len(source) > 1:
        return [invalid(path, "", "may not have more than one field specified at a time")]
    found = []
    field = text_at(source, "fieldRef", "fieldPath")
    if "fieldRef" in source and field not in _POD_FIELDS and not field.startswith(_SUBSCRIPTED):
        message = f"error converting fieldPath: field label not supported: {field}"
        fault = required(f"{path}.fieldRef.fieldPath") if not field else None
        found.append(fault or invalid(f"{path}.fieldRef.fieldPath", field, message))
    references = [kind for kind in ("configMapKeyRef", "secretKeyRef") if kind in source]
    return found + [required(f"{path}.{kind}.key") for kind in references if not text_at(source, kind, "key")]


def _mount_errors(container: JsonObject, path: str, mountable: set[str]) -> list[FieldError]:
    found = []
    taken: set[str] = set()
    for i, mount in enumerate(parts(container, "volumeMounts")):
        here = f"{path}.volumeMounts[{i}]"
        name, place = text_at(mount, "name"), text_at(mount, "mountPath")
        if not name:
            found.append(required(f"{here}.name"))
        elif name not in mountable:
            found.append(FieldError(f"{here}.name", "FieldValueNotFound", f'Not found: "{name}"'))
        if not place:
            found.append(required(f"{here}.mountPath"))
        elif place in taken:
            found.append(invalid(f"{here}.mountPath", place, "must be unique"))
        taken.add(place)
    return found
