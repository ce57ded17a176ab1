"""The part of Go's templates that runtimes and the configuration use: `{{.Name}}`, `{{ .Annotations.key }}`.

Text and data go in, text comes out. A key that a map lacks prints `<no value>`, as Go does; a field that the data does
not have, and anything beyond field access, is an error that names the template.
"""

import re
from collections.abc import Mapping

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FIELDS = re.compile(r"(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
NO_VALUE = "<no value>"


class TemplateError(InferplaneError):
    """A template that cannot be filled in."""


def rendered(template: str, data: Mapping[str, Json]) -> str:
    text = _ACTION.sub(lambda action: _value(template, action[1].strip(), data), template)
    if "{{" in text and "{{" in _ACTION.sub("", template):
        raise TemplateError(f"template {template!r}: '{{{{' without '}}}}'")
    return text


def rendered_tree(value: Json, data: Mapping[str, Json]) -> Json:
    """`value` with every string in it filled in; the keys of objects are left as they are."""
    match value:
        case str():
            return rendered(value, data)
        case list():
            return [rendered_tree(item, data) for item in value]
        case dict():
            return {key: rendered_tree(item, data) for key, item in value.items()}
        case _:
            return value


def _value(template: str, action: str, data: Mapping[str, Json]) -> str:
    if not _FIELDS.fullmatch(action):
        raise TemplateError(
            f"template {template!r}: {{{{{action}}}}} is not supported", fix="use fields only, such as {{.Name}}"
        )
    first, *rest = action[1:].split(".")
    if first not in data:
        raise TemplateError(f"template {template!r}: no field .{first}", fix=f"use one of {_names(data)}")
    here = data[first]
    for step in rest:
        if not isinstance(here, dict):
            raise TemplateError(f"template {template!r}: .{first} has no fields, so not .{step} either")
        here = here.get(step)
    return NO_VALUE if here is None else _printed(template, action, here)


def _printed(template: str, action: str, value: Json) -> str:
    if isinstance(value, dict | list):
        raise TemplateError(f"template {template!r}: {action} is not a single value")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _names(data: Mapping[str, Json]) -> str:
    return ", ".join(f".{name}" for name in data)
