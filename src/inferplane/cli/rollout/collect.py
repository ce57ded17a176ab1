"""Reads from the API what `rollout` looks at. The only part of it that does I/O."""

from collections.abc import Iterable, Sequence

import msgspec

from inferplane.cli.rollout.facts import COMPONENTS, Component, Rollout
from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.knative import Revision
from inferplane.resources.serving.config import MODE_ALIASES
from inferplane.resources.serving.inferenceservice import ComponentStatus, InferenceService

SERVICE_LABEL, COMPONENT_LABEL = "serving.kserve.io/inferenceservice", "component"


async def collect(api: Api, name: str, namespace: str) -> Rollout:
    """Raises NotFound for a service that is not there, ServerUnreachable and ApiError."""
    found = await api.get(kinds.INFERENCE_SERVICE, name, namespace)
    try:
        revisions = (await api.list(kinds.KNATIVE_REVISION, namespace, labels=f"{SERVICE_LABEL}={name}")).items
    except NotFound:
        # A cluster without Knative.
        revisions = []
    return rollout_of(found, [msgspec.convert(one, Revision) for one in revisions])


def rollout_of(body: JsonObject, revisions: Iterable[Revision] = ()) -> Rollout:
    """Of an InferenceService, and the revisions of all its components."""
    service = msgspec.convert(body, InferenceService)
    newest_first = sorted(revisions, key=lambda one: one.number, reverse=True)
    components = {kind: _component(service, kind, newest_first) for kind in COMPONENTS if kind in service.spec}
    mode = service.status.deployment_mode
    return Rollout(service.metadata.name, service.metadata.namespace, MODE_ALIASES.get(mode, mode), components)


def _component(service: InferenceService, kind: str, revisions: Sequence[Revision]) -> Component:
    percent = object_at(service.spec, kind).get("canaryTrafficPercent")
    return Component(
        kind,
        percent if isinstance(percent, int) else None,
        service.status.components.get(kind, ComponentStatus()),
        [one for one in revisions if one.metadata.labels.get(COMPONENT_LABEL) == kind],
    )
