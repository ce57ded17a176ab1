"""Strategic merge patch on built-in kinds."""

import json
from pathlib import Path

import pytest

from inferplane.controlplane.apiserver.patching import PatchError, strategic_merge_patch
from inferplane.kernel.json import Json, JsonObject, list_at
from inferplane.resources.schemas import builtin

RECORDED = json.loads((Path(__file__).parent / "strategic_deletes.json").read_text())
DEPLOYMENT = builtin("apps/v1", "Deployment")
SERVICE = builtin("v1", "Service")
POD = builtin("v1", "Pod")


def without_empty(value: Json) -> Json:
    """As the API prints an object: without empty lists and maps of plain values (`args: []`, `nodeSelector: {}`)."""
    if isinstance(value, dict):
        return {k: without_empty(v) for k, v in value.items() if v != [] and not (k == "nodeSelector" and v == {})}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


def test_a_deployment_takes_each_patch_as_a_real_server_does() -> None:
    before = RECORDED["before"]
    for case in RECORDED["cases"]:
        after = without_empty(strategic_merge_patch(before, case["patch"], DEPLOYMENT))
        wanted = case["after"]
        for container in list_at(wanted, "spec", "template", "spec", "containers"):
            if isinstance(container, dict) and container["name"] == "only":
                # The patch brought it; its defaults come after the merge.
                for key in ("resources", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy"):
                    del container[key]
        assert after == wanted, case["patch"]
        before = wanted


def ports(*numbers: int) -> list[Json]:
    return [{"name": f"p{number}", "port": number} for number in numbers]


def patched_ports(before: list[Json], spec: JsonObject) -> list[Json]:
    service: JsonObject = {"spec": {"ports": before}}
    return list_at(strategic_merge_patch(service, {"spec": spec}, SERVICE), "spec", "ports")


def test_patched_items_come_in_the_order_of_the_patch_before_what_only_the_server_has() -> None:
    after = patched_ports(ports(80, 81), {"ports": [{"port": 80, "name": "web"}, {"port": 82, "name": "more"}]})
    assert after == [{"port": 80, "name": "web"}, {"port": 82, "name": "more"}, {"port": 81, "name": "p81"}]


def test_an_item_that_only_the_server_has_stays_before_what_it_preceded() -> None:
    after = patched_ports(ports(80, 81), {"ports": [{"port": 81, "name": "web"}]})
    assert after == [{"port": 80, "name": "p80"}, {"port": 81, "name": "web"}]


def test_the_stated_order_of_elements_wins() -> None:
    order: list[Json] = [{"port": 82}, {"port": 80}]
    after = patched_ports(ports(80, 81, 82), {"$setElementOrder/ports": order})
    assert [one["port"] for one in after if isinstance(one, dict)] == [81, 82, 80]


def test_retained_keys_drop_the_other_branches_of_a_union() -> None:
    volumes: list[Json] = [{"name": "v", "emptyDir": {}}]
    patch: list[Json] = [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]
    after = strategic_merge_patch({"spec": {"volumes": volumes}}, {"spec": {"volumes": patch}}, POD)
    assert after == {"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}}]}}


def test_maps_merge_and_null_removes() -> None:
    before: JsonObject = {"spec": {"selector": {"a": "b"}}, "metadata": {"labels": {"b": "2"}}}
    patch: JsonObject = {"spec": {"selector": {"c": "d", "a": None}}, "metadata": {"labels": {"$patch": "delete"}}}
    assert strategic_merge_patch(before, patch, SERVICE) == {"spec": {"selector": {"c": "d"}}, "metadata": {}}


def test_a_map_is_replaced_when_the_patch_says_so() -> None:
    after = strategic_merge_patch(
        {"data": {"a": "1"}}, {"data": {"$patch": "replace", "z": "1"}}, builtin("v1", "ConfigMap")
    )
    assert after == {"data": {"z": "1"}}


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ({"spec": {"ports": [{"port": 80, "$patch": "explode"}]}}, 500),
        ({"spec": {"ports": [{"name": "http"}]}}, 500),
        ({"spec": {"ports": [{"port": {}}]}}, 400),
        ({"spec": {"$retainKeys": "x"}}, 400),
        ({"spec": {"$retainKeys": [], "type": "ClusterIP"}}, 400),
        ({"spec": {"$setElementOrder/ports": "x"}}, 400),
        ({"metadata": {"finalizers": [["a"]]}}, 422),
        ({"$patch": "replace", "spec": {}}, 400),
        ([], 400),
    ],
)
def test_a_directive_that_makes_no_sense_is_refused(patch: Json, status: int) -> None:
    with pytest.raises(PatchError) as refused:
        strategic_merge_patch({"spec": {"ports": ports(80)}}, patch, SERVICE)
    assert refused.value.status == status


def test_the_document_that_came_in_stays_as_it_was() -> None:
    before: JsonObject = {"spec": {"ports": ports(80)}}
    strategic_merge_patch(before, {"spec": {"ports": [{"port": 80, "$patch": "delete"}], "type": "x"}}, SERVICE)
    assert before == {"spec": {"ports": ports(80)}}
