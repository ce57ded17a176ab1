"""Label and field selectors of list, watch and deletecollection, from their query strings. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.labels import Requirement
from inferplane.controlplane.apiserver.labels import parse as label_requirements
from inferplane.kernel.json import Json, JsonObject, object_at

Matches = Callable[[JsonObject], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """Both selectors of a request. `text` is what was asked; an empty selector matches everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Matches, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, obj: JsonObject) -> bool:
        labels = object_at(obj, "metadata", "labels") if self.labels else {}
        return all(wanted(labels) for wanted in self.labels) and all(wanted(obj) for wanted in self.fields)


def parse(kind: Kind, labels: str, fields: str) -> Selector:
    """Raises 400 on a malformed selector and on a field that the kind can't be selected by."""
    return Selector(tuple(label_requirements(labels)), tuple(_field_requirements(kind, fields)))


_FIELD = re.compile(r"(?P<key>[^=!,]+)(?P<op>!=|==|=)(?P<value>(?:[^,\\]|\\.)*)(?:,|$)")


def _field_requirements(kind: Kind, text: str) -> list[Matches]:
    found, at = [], 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{text[at:]}'")
        found.append(
            _field_requirement(kind, match["key"], match["op"] == "!=", re.sub(r"\\(.)", r"\1", match["value"]))
        )
        at = match.end()
    return found


def _field_requirement(kind: Kind, path: str, negated: bool, wanted: str) -> Matches:
    _check_field(kind, path)
    steps = path.split(".")
    if path == "reportingComponent" or path == "source":
        return lambda obj: (_event_source(obj) == wanted) != negated
    return lambda obj: (_text_of(obj, steps) == wanted) != negated


def _check_field(kind: Kind, path: str) -> None:
    if path in ("metadata.name", "metadata.namespace"):
        return
    own = kind.definition.selectable if kind.definition else kind.selectable
    if own is not None and path in own:
        return
    if own is None:
        known = '"metadata.name", "metadata.namespace"'
        raise bad_request(f'"{path}" is not a known field selector: only {known}')
    raise bad_request(f"field label not supported: {path}")


def _text_of(obj: JsonObject, steps: list[str]) -> str:
    here: Json = obj
    for step in steps:
        here = here.get(step) if isinstance(here, dict) else None
    if isinstance(here, bool):
        return "true" if here else "false"
    if here is None:
        # What Go's zero values print as: only these two of the selectable fields are not strings.
        return {"hostNetwork": "false", "unschedulable": "false", "replicas": "0"}.get(steps[-1], "")
    return str(here)


def _event_source(obj: JsonObject) -> str:
    return str(obj.get("reportingComponent") or object_at(obj, "source").get("component") or "")
