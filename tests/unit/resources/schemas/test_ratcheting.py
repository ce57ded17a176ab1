"""An update is held to what it changes: what was there before a schema became stricter may stay."""

import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import Schema, validate

NUMBER: JsonObject = {"type": "integer", "maximum": 5}


def errors(schema: JsonObject, old: Json, new: Json) -> list[str]:
    """Paths of what is wrong with `x` as it is now."""
    whole = Schema({"type": "object", "properties": {"x": schema}})
    return [one.path for one in validate(whole, {"x": new}, {"x": old})]


def fields(**schemas: JsonObject) -> JsonObject:
    return {"type": "object", "properties": {**schemas}, "required": ["needed"]}


def listed(kind: str = "") -> JsonObject:
    item: JsonObject = {"type": "object", "properties": {"name": {"type": "string"}, "n": NUMBER}}
    keys: JsonObject = {"x-kubernetes-list-map-keys": ["name"]} if kind == "map" else {}
    return {"type": "array", "items": item, **({"x-kubernetes-list-type": kind} if kind else {}), **keys}


@pytest.mark.parametrize(
    ("schema", "old", "new", "wrong"),
    [
        (NUMBER, 9, 9, []),
        (NUMBER, 9, 8, ["x"]),
        (NUMBER, "text", "text", []),
        (NUMBER, 1, True, ["x"]),
        ({"type": "boolean"}, 1, True, []),
        ({"type": "object", "additionalProperties": NUMBER}, {"a": 9}, {"a": 9, "b": 8}, ["x.b"]),
        (fields(a=NUMBER), {"a": 9}, {"a": 9}, []),
        (fields(a=NUMBER, b=NUMBER), {"a": 9, "b": 1}, {"a": 9, "b": 2}, ["x.needed"]),
        (fields(a=NUMBER, b=NUMBER), {"a": 9, "needed": 1}, {"a": 9, "needed": 2, "b": 9}, ["x.b"]),
    ],
)
def test_only_what_changes_must_fit(schema: JsonObject, old: Json, new: Json, wrong: list[str]) -> None:
    assert errors(schema, old, new) == wrong


@pytest.mark.parametrize(
    ("kind", "wrong"), [("map", ["x[1].n"]), ("", ["x[0].n", "x[1].n"]), ("atomic", ["x[0].n", "x[1].n"])]
)
def test_items_are_the_same_ones_by_their_keys_only(kind: str, wrong: list[str]) -> None:
    old: Json = [{"name": "a", "n": 9}, {"name": "b", "n": 1}]
    new: Json = [{"name": "a", "n": 9}, {"name": "b", "n": 8}]
    assert errors(listed(kind), old, old) == []
    assert errors(listed(kind), old, new) == wrong


def test_a_list_that_holds_an_item_twice_may_stay_as_it_is() -> None:
    twice: Json = [{"name": "a"}, {"name": "a"}]
    assert errors(listed("map"), twice, twice) == []
    assert errors(listed("map"), twice, [{"name": "a"}, {"name": "a"}, {"name": "b"}]) == ["x[1]"]


def test_alternatives_are_asked_again_when_anything_in_the_value_changes() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "anyOf": [{"required": ["c"]}],
    }
    assert errors(schema, {"a": 1}, {"a": 1}) == []
    assert errors(schema, {"a": 1}, {"a": 1, "b": 2}) != []


def test_what_is_created_must_fit_as_a_whole() -> None:
    whole = Schema({"type": "object", "properties": {"x": NUMBER}})
    assert [one.path for one in validate(whole, {"x": 9})] == ["x"]
    assert [one.path for one in validate(whole, {"x": 9}, {})] == ["x"]
