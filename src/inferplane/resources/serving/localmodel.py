"""KServe's cache of models on the disks of nodes, and which services are served from one.

KServe's own controllers fetch what a cache names into volumes, one for each group of nodes. Here a service's model is
matched with a cache (KServe's webhook does it), marked with it, and read from that cache's volume. Pure.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from inferplane.kernel.json import text_at
from inferplane.resources.meta import ObjectMeta, View
from inferplane.resources.serving.inferenceservice import InferenceService

LABEL = "internal.serving.kserve.io/localmodel"
NAMESPACE_LABEL = "internal.serving.kserve.io/localmodel-namespace"
SOURCE = "internal.serving.kserve.io/localmodel-sourceuri"
CLAIM = "internal.serving.kserve.io/localmodel-pvc-name"
DISABLED = "serving.kserve.io/disable-localmodel"
NODE_GROUP = "serving.kserve.io/nodegroup"


class LocalModelCacheSpec(View, frozen=True, kw_only=True):
    """The part that matters here; more is in KServe's CRD."""

    source_model_uri: str
    node_groups: list[str] = []


class LocalModelCache(View, frozen=True, kw_only=True):
    """Either kind: one of the cluster has no namespace."""

    metadata: ObjectMeta = ObjectMeta()
    spec: LocalModelCacheSpec


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What a service is marked with."""

    labels: dict[str, str]
    annotations: dict[str, str]


def of(isvc: InferenceService, caches: Iterable[LocalModelCache]) -> LocalModel | None:
    """The cache of the predictor's model; `isvc` is after defaulting. One of its own namespace goes first."""
    if DISABLED in isvc.metadata.annotations:
        return None
    uri = text_at(isvc.spec, "predictor", "model", "storageUri")
    asked = isvc.metadata.annotations.get(NODE_GROUP)
    near = [one for one in caches if one.metadata.namespace in ("", isvc.metadata.namespace)]
    for cache in sorted(near, key=lambda one: (not one.metadata.namespace, one.metadata.name)):
        group = _group(cache, asked)
        if group and _holds(cache, uri):
            return _mark(cache, group)
    return None


def marked(isvc: InferenceService, found: LocalModel | None) -> InferenceService:
    """With the labels and annotations of `found` and no others of their names."""
    labels = {key: value for key, value in isvc.metadata.labels.items() if key not in (LABEL, NAMESPACE_LABEL)}
    annotations = {key: value for key, value in isvc.metadata.annotations.items() if key not in (SOURCE, CLAIM)}
    if found is not None:
        labels, annotations = labels | found.labels, annotations | found.annotations
    metadata = msgspec.structs.replace(isvc.metadata, labels=labels, annotations=annotations)
    return msgspec.structs.replace(isvc, metadata=metadata)


def mark_of(isvc: InferenceService) -> LocalModel:
    """The one that the service has now, perhaps an empty one."""
    meta = isvc.metadata
    return LocalModel(
        {key: meta.labels[key] for key in (LABEL, NAMESPACE_LABEL) if key in meta.labels},
        {key: meta.annotations[key] for key in (SOURCE, CLAIM) if key in meta.annotations},
    )


def cached_uri(isvc: InferenceService, uri: str) -> str:
    """Where the model at `uri` is read from: the claim of the service's cache, if that holds it."""
    source, claim = (isvc.metadata.annotations.get(one, "") for one in (SOURCE, CLAIM))
    if not claim or LABEL not in isvc.metadata.labels or not _is_below(uri, source):
        return uri
    key = hashlib.sha256(source.encode()).hexdigest()[:16]
    return f"pvc://{claim}/models/{key}{uri.removeprefix(source.rstrip('/'))}"


def _group(cache: LocalModelCache, asked: str | None) -> str:
    groups = cache.spec.node_groups
    if asked is not None:
        return asked if asked in groups else ""
    return groups[0] if groups else ""


def _holds(cache: LocalModelCache, uri: str) -> bool:
    return bool(uri) and _is_below(uri, cache.spec.source_model_uri)


def _is_below(uri: str, source: str) -> bool:
    source = source.rstrip("/")
    return bool(source) and (uri == source or uri.startswith(f"{source}/"))


def _mark(cache: LocalModelCache, group: str) -> LocalModel:
    name, namespace = cache.metadata.name, cache.metadata.namespace
    labels = {LABEL: name} | ({NAMESPACE_LABEL: namespace} if namespace else {})
    return LocalModel(labels, {SOURCE: cache.spec.source_model_uri, CLAIM: f"{name}-{group}"})
