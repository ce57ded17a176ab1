"""Server-side apply and the ownership it keeps."""

import json
from pathlib import Path

import pytest

from inferplane.controlplane.apiserver.fieldmanagement import (
    ApplyConflict,
    ApplyInvalid,
    apply,
    only_times_differ,
    record_update,
)
from inferplane.controlplane.apiserver.patching import merge_patch
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.schemas import Schema, builtin, custom

HERE = Path(__file__).parent
SCENARIOS = json.loads((HERE / "configmaps.json").read_text())["scenarios"]
CONFIG_MAP = builtin("v1", "ConfigMap")
DEPLOYMENT = builtin("apps/v1", "Deployment")
WIDGET = custom(json.loads((HERE / "widget_schema.json").read_text()))
FIRST, SECOND = "2020-01-01T00:00:01Z", "2020-01-01T00:00:02Z"


def applied(
    live: JsonObject | None,
    body: JsonObject,
    schema: Schema = CONFIG_MAP,
    *,
    manager: str = "one",
    subresource: str = "",
    force: bool = False,
    now: str = FIRST,
) -> JsonObject:
    api_version = text_at(body, "apiVersion") or "v1"
    return apply(
        live,
        body,
        manager=manager,
        subresource=subresource,
        force=force,
        now=now,
        schema=schema,
        api_version=api_version,
    )


def updated(
    old: JsonObject | None, new: JsonObject, schema: Schema = CONFIG_MAP, *, manager: str = "editor", now: str = FIRST
) -> JsonObject:
    return record_update(old, new, manager=manager, subresource="", now=now, schema=schema, api_version="v1")


def owners(obj: JsonObject) -> dict[str, JsonObject]:
    entries = [one for one in list_at(obj, "metadata", "managedFields") if isinstance(one, dict)]
    return {text_at(one, "manager"): object_at(one, "fieldsV1") for one in entries}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: str(one["name"]))
def test_config_maps_change_hands_as_on_a_real_server(scenario: JsonObject) -> None:
    live: JsonObject | None = None
    for step in list_at(scenario, "steps"):
        assert isinstance(step, dict)
        manager, force = text_at(step, "manager"), step["force"] is True
        if "conflict" in step:
            with pytest.raises(ApplyConflict) as refused:
                applied(live, object_at(step, "apply"), manager=manager, force=force)
            assert refused.value.message == text_at(step, "conflict", "message")
            causes: list[Json] = [[one.path, one.reason, one.message] for one in refused.value.causes]
            assert causes == list_at(step, "conflict", "causes")
            continue
        if "merge" in step:
            assert live is not None
            live = updated(live, merge_patch(live, step["merge"]), manager=manager)
        else:
            live = applied(live, object_at(step, "apply"), manager=manager, force=force)
        wanted = object_at(step, "after")
        assert live.get("data") == wanted["data"]
        assert object_at(live, "metadata").get("labels") == wanted["labels"]
        entries = [one for one in list_at(live, "metadata", "managedFields") if isinstance(one, dict)]
        assert [{k: v for k, v in one.items() if k not in ("time", "fieldsType")} for one in entries] == list_at(
            wanted, "managedFields"
        )


def deployment(container: JsonObject, **spec: Json) -> JsonObject:
    template: JsonObject = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_containers_env_and_ports_are_owned_by_their_keys() -> None:
    main: JsonObject = {
        "name": "main",
        "image": "i:1",
        "env": [{"name": "A", "value": "1"}],
        "ports": [{"containerPort": 80}],
    }
    assert owners(applied(None, deployment(main, replicas=1), DEPLOYMENT))["one"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"main"}': {
                            ".": {},
                            "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                        }
                    }
                },
            },
        }
    }


def test_a_port_is_the_same_with_and_without_its_default_protocol() -> None:
    live = applied(None, deployment({"name": "main", "ports": [{"containerPort": 80}]}), DEPLOYMENT)
    ports: list[Json] = [{"containerPort": 80, "protocol": "TCP", "name": "http"}]
    again = applied(live, deployment({"name": "main", "ports": ports}), DEPLOYMENT, manager="two")
    container = list_at(again, "spec", "template", "spec", "containers")[0]
    assert container == {"name": "main", "ports": ports}


