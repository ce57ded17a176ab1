"""Rules about where a component's files come from."""

import re
from collections.abc import Iterator, Sequence

from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.serving.inferenceservice import Confidential, InferenceServiceSpec, StorageUri
from inferplane.resources.serving.validation.parts import containers_of, environment

_KEY_RESOURCE = re.compile(r"kbs:///[\w.-]+/[\w.-]+/[\w.-]+", re.ASCII)


def problems(spec: JsonObject, typed: InferenceServiceSpec) -> Iterator[str]:
    transformer, explainer = typed.transformer, typed.explainer
    if transformer is not None:
        yield from _several("transformer", transformer.storage_uris, _variable(object_at(spec, "transformer")))
    if explainer is not None:
        uri = (explainer.art and explainer.art.storage_uri) or _variable(object_at(spec, "explainer"))
        yield from _several("explainer", explainer.storage_uris, uri)
    model = typed.predictor.model
    uri = (model.storage_uri or "") if model else _variable(object_at(spec, "predictor"))
    yield from _several("predictor", typed.predictor.storage_uris, uri)
    if model is not None and model.confidential is not None:
        yield from _confidential(model.confidential, uri)


def _variable(pod: JsonObject) -> str:
    """`STORAGE_URI` of a container of the user's own."""
    return next((uri for one in containers_of(pod) if (uri := environment(one).get("STORAGE_URI", ""))), "")


def _several(component: str, uris: Sequence[StorageUri] | None, single: str) -> Iterator[str]:
    if uris is None:
        return
    if single:
        yield f"spec.{component}: storageUri and storageUris cannot both be set"
    path = f"spec.{component}.storageUris"
    for index, one in enumerate(uris):
        if not one.uri:
            yield f"{path}[{index}].uri: is empty"
        if one.mount_path == "/" or not one.mount_path.startswith("/") or ".." in one.mount_path:
            words = f"expected an absolute path below / without '..', got {one.mount_path!r}"
            yield f"{path}[{index}].mountPath: {words}"
    yield from _paths(path, uris)


def _paths(path: str, uris: Sequence[StorageUri]) -> Iterator[str]:
    """What is fetched shares one volume, so several need a common parent."""
    fetched = [one.mount_path for one in uris if not one.uri.startswith("pvc://")]
    claims = [one.mount_path for one in uris if one.uri.startswith("pvc://")]
    if len(fetched) < 2:
        return
    if len(set(claims)) < len(claims):
        yield f"{path}: two pvc:// items have the same mountPath"
    if len({one.split("/")[1] for one in fetched if one.startswith("/")}) > 1:
        yield f"{path}: the mountPaths {', '.join(fetched)} need a common parent below /"


def _confidential(confidential: Confidential, uri: str) -> Iterator[str]:
    path = "spec.predictor.model.confidential"
    if confidential.enabled and not uri:
        yield f"{path}: an encrypted model needs storageUri"
    resource = confidential.resource_id
    if resource and not _KEY_RESOURCE.fullmatch(resource):
        yield f"{path}.resourceId: expected kbs:///REPOSITORY/TYPE/TAG, got {resource!r}"
