"""What schemas are checked against: the words and the shapes of JSON values, as the API's messages print them."""

import json
from dataclasses import dataclass

from inferplane.kernel.json import Json


@dataclass(frozen=True, slots=True)
class FieldError:
    """One cause of a refusal: `path` as `spec.containers[0].name`, the cause's `reason`, and its message.

    `path` is `<nil>` where Kubernetes knows no field.
    """

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def invalid(path: str, value: Json, message: str) -> FieldError:
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {printed(value)}: {message}")


def mistyped(path: str, value: str, message: str) -> FieldError:
    return FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {printed(value)}: {message}")


def required(path: str, detail: str = "") -> FieldError:
    return FieldError(path, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def forbidden(path: str, detail: str) -> FieldError:
    return FieldError(path, "FieldValueForbidden", f"Forbidden: {detail}")


def duplicate(path: str, value: Json) -> FieldError:
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {printed(value)}")


def not_supported(path: str, value: Json, choices: list[Json]) -> FieldError:
    listed = ", ".join(printed(one) for one in choices)
    message = f"Unsupported value: {printed(value)}: supported values: {listed}"
    return FieldError(path, "FieldValueNotSupported", message)


def too_long(path: str, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    return FieldError(path, "FieldValueTooMany", f"Too many: {actual}: must have at most {limit} items")


def printed(value: Json) -> str:
    """A value inside a message: strings quoted, numbers as Go prints them, the rest as JSON with sorted keys."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


# Most values are of these very types.
_NAMES: dict[type, str] = {
    str: "string",
    dict: "object",
    list: "array",
    int: "integer",
    bool: "boolean",
    type(None): "null",
}


def type_name(value: Json) -> str:
    """The JSON type of a value; a number without a fraction is an integer however it was written."""
    if (name := _NAMES.get(type(value))) is not None:
        return name
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
