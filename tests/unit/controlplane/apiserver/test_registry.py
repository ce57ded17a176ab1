from dataclasses import replace

from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.kinds import BUILT_IN, Kind
from inferplane.controlplane.apiserver.registry import Registry, version_priority


def kind(version: str, plural: str = "things") -> Kind:
    resource = Resource("x.io", version, plural, "Thing")
    return Kind(resource, singular="thing", list_kind="ThingList", storage=resource, short_names=("th",))


def test_versions_stand_in_the_order_of_kubernetes() -> None:
    versions = ["v1alpha1", "foo", "v1", "v2beta1", "v10", "v2", "v1beta2", "v1beta1", "bar"]
    expected = ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1beta1", "v1alpha1", "bar", "foo"]
    assert sorted(versions, key=version_priority) == expected


def test_a_definition_s_kinds_come_and_go_as_one() -> None:
    registry = Registry(BUILT_IN)
    before = registry.generation
    registry.define("things.x.io", [kind("v1"), kind("v1beta1")])
    assert registry.groups()["x.io"] == ["v1", "v1beta1"]
    assert registry.find("x.io", "v1beta1", "things") == kind("v1beta1")
    registry.define("things.x.io", [])
    assert registry.find("x.io", "v1", "things") is None
    assert "x.io" not in registry.groups()
    assert registry.generation == before + 2


def test_names_in_use_are_known_to_others_and_not_to_their_owner() -> None:
    registry = Registry(())
    registry.define("things.x.io", [kind("v1")])
    assert registry.taken_names("x.io", "others.x.io") == {
        "resource": {"things", "thing", "th"},
        "kind": {"Thing", "ThingList"},
    }
    assert registry.taken_names("x.io", "things.x.io") == {"resource": set(), "kind": set()}
    assert registry.taken_names("y.io", "others.y.io") == {"resource": set(), "kind": set()}


def test_every_built_in_kind_is_found_by_path_and_by_type() -> None:
    registry = Registry(BUILT_IN)
    for one in BUILT_IN:
        resource = one.resource
        assert registry.find(resource.group, resource.version, resource.plural) is one
        assert registry.of_type(resource.api_version, resource.kind) is one
    assert replace(BUILT_IN[0], definition=None).key == "/configmaps"
