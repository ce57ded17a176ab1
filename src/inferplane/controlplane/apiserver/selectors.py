"""Label and field selectors of list, watch and deletecollection, from their query strings. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inferplane.controlplane.apiserver.errors import bad_request
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.kernel.json import Json, JsonObject, object_at

Matches = Callable[[JsonObject], bool]

# One requirement: `!key`, `key`, `key op value` or `key in (a, b)`. Keys and values may hold no operator signs.
_REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!)\s*)?(?P<key>[^\s,=!()<>]+)"
    r"(?:\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s,=!()<>]*)"
    r"|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*(?:,|$)"
)


@dataclass(frozen=True, slots=True)
class Selector:
    """Both selectors of a request. `text` is what was asked; an empty selector matches everything."""

    labels: tuple[Callable[[Mapping[str, Json]], bool], ...] = ()
    fields: tuple[Matches, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.labels and not self.fields

    def matches(self, obj: JsonObject) -> bool:
        labels = object_at(obj, "metadata", "labels") if self.labels else {}
        return all(wanted(labels) for wanted in self.labels) and all(wanted(obj) for wanted in self.fields)


def parse(kind: Kind, labels: str, fields: str) -> Selector:
    """Raises 400 on a malformed selector and on a field that the kind can't be selected by."""
    return Selector(tuple(_label_requirements(labels)), tuple(_field_requirements(kind, fields)))


def _label_requirements(text: str) -> list[Callable[[Mapping[str, Json]], bool]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _REQUIREMENT.match(text, at)
        if match is None or match.end() == at:
            raise bad_request(f"unable to parse requirement: found {text[at:]!r}, expected: identifier, or '!'")
        found.append(_label_requirement(match))
        at = match.end()
    return found


def _label_requirement(match: re.Match[str]) -> Callable[[Mapping[str, Json]], bool]:
    key, operator, value = match["key"], match["op"] or match["set"], match["value"]
    values = {one.strip() for one in (match["values"] or "").split(",")}
    if match["absent"]:
        return lambda labels: key not in labels
    match operator:
        case None:
            return lambda labels: key in labels
        case "=" | "==":
            return lambda labels: labels.get(key) == value
        case "!=":
            return lambda labels: labels.get(key) != value
        case "in":
            return lambda labels: key in labels and labels[key] in values
        case "notin":
            return lambda labels: key not in labels or labels[key] not in values
        case _:
            return _comparison(key, operator, value)


def _comparison(key: str, operator: str, value: str) -> Callable[[Mapping[str, Json]], bool]:
    if not re.fullmatch(r"-?\d+", value):
        raise bad_request(
            f"values[0][{key}]: Invalid value: {value!r}: for 'Gt', 'Lt' operators, the value must be an integer"
        )
    bound = int(value)

    def compare(labels: Mapping[str, Json]) -> bool:
        found = str(labels.get(key, ""))
        if not re.fullmatch(r"-?\d+", found):
            return False
        return int(found) > bound if operator == ">" else int(found) < bound

    return compare


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
