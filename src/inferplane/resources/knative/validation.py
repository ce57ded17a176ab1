"""What Knative's webhooks refuse of a template, as sentences with the path of the field; none: it is valid.

There are no webhooks here: these stand in conditions (`RevisionFailed`). What needs no ConfigMap and costs little is
refused by the API server itself (`crds`). Rules: knative/serving `pkg/apis/serving/k8s_validation.go`, `fieldmask.go`.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from inferplane.resources import go_text
from inferplane.resources.knative import words
from inferplane.resources.knative.config import Config, Features
from inferplane.resources.knative.template import RevisionLimits, RevisionTemplate, containers
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.fields import JsonObject

QUEUE_PROXY = "queue-proxy"
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
RESERVED_PORTS = frozenset({8008, 8012, 8013, 8022, 9090, 9091})
_RESERVED_ENV = frozenset({"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"})
_RESERVED_PATHS = frozenset({"/", "/dev", "/dev/log"})
_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
_PROTOCOLS = ("", "http1", "h2c")
_PLAIN = frozenset(
    {"containers", "volumes", "serviceAccountName", "serviceAccount", "imagePullSecrets", "enableServiceLinks",
     "automountServiceAccountToken", "containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds",
     "idleTimeoutSeconds"}
)  # fmt: skip
_PREFIX = "kubernetes.podspec-"
_FIELD_REF = _PREFIX + "fieldref"
_FEATURES = {
    "affinity": "affinity",
    "dnsConfig": "dnsconfig",
    "dnsPolicy": "dnspolicy",
    "hostAliases": "hostaliases",
    "hostIPC": "hostipc",
    "hostNetwork": "hostnetwork",
    "hostPID": "hostpid",
    "initContainers": "init-containers",
    "nodeSelector": "nodeselector",
    "priorityClassName": "priorityclassname",
    "runtimeClassName": "runtimeclassname",
    "schedulerName": "schedulername",
    "securityContext": "securitycontext",
    "shareProcessNamespace": "shareprocessnamespace",
    "tolerations": "tolerations",
    "topologySpreadConstraints": "topologyspreadconstraints",
}
_VOLUME_FEATURES = {
    "emptyDir": "volumes-emptydir",
    "hostPath": "volumes-hostpath",
    "persistentVolumeClaim": "persistent-volume-claim",
    "csi": "volumes-csi",
    "image": "volumes-image",
}
_PLAIN_VOLUMES = ("secret", "configMap", "projected")

Problems = Iterator[str]


def metadata_problems(metadata: ObjectMeta) -> list[str]:
    """Of a Service, Configuration or Route itself."""
    return [
        *_misplaced(metadata.annotations),
        *_whole_seconds(metadata.annotations, words.ROLLOUT_DURATION, "metadata.annotations"),
    ]


def template_problems(template: RevisionTemplate, config: Config, *, parent: str = "") -> list[str]:
    """`parent` is the name that a given revision name must start with; empty: it is not checked."""
    spec = template.spec
    return [
        *_name(template.metadata.name, parent),
        *_whole_seconds(template.metadata.annotations, words.PROGRESS_DEADLINE, "metadata.annotations"),
        *_limits(spec, config),
        *_fields(spec, config.features),
        *_volumes(spec, config.features),
        *_all_containers(spec, config.features),
    ]


# --- metadata ---------------------------------------------------------------------------------------------------------


def _misplaced(annotations: Mapping[str, str]) -> Problems:
    for key in sorted(annotations):
        if key.startswith(words.AUTOSCALING_PREFIX):
            yield f"metadata.annotations.{key}: autoscaling annotations belong under spec.template.metadata.annotations"


def _whole_seconds(annotations: Mapping[str, str], key: str, path: str) -> Problems:
    text = annotations.get(key)
    if text is None:
        return
    try:
        found = go_text.duration(text)
    except ValueError as error:
        yield f"{path}.{key}: {error}, got {text!r}"
        return
    if found < 0 or found % go_text.NANOSECONDS:
        yield f"{path}.{key}: expected whole seconds that are not negative, got {text!r}"


def _name(name: str, parent: str) -> Problems:
    if not name or not parent:
        return
    if not DNS_1035.fullmatch(name):
        yield f"metadata.name: expected at most 63 lower-case letters, digits and '-', a letter first, got {name!r}"
    elif not name.startswith(f"{parent}-"):
        yield f"metadata.name: expected a name that starts with {parent + '-'!r}, got {name!r}"


# --- Knative's own fields ---------------------------------------------------------------------------------------------


def _limits(spec: JsonObject, config: Config) -> Problems:
    try:
        found = msgspec.convert(spec, RevisionLimits)
    except msgspec.ValidationError as error:
        yield f"spec: {error}"
        return
    defaults = config.defaults
    least = 0 if defaults.allow_container_concurrency_zero else 1
    most = defaults.container_concurrency_max_limit
    if found.container_concurrency is not None and not least <= found.container_concurrency <= most:
        yield f"spec.containerConcurrency: expected {least} to {most}, got {found.container_concurrency}"
    longest = defaults.max_revision_timeout_seconds
    if found.timeout_seconds is not None and found.timeout_seconds > longest:
        yield f"spec.timeoutSeconds: expected 0 to {longest}, got {found.timeout_seconds}"


def _fields(spec: JsonObject, features: Features) -> Problems:
    for name in spec:
        feature = _FEATURES.get(name)
        if name in _PLAIN or (feature and features.has(_PREFIX + feature)) or spec[name] is None:
            continue
        if feature:
            yield f"spec.{name}: not allowed while {_PREFIX}{feature} in config-features is not enabled"
        else:
            yield f"spec.{name}: must not be set"


# --- volumes and containers -------------------------------------------------------------------------------------------


def _volumes(spec: JsonObject, features: Features) -> Problems:
    used = {str(mount.get("name")) for one in _everything(spec) for mount in containers(one, "volumeMounts")}
    names: set[str] = set()
    for number, volume in enumerate(containers(spec, "volumes")):
        path, name = f"spec.volumes[{number}]", str(volume.get("name", ""))
        if name in names:
            yield f"{path}.name: {name!r} is there twice"
        names.add(name)
        if name not in used:
            yield f"{path}: {name!r} is not mounted"
        for source in volume.keys() - {"name"}:
            feature = _VOLUME_FEATURES.get(source)
            if source not in _PLAIN_VOLUMES and not (feature and features.has(_PREFIX + feature)):
                said = f"while {_PREFIX}{feature} in config-features is not enabled" if feature else "in Knative"
                yield f"{path}.{source}: not allowed {said}"
    for missing in sorted(used - names):
        yield f"spec.volumes: no volume {missing!r} for the mount of that name"


def _everything(spec: JsonObject) -> list[JsonObject]:
    return [*containers(spec), *containers(spec, "initContainers")]


def _all_containers(spec: JsonObject, features: Features) -> Problems:
    found = containers(spec)
    if not found:
        yield "spec.containers: at least one is needed"
        return
    serving = [number for number, one in enumerate(found) if one.get("ports")]
    if len(found) > 1 and not features.has("multi-container"):
        yield f"spec.containers: expected one while multi-container in config-features is not enabled, got {len(found)}"
    elif len(found) > 1 and len(serving) != 1:
        yield f"spec.containers: expected exactly one with ports, got {len(serving)}"
    for number, one in enumerate(found):
        is_serving = len(found) == 1 or number in serving
        yield from _container(one, f"spec.containers[{number}]", features, serving=is_serving)
        if is_serving or features.has("multi-container-probing"):
            yield from _probes(one, f"spec.containers[{number}]")
        elif one.get("readinessProbe") or one.get("livenessProbe"):
            yield f"spec.containers[{number}]: a probe is not allowed while multi-container-probing is not enabled"
    for number, one in enumerate(containers(spec, "initContainers")):
        yield from _container(one, f"spec.initContainers[{number}]", features, serving=False)


def _container(one: JsonObject, path: str, features: Features, *, serving: bool) -> Problems:
    if one.get("name") == QUEUE_PROXY:
        yield f"{path}.name: {QUEUE_PROXY!r} is reserved"
    if not one.get("image"):
        yield f"{path}.image: is needed"
    reserved = _RESERVED_ENV if serving else _RESERVED_ENV - {"PORT"}
    for number, variable in enumerate(containers(one, "env")):
        if variable.get("name") in reserved:
            yield f"{path}.env[{number}].name: {variable['name']!r} is reserved"
        source = variable.get("valueFrom")
        if (
            isinstance(source, dict)
            and source.keys() & {"fieldRef", "resourceFieldRef"}
            and not features.has(_FIELD_REF)
        ):
            yield f"{path}.env[{number}].valueFrom: not allowed while {_FIELD_REF} in config-features is not enabled"
    for number, mount in enumerate(containers(one, "volumeMounts")):
        if str(mount.get("mountPath", "")).rstrip("/") in {one.rstrip("/") for one in _RESERVED_PATHS}:
            yield f"{path}.volumeMounts[{number}].mountPath: {mount.get('mountPath')!r} is reserved"
    yield from _ports(one, path)


def _ports(one: JsonObject, path: str) -> Problems:
    found = containers(one, "ports")
    if len(found) > 1:
        yield f"{path}.ports: expected one, got {len(found)}"
        return
    for port in found:
        name, number, protocol = port.get("name", ""), port.get("containerPort", 0), port.get("protocol") or "TCP"
        if name not in _PROTOCOLS:
            yield f"{path}.ports[0].name: expected http1 or h2c, got {name!r}"
        if protocol != "TCP":
            yield f"{path}.ports[0].protocol: expected TCP, got {protocol!r}"
        if number in RESERVED_PORTS:
            yield f"{path}.ports[0].containerPort: {number} is reserved"
        elif not isinstance(number, int) or not 0 <= number <= 65535:
            yield f"{path}.ports[0].containerPort: expected 0 to 65535, got {number}"


def _probes(one: JsonObject, path: str) -> Problems:
    for name in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = one.get(name)
        if isinstance(probe, dict):
            yield from _probe(probe, f"{path}.{name}", ready=name == "readinessProbe")


def _probe(probe: JsonObject, path: str, *, ready: bool) -> Problems:
    handlers = [one for one in _HANDLERS if probe.get(one) is not None]
    if len(handlers) != 1 and not (ready and not handlers):
        yield f"{path}: expected exactly one of {', '.join(_HANDLERS)}, got {', '.join(handlers) or 'none'}"
    if not ready:
        return
    if _number(probe, "successThreshold", 1) < 1:
        yield f"{path}.successThreshold: expected 1 or more"
    settings = ("timeoutSeconds", "failureThreshold")
    if _number(probe, "periodSeconds", 0) == 0:
        # Knative's own, eager probing has no such settings.
        for setting in settings:
            if _number(probe, setting, 0):
                yield f"{path}.{setting}: not allowed when periodSeconds is 0"
    else:
        for setting in settings:
            if _number(probe, setting, 1) < 1:
                yield f"{path}.{setting}: expected 1 or more"


def _number(probe: JsonObject, name: str, absent: int) -> int:
    found = probe.get(name)
    return found if isinstance(found, int) else absent
