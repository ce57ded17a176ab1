"""Defaults of pods and of pod templates: the spec is the same, a pod gets a few more from admission."""

from inferplane.controlplane.apiserver.builtin.filling import fill, part, parts
from inferplane.kernel.json import Json, JsonObject

_FILE_MODE = 0o644
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")
# Volumes whose files have a mode of their own.
_MODED = ("secret", "configMap", "downwardAPI", "projected")
_TOKEN_SECONDS = 3600
# How long a pod stays on a node that is gone (admission DefaultTolerationSeconds).
_TOLERATION_SECONDS = 300
_NODE_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def default_template(spec: JsonObject) -> None:
    """The `template` of a workload's spec."""
    template = part(spec, "template")
    part(template, "metadata")
    default_pod_spec(part(template, "spec"))


def default_pod(obj: JsonObject) -> None:
    spec = part(obj, "spec")
    default_pod_spec(spec)
    for container in _containers(spec):
        _request_what_is_limited(container)
    fill(spec, {"enableServiceLinks": True, "priority": 0, "preemptionPolicy": "PreemptLowerPriority"})
    fill(spec, {"serviceAccountName": "default"})
    spec["serviceAccount"] = spec["serviceAccountName"]
    if isinstance(grace := spec.get("terminationGracePeriodSeconds"), int) and grace < 0:
        spec["terminationGracePeriodSeconds"] = 1
    _tolerate(spec)
    status = part(obj, "status")
    fill(status, {"phase": "Pending", "qosClass": qos_class(spec)})
    for condition in parts(status, "conditions"):
        condition.setdefault("lastProbeTime", None)


def default_pod_spec(spec: JsonObject) -> None:
    fill(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
        },
    )
    part(spec, "securityContext")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in _containers(spec):
        _container(container, host_network=spec.get("hostNetwork") is True)
    for volume in parts(spec, "volumes"):
        _volume(volume)


def _containers(spec: JsonObject) -> list[JsonObject]:
    return [container for key in _CONTAINER_LISTS for container in parts(spec, key)]


def _container(container: JsonObject, *, host_network: bool) -> None:
    part(container, "resources")
    fill(container, {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})
    container.setdefault("imagePullPolicy", pull_policy(str(container.get("image", ""))))
    for port in parts(container, "ports"):
        port.setdefault("protocol", "TCP")
        if host_network and "containerPort" in port:
            port.setdefault("hostPort", port["containerPort"])
    for variable in parts(container, "env"):
        _field_reference(part(variable, "valueFrom") if "valueFrom" in variable else {})
    for key in _PROBES:
        if isinstance(probe := container.get(key), dict):
            fill(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
            _handler(probe)
    for hook in ("postStart", "preStop"):
        lifecycle = container.get("lifecycle")
        if isinstance(lifecycle, dict) and hook in lifecycle:
            _handler(part(lifecycle, hook))


def pull_policy(image: str) -> str:
    """`Always` for a tag that may move: none, or `latest`."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _handler(handler: JsonObject) -> None:
    if isinstance(http := handler.get("httpGet"), dict):
        fill(http, {"path": "/", "scheme": "HTTP"})
    if isinstance(grpc := handler.get("grpc"), dict):
        grpc.setdefault("service", "")


def _field_reference(source: JsonObject) -> None:
    if isinstance(field := source.get("fieldRef"), dict):
        field.setdefault("apiVersion", "v1")


def _volume(volume: JsonObject) -> None:
    if volume.keys() <= {"name"}:
        volume["emptyDir"] = {}
    for key in _MODED:
        if isinstance(source := volume.get(key), dict):
            source.setdefault("defaultMode", _FILE_MODE)
            for item in parts(source, "items"):
                _field_reference(item)
    if isinstance(host := volume.get("hostPath"), dict):
        host.setdefault("type", "")
    for source in parts(part(volume, "projected"), "sources") if "projected" in volume else ():
        if isinstance(token := source.get("serviceAccountToken"), dict):
            token.setdefault("expirationSeconds", _TOKEN_SECONDS)
        for item in parts(part(source, "downwardAPI"), "items") if "downwardAPI" in source else ():
            _field_reference(item)


def _request_what_is_limited(container: JsonObject) -> None:
    """A limit without a request is also the request; in pods only, not in templates."""
    resources = part(container, "resources")
    limits = resources.get("limits")
    if isinstance(limits, dict) and limits:
        fill(part(resources, "requests"), limits)


def _tolerate(spec: JsonObject) -> None:
    known = list(parts(spec, "tolerations"))
    added: list[Json] = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _NODE_TAINTS
        if not any(_tolerates(one, key) for one in known)
    ]
    if added:
        spec["tolerations"] = [*known, *added]


def _tolerates(toleration: JsonObject, taint: str) -> bool:
    return toleration.get("key") in (taint, None, "") and toleration.get("effect") in ("NoExecute", None, "")


def qos_class(spec: JsonObject) -> str:
    """`Guaranteed` when every container limits cpu and memory to what it requests; `BestEffort` when none asks."""
    wanted = [_demand(one) for one in (*parts(spec, "initContainers"), *parts(spec, "containers"))]
    if not any(requests or limits for requests, limits in wanted):
        return "BestEffort"
    whole = all(limits.keys() == {"cpu", "memory"} and requests == limits for requests, limits in wanted)
    return "Guaranteed" if whole else "Burstable"


def _demand(container: JsonObject) -> tuple[JsonObject, JsonObject]:
    resources = container.get("resources")
    found = resources if isinstance(resources, dict) else {}
    requests, limits = (found.get(key) for key in ("requests", "limits"))
    return _compute(requests), _compute(limits)


def _compute(amounts: Json) -> JsonObject:
    return {k: v for k, v in amounts.items() if k in ("cpu", "memory")} if isinstance(amounts, dict) else {}
