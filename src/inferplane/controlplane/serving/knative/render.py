"""The Knative Service of a component: its pod as a revision template, how it scales, which revision gets traffic."""

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.components import Component, owner, without
from inferplane.controlplane.serving.knative import agents, scaling, traffic
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import ComponentStatus, InferenceService

TAG_ROUTING = names.PREFIX + "enable-tag-routing"
# What Knative reads from the Service and not from its template.
_OF_SERVICE = ("serving.knative.dev/rollout-duration", "serving.knative.openshift.io/enablePassthrough")


def service(
    isvc: InferenceService, one: Component, config: Config, *, allow_zero_initial_scale: bool = False
) -> Desired:
    """For server-side apply. The revisions rolled out so far are read from the status of `isvc`."""
    annotations = scaling.annotated(one.annotations, one.spec, allow_zero_initial_scale=allow_zero_initial_scale)
    metadata: JsonObject = {
        "name": one.name,
        "namespace": isvc.metadata.namespace,
        "labels": one.labels,
        "annotations": {key: annotations[key] for key in _OF_SERVICE if key in annotations},
        "ownerReferences": [owner(isvc)],
    }
    template_metadata: JsonObject = {
        "labels": without(
            {key: str(value) for key, value in one.labels.items()},
            config.inference_service.service_label_disallowed_list,
        ),
        "annotations": {key: value for key, value in annotations.items() if key not in _OF_SERVICE},
    }
    before = isvc.status.components.get(one.kind, ComponentStatus())
    tag_latest = isvc.metadata.annotations.get(TAG_ROUTING) == "true"
    targets: list[Json] = [
        *traffic.targets(one.spec.canary_traffic_percent, before.latest_rolledout_revision, tag_latest=tag_latest)
    ]
    spec: JsonObject = {"template": {"metadata": template_metadata, "spec": _revision(one)}, "traffic": targets}
    resource = kinds.KNATIVE_SERVICE
    body: JsonObject = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": spec,
    }
    return Desired(resource, body)


def _revision(one: Component) -> JsonObject:
    limits: JsonObject = {}
    if one.spec.container_concurrency is not None:
        limits["containerConcurrency"] = one.spec.container_concurrency
    if one.spec.timeout is not None:
        limits |= {"timeoutSeconds": one.spec.timeout, "responseStartTimeoutSeconds": one.spec.timeout}
    return agents.fitted(one.pod) | limits
