"""The Configuration and the Route of a Service. Pure.

Rules: knative/serving `pkg/reconciler/service/resources`.
"""

import msgspec

from inferplane.client.kubernetes.kinds import KNATIVE_CONFIGURATION, KNATIVE_ROUTE, KNATIVE_SERVICE
from inferplane.controlplane.knative.marks import without
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import Configuration, KnativeService, TrafficTarget, words

_NOT_PASSED_ON = (words.LAST_APPLIED, words.ROUTES)


def configuration(service: KnativeService, live: Configuration | None) -> JsonObject:
    """Bare Routes may lead to it as well (the annotation `routes` of `live`)."""
    meta = service.metadata
    labels: JsonObject = {**meta.labels, words.SERVICE: meta.name, words.SERVICE_UID: meta.uid}
    known = live.metadata.annotations.get(words.ROUTES, "") if live else ""
    routes = sorted({meta.name, *(one for one in known.split(",") if one)})
    passed = without(meta.annotations, (*_NOT_PASSED_ON, words.ROLLOUT_DURATION))
    annotations: JsonObject = {**passed, words.ROUTES: ",".join(routes)}
    template: Json = msgspec.to_builtins(service.spec.template)
    return {
        "apiVersion": KNATIVE_CONFIGURATION.api_version,
        "kind": KNATIVE_CONFIGURATION.kind,
        "metadata": _metadata(service, labels, annotations),
        "spec": {"template": template},
    }


def route(service: KnativeService) -> JsonObject:
    meta = service.metadata
    labels: JsonObject = {**meta.labels, words.SERVICE: meta.name}
    traffic: list[Json] = [msgspec.to_builtins(one) for one in targets(service)]
    return {
        "apiVersion": KNATIVE_ROUTE.api_version,
        "kind": KNATIVE_ROUTE.kind,
        "metadata": _metadata(service, labels, {**without(meta.annotations, _NOT_PASSED_ON)}),
        "spec": {"traffic": traffic},
    }


def targets(service: KnativeService) -> list[TrafficTarget]:
    """With Knative's defaults; what follows the latest revision names the Configuration."""
    given = service.spec.traffic or [TrafficTarget(latest_revision=True, percent=100)]
    return [_target(one, service.metadata.name) for one in given]


def _target(one: TrafficTarget, configuration: str) -> TrafficTarget:
    latest = one.follows_latest
    name = configuration if latest else ""
    return msgspec.structs.replace(
        one, latest_revision=latest, configuration_name=name, percent=one.percent or 0, url=""
    )


def _metadata(service: KnativeService, labels: JsonObject, annotations: JsonObject) -> JsonObject:
    meta = service.metadata
    return {
        "name": meta.name,
        "namespace": meta.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": [owner_reference(KNATIVE_SERVICE, meta)],
    }
