"""What a platform of one machine brings along: CRDs, the gateway's objects, runtimes, process images, configuration.

Installed on every start with server-side apply, so an upgrade brings new fields and an unchanged object costs no write.
Objects that users may edit are applied without force: a field that somebody else set stays as it is.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from inferplane.client.kubernetes.api import Api, Conflict, Resource
from inferplane.client.kubernetes.kinds import (
    CLUSTER_SERVING_RUNTIME,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    GATEWAY,
    GATEWAY_CLASS,
    NAMESPACE,
    PROCESS_IMAGE,
)
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources import gateway, process_image
from inferplane.resources.crds import all_crds
from inferplane.resources.serving.defaults import cluster_serving_runtimes, inferenceservice_config

log = logging.getLogger(__name__)

MANAGER = "inferplane-addons"
SYSTEM_NAMESPACE = "kserve"


@dataclass(frozen=True, slots=True)
class Addon:
    """`ours`: nobody else is meant to change it, so it is applied with force."""

    resource: Resource
    body: JsonObject
    ours: bool


def addons(gateway_port: int) -> list[Addon]:
    """In the order in which they can be created: kinds before their objects, namespaces before what is in them."""
    namespace: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}
    return [
        *(Addon(CUSTOM_RESOURCE_DEFINITION, one, ours=True) for one in all_crds()),
        Addon(NAMESPACE, namespace, ours=True),
        *(Addon(_gateway_kind(one), one, ours=True) for one in gateway.default_objects(gateway_port)),
        *(Addon(PROCESS_IMAGE, one, ours=False) for one in process_image.process_images()),
        Addon(CONFIG_MAP, inferenceservice_config(), ours=False),
        *(Addon(CLUSTER_SERVING_RUNTIME, one, ours=False) for one in cluster_serving_runtimes()),
    ]


async def install(api: Api, wanted: Iterable[Addon]) -> None:
    for addon in wanted:
        await _apply(api, addon)


async def _apply(api: Api, addon: Addon) -> None:
    namespace = text_at(addon.body, "metadata", "namespace")
    try:
        await api.apply(addon.resource, addon.body, namespace, manager=MANAGER, force=addon.ours)
    except Conflict as conflict:
        # The user changed fields of ours. Theirs win; ours of a newer version reach the user when they give theirs up.
        name = text_at(addon.body, "metadata", "name")
        log.info(
            "left as the user changed it", extra={"kind": addon.resource.kind, "object": name, "why": conflict.message}
        )


def _gateway_kind(body: JsonObject) -> Resource:
    return GATEWAY if body["kind"] == GATEWAY.kind else GATEWAY_CLASS
