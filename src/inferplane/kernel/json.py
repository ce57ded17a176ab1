"""JSON as a type, for the edges where an object is not (or not yet) a typed value."""

from collections.abc import Mapping
from typing import TypeAlias

# Only the recursion is quoted, so that `JsonObject | None` can be written in annotations that are evaluated.
Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
JsonObject: TypeAlias = dict[str, "Json"]


def object_at(value: Mapping[str, Json], *path: str) -> JsonObject:
    """The object at `path`, or an empty one when anything on the way is absent or not an object."""
    here: Json = value if isinstance(value, dict) else dict(value)
    for step in path:
        here = here.get(step) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def list_at(value: Mapping[str, Json], *path: str) -> list[Json]:
    """The list at `path`, or an empty one when anything on the way is absent or not a list."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def text_at(value: Mapping[str, Json], *path: str) -> str:
    """The string at `path`, or `""` when anything on the way is absent or not a string."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def number_at(value: Mapping[str, Json], *path: str) -> int:
    """The integer at `path`, or 0 when anything on the way is absent or not an integer."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else 0