def test_defaults_that_came_later_stay_when_their_container_stays_and_go_with_it() -> None:
    live = applied(None, deployment({"name": "main", "image": "i", "env": [{"name": "A"}]}), DEPLOYMENT)
    spec = object_at(live, "spec", "template", "spec")
    spec["containers"] = [{"name": "main", "image": "i", "env": [{"name": "A"}], "imagePullPolicy": "Always"}]
    kept = applied(live, deployment({"name": "main", "image": "j"}), DEPLOYMENT)
    assert list_at(kept, "spec", "template", "spec", "containers") == [
        {"name": "main", "image": "j", "imagePullPolicy": "Always"}
    ]
    renamed = applied(live, deployment({"name": "other", "image": "j"}), DEPLOYMENT)
    assert list_at(renamed, "spec", "template", "spec", "containers") == [{"name": "other", "image": "j"}]


def test_what_another_manager_put_into_an_abandoned_item_keeps_the_item() -> None:
    live = applied(None, deployment({"name": "main", "image": "i"}), DEPLOYMENT)
    side: JsonObject = {"name": "main", "tty": True}
    shared = applied(live, deployment(side), DEPLOYMENT, manager="two")
    left = applied(shared, deployment({"name": "new", "image": "i"}), DEPLOYMENT)
    assert list_at(left, "spec", "template", "spec", "containers") == [side, {"name": "new", "image": "i"}]


def test_a_selector_is_one_value() -> None:
    service = builtin("v1", "Service")
    live = applied(None, {"kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"a": "b"}}}, service)
    body: JsonObject = {"kind": "Service", "metadata": {"name": "a"}, "spec": {"selector": {"c": "d"}}}
    with pytest.raises(ApplyConflict, match=r"conflict with \"one\": \.spec\.selector"):
        applied(live, body, service, manager="two")


def test_a_conflict_names_an_item_by_its_keys_and_an_updater_by_its_version() -> None:
    live = updated(None, deployment({"name": "main", "image": "i"}, replicas=1), DEPLOYMENT)
    with pytest.raises(ApplyConflict) as refused:
        applied(live, deployment({"name": "main", "image": "j"}, replicas=2), DEPLOYMENT)
    assert refused.value.message == (
        'Apply failed with 2 conflicts: conflicts with "editor" using v1:\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="main"].image'
    )


def widget(**spec: Json) -> JsonObject:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": spec}


def test_sets_unite_and_lose_only_what_their_manager_drops() -> None:
    live = applied(None, widget(tags=["a", "b"]), WIDGET)
    both = applied(live, widget(tags=["b", "c"]), WIDGET, manager="two")
    assert object_at(both, "spec") == {"tags": ["a", "b", "c"]}
    assert owners(both)["two"] == {"f:spec": {"f:tags": {'v:"b"': {}, 'v:"c"': {}}}}
    assert object_at(applied(both, widget(tags=["a"]), WIDGET), "spec") == {"tags": ["a", "b", "c"]}
    assert object_at(applied(both, widget(tags=["b"]), WIDGET), "spec") == {"tags": ["b", "c"]}


def test_atomic_lists_and_blocks_are_replaced_whole() -> None:
    live = applied(None, widget(atoms=["a"], block={"a": "1"}), WIDGET)
    after = applied(live, widget(atoms=["b"], block={"b": "2"}), WIDGET)
    assert object_at(after, "spec") == {"atoms": ["b"], "block": {"b": "2"}}
    assert owners(after)["one"] == {"f:spec": {"f:atoms": {}, "f:block": {}}}


def test_a_map_list_keeps_the_order_of_the_applier_and_the_place_of_the_rest() -> None:
    live = applied(None, widget(ports=[{"name": "a"}, {"name": "b"}, {"name": "c"}]), WIDGET)
    after = applied(live, widget(ports=[{"name": "c"}, {"name": "a"}, {"name": "x"}]), WIDGET, manager="two")
    names = [one["name"] for one in list_at(after, "spec", "ports") if isinstance(one, dict)]
    assert names == ["b", "c", "a", "x"]


def test_status_has_managers_of_its_own() -> None:
    live = applied(None, widget(size=1), WIDGET)
    status: JsonObject = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    after = applied(live, {**status, "status": {"phase": "up"}}, WIDGET, manager="ctl", subresource="status")
    assert owners(after) == {"ctl": {"f:status": {"f:phase": {}}}, "one": {"f:spec": {"f:size": {}}}}
    with pytest.raises(ApplyConflict) as refused:
        applied(after, {**status, "status": {"phase": "x"}}, WIDGET, manager="rival", subresource="status")
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "ctl" with subresource "status": .status.phase'
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (deployment({"name": "main"}, replicaz=1), ".spec.replicaz: field not declared in schema"),
        (deployment({"name": "main"}, replicas="x"), ".spec.replicas"),
        (deployment({"name": "main", "env": [{"name": "A"}, {"name": "A"}]}), 'duplicate entries for key [name="A"]'),
        (deployment({"image": "i"}), "omits name"),
    ],
)
def test_an_applied_object_must_fit_its_schema(body: JsonObject, fault: str) -> None:
    with pytest.raises(ApplyInvalid) as refused:
        applied(None, body, DEPLOYMENT)
    assert fault in refused.value.message


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    body = deployment({"name": "main", "image": "i"})
    live = applied(None, body, DEPLOYMENT)
    assert applied(live, body, DEPLOYMENT, now=SECOND) == live


