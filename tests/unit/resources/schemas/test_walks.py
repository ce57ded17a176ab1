"""Unknown fields, pruning and defaulting."""

from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas import Schema, builtin, custom, default, prune, type_errors, unknown_fields

WIDGET = custom(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "mode": {"type": "string", "default": "fast"},
                    "maybe": {"type": "string", "nullable": True},
                    "nested": {"type": "object", "default": {}, "properties": {"a": {"type": "integer", "default": 5}}},
                    "items": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"m": {"type": "string", "default": "d"}}},
                    },
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {}}}},
                },
            }
        },
    }
)


def test_defaults_fill_absent_fields_at_every_depth() -> None:
    assert default(WIDGET, {"spec": {"items": [{}, {"m": "own"}], "nested": {}}}) == {
        "spec": {"items": [{"m": "d"}, {"m": "own"}], "nested": {"a": 5}, "mode": "fast"}
    }


def test_null_counts_as_absent_unless_the_field_is_nullable() -> None:
    assert default(WIDGET, {"spec": {"mode": None, "nested": None, "maybe": None}}) == {
        "spec": {"mode": "fast", "nested": {"a": 5}, "maybe": None}
    }


def test_an_object_with_nothing_to_default_is_given_back_itself() -> None:
    whole: JsonObject = {"spec": {"mode": "slow", "nested": {"a": 1}}}
    assert default(WIDGET, whole) is whole


def test_pruning_drops_undeclared_fields_and_keeps_free_ones() -> None:
    obj: JsonObject = {
        "kind": "Widget",
        "other": 1,
        "spec": {"mode": "a", "extra": 1, "free": {"any": [{"thing": 1}]}, "map": {"k": {"x": 1, "y": 2}}},
    }
    assert prune(WIDGET, obj) == {
        "kind": "Widget",
        "spec": {"mode": "a", "free": {"any": [{"thing": 1}]}, "map": {"k": {"x": 1}}},
    }
    assert unknown_fields(WIDGET, obj) == ["other", "spec.extra", "spec.map.k.y"]


def test_an_object_with_nothing_to_prune_is_given_back_itself() -> None:
    whole: JsonObject = {"spec": {"items": [{"m": "a"}]}}
    assert prune(WIDGET, whole) is whole


def test_unknown_fields_of_a_built_in_kind_come_in_the_order_of_the_object() -> None:
    container: JsonObject = {"name": "main", "imagePullPolice": "Always"}
    deployment: JsonObject = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "lables": {}},
        "spec": {"template": {"spec": {"containers": [container]}}, "replicaz": 3},
    }
    assert unknown_fields(builtin("apps/v1", "Deployment"), deployment) == [
        "metadata.lables",
        "spec.template.spec.containers[0].imagePullPolice",
        "spec.replicaz",
    ]


def test_metadata_of_a_custom_object_is_declared_by_kubernetes() -> None:
    assert unknown_fields(WIDGET, {"metadata": {"labels": {"a": "b"}, "lables": {}}}) == ["metadata.lables"]


def test_values_of_a_wrong_type_are_found_in_built_in_kinds() -> None:
    service: JsonObject = {
        "spec": {"ports": [{"port": "80", "targetPort": "http"}], "selector": {"a": 1}, "type": None}
    }
    found = type_errors(builtin("v1", "Service"), service)
    assert [one.path for one in found] == ["spec.ports[0].port", "spec.selector.a"]


def test_a_schema_without_words_takes_anything() -> None:
    assert unknown_fields(Schema({}), {"a": {"b": 1}}) == []


def test_null_counts_as_absent_where_nothing_has_a_default_too() -> None:
    plain = custom({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}})
    assert default(plain, {"a": {"b": None}}) == {"a": {}}
    whole: JsonObject = {"a": {"b": "null"}}
    assert default(plain, whole) is whole
