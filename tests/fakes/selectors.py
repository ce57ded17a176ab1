"""Label and field selectors as the in-memory API server reads them."""

import re

from inferplane.kernel.json import Json, JsonObject, object_at

_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")


def selects(item: JsonObject, labels: str, fields: str) -> bool:
    tags = object_at(item, "metadata", "labels")
    return all(_label(tags, one) for one in _terms(labels)) and all(_field(item, one) for one in _terms(fields))


def _terms(selector: str) -> list[str]:
    return [one.strip() for one in re.split(r",(?![^(]*\))", selector) if one.strip()]


def _label(tags: JsonObject, term: str) -> bool:
    if found := _SET.match(term):
        key, operator, values = found.groups()
        inside = tags.get(key) in {one.strip() for one in values.split(",")}
        return inside if operator == "in" else not inside
    if "!=" in term:
        key, _, value = term.partition("!=")
        return tags.get(key) != value
    if "=" in term:
        key, _, value = term.replace("==", "=").partition("=")
        return tags.get(key) == value
    return term[1:] not in tags if term.startswith("!") else term in tags


def _field(item: JsonObject, term: str) -> bool:
    differs = "!=" in term
    path, _, value = term.replace("==", "=").replace("!=", "=").partition("=")
    here: Json = item
    for step in path.split("."):
        here = here.get(step) if isinstance(here, dict) else None
    return ((here or "") == value) != differs
