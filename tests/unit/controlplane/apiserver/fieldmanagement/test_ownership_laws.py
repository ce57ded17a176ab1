"""What holds for every object and every manager: laws of ownership, over made-up widgets."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from inferplane.controlplane.apiserver.fieldmanagement import apply
from inferplane.controlplane.apiserver.fieldmanagement.objects import changes, field_set, merged, without
from inferplane.controlplane.apiserver.fieldmanagement.paths import decoded, encoded
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.schemas import custom

WIDGET = custom(json.loads((Path(__file__).parent / "widget_schema.json").read_text()))
NAMES = st.sampled_from("abcd")
TEXTS = st.sampled_from(["", "x", "y"])

# No empty containers: one that is stated empty is filled by others, and then isn't a field of its own any more.
PORTS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"port": st.integers(0, 3), "proto": TEXTS}),
    unique_by=lambda port: str(port["name"]),
    min_size=1,
    max_size=4,
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "color": TEXTS,
        "ports": PORTS,
        "tags": st.lists(NAMES, unique=True, min_size=1, max_size=3),
        "atoms": st.lists(TEXTS, max_size=3),
        "block": st.dictionaries(st.sampled_from("ab"), TEXTS, min_size=1, max_size=2),
        "free": st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3),
    },
)
WIDGETS = SPECS.map(
    lambda spec: {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec}
)


def applied(live: JsonObject | None, body: JsonObject, manager: str, *, now: str = "1") -> JsonObject:
    return apply(
        live,
        body,
        manager=manager,
        subresource="",
        force=True,
        now=now,
        schema=WIDGET,
        api_version="example.com/v1",
    )


@given(WIDGETS)
def test_fields_survive_being_written_down(widget: JsonObject) -> None:
    fields = field_set(WIDGET, widget)
    assert decoded(encoded(fields)) == fields


@given(WIDGETS, WIDGETS)
def test_a_merge_states_all_that_was_applied(live: JsonObject, body: JsonObject) -> None:
    both = merged(WIDGET, live, body)
    assert field_set(WIDGET, body) <= field_set(WIDGET, both) | {("f:spec",)}
    assert merged(WIDGET, both, body) == both


@given(WIDGETS)
def test_an_object_differs_from_itself_in_nothing(widget: JsonObject) -> None:
    assert not changes(WIDGET, widget, widget)


@given(WIDGETS)
def test_taking_nothing_away_leaves_the_object_alone(widget: JsonObject) -> None:
    assert without(WIDGET, widget, set()) == widget


@given(WIDGETS, WIDGETS)
def test_applying_twice_is_applying_once(first: JsonObject, second: JsonObject) -> None:
    live = applied(applied(None, first, "one"), second, "two")
    assert applied(live, second, "two", now="2") == live


@given(WIDGETS, WIDGETS)
def test_a_manager_that_leaves_takes_only_its_own_fields_along(first: JsonObject, second: JsonObject) -> None:
    live = applied(applied(None, first, "one"), second, "two")
    gone = applied(live, {**first, "spec": {}}, "one")
    stated = merged(WIDGET, {}, second)
    assert field_set(WIDGET, {"spec": object_at(stated, "spec")}) - {("f:spec",)} <= field_set(WIDGET, gone)


@given(WIDGETS, WIDGETS)
def test_after_a_forced_apply_everything_applied_has_the_applied_value(first: JsonObject, second: JsonObject) -> None:
    live = applied(applied(None, first, "one"), second, "two")
    spec, wanted = object_at(live, "spec"), object_at(second, "spec")
    for name in ("size", "color", "atoms", "block"):
        if name in wanted:
            assert spec[name] == wanted[name]
