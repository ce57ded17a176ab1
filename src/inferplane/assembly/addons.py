"""What a platform of one machine brings along: CRDs, the gateway's objects, runtimes, process images, configuration.

Installed on every start with server-side apply, so an upgrade brings new fields. Each object carries the digest of what
was applied: one of the same digest is left alone (applying our largest CRD anew takes 0.2 s though nothing changes).
Objects that users may edit are applied without force: a field that somebody else set stays as it is.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import Api, Conflict, NotFound, Resource
from inferplane.client.kubernetes.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CLUSTER_STORAGE_CONTAINER,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    GATEWAY,
    GATEWAY_CLASS,
    INGRESS_CLASS,
    NAMESPACE,
    PROCESS_IMAGE,
)
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources import gateway, keda, networking, process_image
from inferplane.resources.autoscaling_knative import config as config_autoscaler
from inferplane.resources.autoscaling_knative.crds import autoscaling_crds
from inferplane.resources.crds import all_crds
from inferplane.resources.knative import config as knative_config
from inferplane.resources.knative.crds import knative_crds
from inferplane.resources.serving.defaults import cluster_serving_runtimes, inferenceservice_config
from inferplane.resources.serving.storagecontainer import default_storage_container

log = logging.getLogger(__name__)

MANAGER = "inferplane-addons"
DIGEST = "inferplane.dev/addon-digest"
SYSTEM_NAMESPACE = "kserve"
KNATIVE_NAMESPACE = config_autoscaler.NAMESPACE


@dataclass(frozen=True, slots=True)
class Addon:
    """`ours`: nobody else is meant to change it, so it is applied with force."""

    resource: Resource
    body: JsonObject
    ours: bool


def addons(gateway_port: int) -> list[Addon]:
    """In the order in which they can be created: kinds before their objects, namespaces before what is in them."""
    return [
        *(Addon(CUSTOM_RESOURCE_DEFINITION, one, ours=True) for one in all_crds()),
        # Not ours: whoever brings KEDA itself brings its own.
        Addon(CUSTOM_RESOURCE_DEFINITION, keda.crd(), ours=False),
        *(Addon(CUSTOM_RESOURCE_DEFINITION, one, ours=True) for one in autoscaling_crds()),
        *(Addon(CUSTOM_RESOURCE_DEFINITION, one, ours=True) for one in knative_crds()),
        *(Addon(NAMESPACE, _namespace(one), ours=True) for one in (SYSTEM_NAMESPACE, KNATIVE_NAMESPACE)),
        *(Addon(_gateway_kind(one), one, ours=True) for one in gateway.default_objects(gateway_port)),
        *(Addon(INGRESS_CLASS, one, ours=False) for one in networking.default_classes()),
        *(Addon(PROCESS_IMAGE, one, ours=False) for one in process_image.process_images()),
        Addon(CONFIG_MAP, inferenceservice_config(), ours=False),
        Addon(CONFIG_MAP, config_autoscaler.config_map(), ours=False),
        *(Addon(CONFIG_MAP, one, ours=False) for one in knative_config.config_maps()),
        *(Addon(CLUSTER_SERVING_RUNTIME, one, ours=False) for one in cluster_serving_runtimes()),
        Addon(CLUSTER_STORAGE_CONTAINER, default_storage_container(), ours=False),
    ]


def _namespace(name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def install(api: Api, wanted: Iterable[Addon]) -> None:
    for addon in wanted:
        await _apply(api, addon)


async def _apply(api: Api, addon: Addon) -> None:
    name, namespace = text_at(addon.body, "metadata", "name"), text_at(addon.body, "metadata", "namespace")
    digest = hashlib.blake2b(msgspec.json.encode(addon.body, order="deterministic"), digest_size=8).hexdigest()
    if await _installed(api, addon.resource, name, namespace) == digest:
        return
    annotations = {**object_at(addon.body, "metadata", "annotations"), DIGEST: digest}
    body = {**addon.body, "metadata": {**object_at(addon.body, "metadata"), "annotations": annotations}}
    try:
        await api.apply(addon.resource, body, namespace, manager=MANAGER, force=addon.ours)
    except Conflict as conflict:
        # The user changed fields of ours. Theirs win; ours of a newer version reach the user when they give theirs up.
        log.info(
            "left as the user changed it", extra={"kind": addon.resource.kind, "object": name, "why": conflict.message}
        )


async def _installed(api: Api, resource: Resource, name: str, namespace: str) -> str:
    """The digest of what is there; empty when nothing is."""
    try:
        return text_at(await api.get(resource, name, namespace), "metadata", "annotations", DIGEST)
    except NotFound:
        return ""


def _gateway_kind(body: JsonObject) -> Resource:
    return GATEWAY if body["kind"] == GATEWAY.kind else GATEWAY_CLASS
