"""ConfigMaps and Secrets: keys, sizes, what a type of Secret must hold, what `immutable` fixes."""

import base64

from inferplane.controlplane.apiserver.builtin import names
from inferplane.controlplane.apiserver.builtin.go_json import json_fault
from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.schemas import FieldError
from inferplane.resources.schemas.values import forbidden, invalid, required, too_long

_LARGEST = 1024 * 1024
_FIXED = "field is immutable when `immutable` is set"
_TOKEN_TYPE = "kubernetes.io/service-account-token"
_TOKEN_ACCOUNT = "kubernetes.io/service-account.name"
# What a Secret of a type must hold.
_REQUIRED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
}
_JSON_KEYS = (".dockerconfigjson", ".dockercfg")


def config_map_errors(obj: JsonObject) -> list[FieldError]:
    data, binary = object_at(obj, "data"), object_at(obj, "binaryData")
    found = _key_errors("data", data)
    both = [key for key in data if key in binary]
    found += [invalid(f"data[{key}]", key, "duplicate of key present in binaryData") for key in both]
    found += _key_errors("binaryData", binary)
    size = sum(len(str(value).encode()) for value in data.values()) + _decoded_size(binary)
    return found if size <= _LARGEST else [*found, too_long("", _LARGEST)]


def config_map_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    return _immutability_errors(old, new, ("data", "binaryData"))


def secret_errors(obj: JsonObject) -> list[FieldError]:
    data = object_at(obj, "data")
    found = _key_errors("data", data)
    if _decoded_size(data) > _LARGEST:
        found.append(too_long("data", _LARGEST))
    return found + _type_errors(obj, data)


def secret_update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    found = []
    if old.get("type") != new.get("type"):
        found.append(invalid("type", new.get("type"), "field is immutable"))
    return found + _immutability_errors(old, new, ("data",))


def _type_errors(obj: JsonObject, data: JsonObject) -> list[FieldError]:
    kind = text_at(obj, "type")
    if kind == _TOKEN_TYPE and not text_at(obj, "metadata", "annotations", _TOKEN_ACCOUNT):
        return [required(f"metadata.annotations[{_TOKEN_ACCOUNT}]")]
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        return [required("data[username]"), required("data[password]")]
    found = [required(f"data[{key}]") for key in _REQUIRED_KEYS.get(kind, ()) if key not in data]
    return found + [
        invalid(f"data[{key}]", "<secret contents redacted>", fault)
        for key in _JSON_KEYS
        if key in _REQUIRED_KEYS.get(kind, ())
        and key in data
        and (fault := json_fault(base64.b64decode(str(data[key])).decode(errors="replace")))
    ]


def _key_errors(field: str, data: JsonObject) -> list[FieldError]:
    return [invalid(f"{field}[{key}]", key, one) for key in data for one in names.config_key(key)]


def _decoded_size(data: JsonObject) -> int:
    return sum(len(str(value)) * 3 // 4 for value in data.values())


def _immutability_errors(old: JsonObject, new: JsonObject, fields: tuple[str, ...]) -> list[FieldError]:
    if old.get("immutable") is not True:
        return []
    found = [forbidden("immutable", _FIXED)] if new.get("immutable") is not True else []
    return found + [forbidden(field, _FIXED) for field in fields if old.get(field) != new.get(field)]
