from inferplane.controlplane.apiserver import definitions
from inferplane.controlplane.apiserver.kinds import ScalePaths
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.kernel.json import Json, JsonObject, list_at, object_at

VERSION: JsonObject = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}},
    "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
    "additionalPrinterColumns": [{"name": "N", "type": "integer", "jsonPath": ".spec.n"}],
    "selectableFields": [{"jsonPath": ".spec.color"}],
}


def definition(*versions: Json, plural: str = "things", **names: Json) -> JsonObject:
    spec: JsonObject = {
        "group": "x.io",
        "scope": "Namespaced",
        "names": {"plural": plural, "kind": "Thing", **names},
        "versions": list(versions or (VERSION,)),
    }
    return {"metadata": {"name": f"{plural}.x.io"}, "spec": spec}


def accepted(obj: JsonObject, registry: Registry | None = None) -> JsonObject:
    return definitions.established(definitions.completed(obj), registry or Registry(()), "now")


def states(obj: JsonObject) -> dict[object, object]:
    return {one["type"]: one["status"] for one in list_at(obj, "status", "conditions") if isinstance(one, dict)}


def test_names_that_are_left_out_follow_from_the_kind() -> None:
    names = object_at(definitions.completed(definition()), "spec", "names")
    assert names == {"singular": "thing", "listKind": "ThingList", "plural": "things", "kind": "Thing"}


def test_an_accepted_definition_serves_its_versions_at_once() -> None:
    old: Json = VERSION | {"name": "v1beta1", "storage": False}
    unserved: Json = VERSION | {"name": "v0", "served": False, "storage": False}
    obj = accepted(definition(VERSION, old, unserved))
    assert states(obj) == {"NamesAccepted": "True", "Established": "True"}
    served = definitions.kinds(obj, 5)
    assert [(kind.resource.version, kind.storage.version) for kind in served] == [("v1", "v1"), ("v1beta1", "v1")]
    first = served[0].definition
    assert first is not None
    assert (first.scale, first.selectable, first.since) == (ScalePaths("spec.n", "status.n"), ("spec.color",), 5)
    assert served[0].subresources == ("status", "scale")


def test_a_name_in_use_is_not_accepted_and_nothing_is_served() -> None:
    registry = Registry(())
    registry.define("things.x.io", definitions.kinds(accepted(definition()), 1))
    rival = accepted(definition(plural="others", shortNames=["things"]), registry)
    assert states(rival) == {"NamesAccepted": "False", "Established": "False"}
    assert definitions.kinds(rival, 2) == []


def test_stored_versions_only_grow_and_a_condition_keeps_its_time() -> None:
    first = accepted(definition())
    second: Json = VERSION | {"name": "v2"}
    old: Json = VERSION | {"storage": False}
    changed = definition(old, second) | {"status": first["status"]}
    again = definitions.established(definitions.completed(changed), Registry(()), "later")
    assert object_at(again, "status")["storedVersions"] == ["v1", "v2"]
    times = {one["lastTransitionTime"] for one in list_at(again, "status", "conditions") if isinstance(one, dict)}
    assert times == {"now"}
