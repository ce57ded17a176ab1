"""From a request's body to an object of its kind: type, strictness, what can't be decoded. Pure."""

from inferplane.controlplane.apiserver import errors, objects, rules
from inferplane.controlplane.apiserver.bodies import Body
from inferplane.controlplane.apiserver.calls import Call, Validation
from inferplane.controlplane.apiserver.errors import StatusError, bad_request
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas import FieldError


def take(call: Call, body: Body) -> JsonObject:
    """The object to create or to put in place. Raises 400 (422 for a custom kind of another type)."""
    obj = typed(call.kind, body.object)
    found = [] if call.validation == "Ignore" else strictness(call.kind, obj, body.duplicates)
    if found and call.validation == "Strict":
        raise bad_request(f"{_undecodable(call.kind)}: strict decoding error: {', '.join(found)}")
    warn(call, call.validation, found)
    return decoded(call.kind, obj)


def typed(kind: Kind, obj: JsonObject) -> JsonObject:
    """With apiVersion and kind, taken from the path when the body leaves them out."""
    wanted = kind.resource
    version, type_ = obj.get("apiVersion") or wanted.api_version, obj.get("kind") or wanted.kind
    if (version, type_) == (wanted.api_version, wanted.kind):
        return {"apiVersion": version, "kind": type_, **_without_type(obj)}
    if kind.custom and version == wanted.api_version:
        text = f'Invalid value: "{type_}": must be {wanted.kind}'
        causes = [FieldError("kind", "FieldValueInvalid", text)]
        raise errors.invalid(wanted.group, wanted.kind, objects.name(obj), causes)
    given = f"{type_} in version {version}"
    expected = f"{wanted.kind} in version {wanted.api_version}"
    raise bad_request(f"the object in the body ({given}) is not what the path takes ({expected})")


def _without_type(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}


def strictness(kind: Kind, obj: JsonObject, duplicates: tuple[str, ...] = ()) -> list[str]:
    """Duplicate and unknown fields, worded as warnings."""
    doubled = [f'duplicate field "{path}"' for path in duplicates]
    return doubled + [f'unknown field "{path}"' for path in rules.unknown_fields(kind, obj)]


def warn(call: Call, validation: Validation, found: list[str]) -> None:
    if validation == "Warn":
        call.warnings.extend(found)


def decoded(kind: Kind, obj: JsonObject) -> JsonObject:
    """Without unknown fields. Raises 400 for a value that a built-in kind can't hold."""
    wrong = rules.decoding_errors(kind, obj)
    if wrong:
        raise _mistyped(kind, wrong)
    return rules.pruned(kind, obj)


def _mistyped(kind: Kind, wrong: list[FieldError]) -> StatusError:
    return bad_request(f"{_undecodable(kind)}: {wrong[0]}")


def _undecodable(kind: Kind) -> str:
    name = kind.resource.kind
    return f'{name} in version "{kind.resource.version}" cannot be handled as a {name}'
