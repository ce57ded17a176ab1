"""The `fieldPath` of a rule: a JSON path of names (`.spec.replicas`, `['a.b']`) within the part that the rule is on."""

import re

from inferplane.kernel.json import Json, JsonObject

_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\.)*)'\]")


def named_path(path: str, schema: JsonObject) -> str | None:
    """As errors print it (`spec.replicas`, `labels[a.b]`); None when it doesn't lead to a part of the schema."""
    shown, at = "", 0
    found: Json = schema
    path = path.strip()
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or not isinstance(found, dict):
            return None
        name = step[1] if step[1] is not None else re.sub(r"\\(.)", r"\1", step[2])
        properties, values = found.get("properties"), found.get("additionalProperties")
        if isinstance(properties, dict):
            found, shown = properties.get(name), f"{shown}.{name}" if shown else name
        else:
            found, shown = values, f"{shown}[{name}]"
        if not isinstance(found, dict):
            return None
        at = step.end()
    return shown
