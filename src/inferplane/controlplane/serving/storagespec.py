"""`spec.predictor.model.storage`: an entry of the Secret `storage-config` and parameters → URI and variables.

Rules and errors are KServe's (reference section 6.6). The entry's keys are never written out: the container gets a
reference to the Secret in STORAGE_CONFIG; only type and bucket are read. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from inferplane.controlplane.serving.credentials import Given, StorageRefused, text
from inferplane.kernel.json import JsonObject, text_at
from inferplane.resources.core import Secret
from inferplane.resources.serving.inferenceservice import StorageSpec

_TYPES = ("s3", "hdfs", "webhdfs")
PLACEHOLDER = "<scheme-placeholder>://"


@dataclass(frozen=True, slots=True)
class Located:
    """Where the model is, and with what it is fetched."""

    uri: str
    given: Given


def located(spec: StorageSpec, name: str, secret: Secret | None) -> Located:
    """`name` of the Secret, which need not exist when the parameters say enough. Raises StorageRefused."""
    parameters = spec.parameters or {}
    key, entry = _entry(spec, parameters, name, secret)
    kind = parameters.get("type") or text_at(entry, "type")
    where = f'secret "{name}"'
    if kind not in _TYPES:
        said = f"got {kind!r}" if kind else "got none"
        raise StorageRefused(
            f"storage: {where} and parameters: expected a type, one of {', '.join(_TYPES)}, {said}",
            fix="add type to spec.predictor.model.storage.parameters or to the entry of the secret",
        )
    bucket = parameters.get("bucket") or text_at(entry, "bucket")
    if kind == "s3" and not bucket:
        raise StorageRefused(f"storage: {where} and parameters: expected a bucket for s3, got none", fix="add bucket")
    path = (spec.path or "").lstrip("/")
    uri = f"s3://{bucket}/{path}" if kind == "s3" else f"{kind}://{path}"
    return Located(uri, Given(tuple(_variables(parameters, entry, name, key))))


def _entry(
    spec: StorageSpec, parameters: Mapping[str, str], name: str, secret: Secret | None
) -> tuple[str, JsonObject]:
    """The key that is used, and what it holds; ("", {}) where nothing is there and nothing has to be."""
    data = secret.data if secret else {}
    if spec.key is not None:
        if spec.key not in data or secret is None:
            have = ", ".join(sorted(data)) or "none"
            raise StorageRefused(
                f'storage.key {spec.key}: not in secret "{name}"; it has: {have}', fix="correct the key"
            )
        return spec.key, _parsed(secret, spec.key)
    key = f"default_{parameters['type']}" if parameters.get("type") else "default"
    if secret is None or key not in data:
        return "", {}
    return key, _parsed(secret, key)


def _parsed(secret: Secret, key: str) -> JsonObject:
    try:
        found = json.loads(text(secret, key))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # Without the text, and without the parser's words on it: it holds keys.
        raise StorageRefused(f'secret "{secret.metadata.name}": key {key}: expected a JSON object', fix="correct it")
    return found


def _variables(parameters: Mapping[str, str], entry: JsonObject, secret: str, key: str) -> list[JsonObject]:
    found: list[JsonObject] = []
    if key:
        found.append({"name": "STORAGE_CONFIG", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    if parameters:
        found.append({"name": "STORAGE_OVERRIDE_CONFIG", "value": json.dumps(dict(parameters), separators=(",", ":"))})
    if bundle := text_at(entry, "cabundle_configmap"):
        found.append({"name": "AWS_CA_BUNDLE_CONFIGMAP", "value": bundle})
    return found