def test_system_metadata_in_an_applied_object_is_nobodys() -> None:
    live: JsonObject = applied(None, {"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}})
    live = {**live, "metadata": {**object_at(live, "metadata"), "uid": "u", "creationTimestamp": FIRST}}
    again: JsonObject = {"kind": "ConfigMap", "metadata": {"name": "a", "creationTimestamp": None}, "data": {"x": "1"}}
    assert applied(live, again, now=SECOND) == live


def test_an_update_owns_what_it_added_containers_included() -> None:
    live = updated(None, {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"l": "1"}}, "data": {"k": "1"}})
    assert owners(live) == {
        "editor": {"f:data": {".": {}, "f:k": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}
    }


def test_what_the_server_puts_into_status_at_creation_is_nobodys() -> None:
    pod: JsonObject = {"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"phase": "Pending"}}
    created = record_update(
        None,
        pod,
        manager="kubectl",
        subresource="",
        now=FIRST,
        schema=builtin("v1", "Pod"),
        api_version="v1",
        unwritten=frozenset({"status"}),
    )
    assert owners(created) == {"kubectl": {"f:spec": {".": {}, "f:nodeName": {}}}}


def test_an_updated_field_moves_to_the_updater_and_a_removed_one_to_nobody() -> None:
    live = applied(None, {"metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}})
    after = updated(live, merge_patch(live, {"data": {"x": "2", "y": None}}), now=SECOND)
    assert owners(after) == {"editor": {"f:data": {"f:x": {}}}}


def test_an_update_without_effect_leaves_no_trace() -> None:
    live = applied(None, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    assert updated(live, dict(live), now=SECOND) == live


def test_versions_that_differ_in_times_alone_are_the_same() -> None:
    live = updated(None, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    later = updated(None, {"metadata": {"name": "a"}, "data": {"x": "1"}}, now=SECOND)
    assert live != later
    assert only_times_differ(live, later)
    assert not only_times_differ(live, updated(live, {"metadata": {"name": "a"}, "data": {"x": "2"}}))


def test_what_was_there_before_the_first_record_has_an_owner() -> None:
    live: JsonObject = {"apiVersion": "v1", "metadata": {"name": "a", "creationTimestamp": FIRST}, "data": {"x": "1"}}
    with pytest.raises(ApplyConflict, match=r'conflict with "before-first-apply" using v1: \.data\.x'):
        applied(live, {"metadata": {"name": "a"}, "data": {"x": "2"}})
