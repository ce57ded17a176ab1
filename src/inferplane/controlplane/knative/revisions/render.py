"""The Deployment and the PodAutoscaler of a revision. Pure.

Rules: knative/serving `pkg/reconciler/revision/resources`. There is no queue-proxy in the pods: requests reach the
container's own port, and its readiness probe stays where it was written (decision 0020).
"""

import hashlib
from collections.abc import Mapping

import msgspec

from inferplane.client.kubernetes.kinds import DEPLOYMENT, KNATIVE_REVISION, POD_AUTOSCALER
from inferplane.controlplane.knative.marks import without
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources import go_text
from inferplane.resources.autoscaling_knative import annotations as scaling
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.podautoscaler import ProtocolType, Reachability
from inferplane.resources.knative import Revision, names, words
from inferplane.resources.knative.config import Config
from inferplane.resources.knative.template import containers, serving_container

RENDERED = "inferplane.dev/rendered"
USER_PORT = "user-port"
DEFAULT_PORT = 8080
_OWN_FIELDS = ("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds")
_HIDDEN_LABELS = (words.ROUTING_STATE,)
_HIDDEN_ANNOTATIONS = (
    words.ROUTES, words.ROUTING_STATE_MODIFIED, words.CREATOR, words.LAST_MODIFIER, words.LAST_APPLIED
)  # fmt: skip
_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def deployment(revision: Revision, config: Config, autoscaler: AutoscalerConfig) -> JsonObject:
    """With the replicas that it starts with; from then on they are the autoscaler's."""
    meta = revision.metadata
    spec: JsonObject = {
        "replicas": initial_scale(revision, autoscaler),
        "selector": {"matchLabels": {words.REVISION_UID: meta.uid}},
        "progressDeadlineSeconds": progress_deadline(revision, config),
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {**labels(revision)}, "annotations": {**annotations(revision)}},
            "spec": pod(revision),
        },
    }
    marks: JsonObject = {**annotations(revision), RENDERED: _digest(without_replicas(spec))}
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.kind,
        "metadata": _metadata(revision, names.deployment(meta.name), marks),
        "spec": spec,
    }


def without_replicas(spec: Mapping[str, Json]) -> JsonObject:
    return {key: value for key, value in spec.items() if key != "replicas"}


def pod_autoscaler(revision: Revision, reachability: Reachability) -> JsonObject:
    name = revision.metadata.name
    concurrency = revision.spec.get("containerConcurrency")
    target: JsonObject = {
        "apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "name": names.deployment(name)
    }  # fmt: skip
    spec: JsonObject = {
        "scaleTargetRef": target,
        "protocolType": protocol(revision),
        "containerConcurrency": concurrency if isinstance(concurrency, int) else 0,
        "reachability": reachability,
    }
    return {
        "apiVersion": POD_AUTOSCALER.api_version,
        "kind": POD_AUTOSCALER.kind,
        "metadata": _metadata(revision, name, {**annotations(revision)}),
        "spec": spec,
    }


def initial_scale(revision: Revision, autoscaler: AutoscalerConfig) -> int:
    given = scaling.read(revision.metadata.annotations).initial_scale
    if given is None or (given == 0 and not autoscaler.allow_zero_initial_scale):
        return autoscaler.initial_scale
    return given


def progress_deadline(revision: Revision, config: Config) -> int:
    """Seconds."""
    text = revision.metadata.annotations.get(words.PROGRESS_DEADLINE)
    if text is None:
        return int(config.deployment.progress_deadline)
    return go_text.duration(text) // go_text.NANOSECONDS


def labels(revision: Revision) -> dict[str, str]:
    """Of everything that is made for the revision, its pods included."""
    meta = revision.metadata
    own = {words.REVISION: meta.name, words.REVISION_UID: meta.uid}
    return {words.APP: meta.name, **without(meta.labels, _HIDDEN_LABELS), **own}


def annotations(revision: Revision) -> dict[str, str]:
    return without(revision.metadata.annotations, _HIDDEN_ANNOTATIONS)


def protocol(revision: Revision) -> str:
    ports = containers(serving_container(revision.spec), "ports")
    is_h2c = bool(ports) and ports[0].get("name") == ProtocolType.H2C
    return ProtocolType.H2C.value if is_h2c else ProtocolType.HTTP1.value


def _metadata(revision: Revision, name: str, marks: JsonObject) -> JsonObject:
    return {
        "name": name,
        "namespace": revision.metadata.namespace,
        "labels": {**labels(revision)},
        "annotations": marks,
        "ownerReferences": [owner_reference(KNATIVE_REVISION, revision.metadata)],
    }


def _digest(spec: JsonObject) -> str:
    return hashlib.blake2b(msgspec.json.encode(spec, order="deterministic"), digest_size=8).hexdigest()


# --- the pod ----------------------------------------------------------------------------------------------------------


def pod(revision: Revision) -> JsonObject:
    """The spec of its pods."""
    spec: JsonObject = {key: value for key, value in revision.spec.items() if key not in _OWN_FIELDS}
    serving = serving_container(revision.spec)
    spec["containers"] = [_container(revision, one, serving=one is serving) for one in containers(revision.spec)]
    if init := containers(revision.spec, "initContainers"):
        spec["initContainers"] = [*init]
    timeout = revision.spec.get("timeoutSeconds")
    # What is under way when a pod is told to end may take as long as any request.
    return spec | {"terminationGracePeriodSeconds": timeout if isinstance(timeout, int) else 300}


def _container(revision: Revision, one: JsonObject, *, serving: bool) -> JsonObject:
    made: JsonObject = {"terminationMessagePolicy": "FallbackToLogsOnError", **one, "stdin": False, "tty": False}
    made["env"] = [*containers(one, "env"), *_known(revision)]
    if not serving:
        return made
    port = _port(one)
    made["ports"] = [{"name": USER_PORT, "containerPort": port, "protocol": "TCP"}]
    made["env"] = [*containers(one, "env"), {"name": "PORT", "value": str(port)}, *_known(revision)]
    return made | {name: _probe(one[name], port) for name in _PROBES if isinstance(one.get(name), dict)}


def _known(revision: Revision) -> list[JsonObject]:
    meta = revision.metadata
    found = {
        "K_REVISION": meta.name,
        "K_CONFIGURATION": meta.labels.get(words.CONFIGURATION, ""),
        "K_SERVICE": meta.labels.get(words.SERVICE, ""),
    }
    return [{"name": name, "value": value} for name, value in found.items()]


def _port(one: JsonObject) -> int:
    declared = [port.get("containerPort") for port in containers(one, "ports")]
    return next((number for number in declared if isinstance(number, int) and number), DEFAULT_PORT)


def _probe(given: Json, port: int) -> JsonObject:
    """Kubernetes has no probing faster than once a second; a probe without a port asks the container's own."""
    assert isinstance(given, dict)
    probe = dict(given)
    for name in ("httpGet", "tcpSocket", "grpc"):
        handler = probe.get(name)
        if isinstance(handler, dict):
            asked = handler.get("port")
            known = asked if asked and asked not in ("http1", "h2c") else port
            probe[name] = handler | {"port": known}
    return probe | {"periodSeconds": probe.get("periodSeconds") or 1}
