"""Whether an applied object fits its schema well enough to be owned field by field."""

from inferplane.controlplane.apiserver.fieldmanagement.paths import element, printed
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import ANYTHING, Schema, type_errors, unknown_fields


def typing_faults(schema: Schema, applied: JsonObject) -> list[str]:
    """Fields that don't exist, values of a wrong type, items that have the same key; each with its path."""
    faults = [f".{path}: field not declared in schema" for path in unknown_fields(schema, applied)]
    faults += [f".{one.path}: {one.message}" for one in type_errors(schema, applied)]
    return faults or repeated_items(schema, applied)


def repeated_items(schema: Schema, applied: JsonObject) -> list[str]:
    """Of an object that fits otherwise: items that have the same key, or none."""
    faults: list[str] = []
    _duplicates(schema, applied, "", faults)
    return faults


def _duplicates(schema: Schema, value: Json, path: str, faults: list[str]) -> None:
    if isinstance(value, dict):
        for name, child in value.items():
            if isinstance(child, dict | list):
                _duplicates(schema.property(name) or ANYTHING, child, f"{path}.{name}", faults)
    elif isinstance(value, list) and schema.list_type != "atomic":
        seen: set[str] = set()
        for i, item in enumerate(value):
            key = element(schema, item, i)
            if key.startswith("i:"):
                keys = ", ".join(schema.map_keys)
                faults.append(f"{path}: element {i}: associative list with keys has an element that omits {keys}")
            elif key in seen:
                faults.append(f"{path}: duplicate entries for key {printed((key,))}")
            seen.add(key)
            _duplicates(schema.items, item, path + printed((key,)), faults)
