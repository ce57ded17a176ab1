"""What is refused of built-in kinds, and in which words."""

import json
from pathlib import Path

import pytest

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.builtin import default_object, validate_create, validate_update
from inferplane.controlplane.apiserver.patching import merge_patch
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.schemas import FieldError

RECORDED = json.loads((Path(__file__).parent / "refused.json").read_text())


def resource(obj: JsonObject) -> Resource:
    group, _, version = text_at(obj, "apiVersion").rpartition("/")
    return Resource(group, version, "", text_at(obj, "kind"))


def creation_errors(obj: JsonObject) -> list[FieldError]:
    return validate_create(resource(obj), default_object(resource(obj), obj))


def update_errors(old: JsonObject, new: JsonObject) -> list[FieldError]:
    kind = resource(old)
    return validate_update(kind, default_object(kind, old), default_object(kind, new))


def causes(found: list[FieldError]) -> list[Json]:
    return [[one.path, one.reason, one.message] for one in found]


def found_in(case: JsonObject) -> list[FieldError]:
    if "create" in case:
        return creation_errors(object_at(case, "create"))
    live = object_at(case, "live")
    return update_errors(live, merge_patch(live, case["merge"]))


@pytest.mark.parametrize("case", RECORDED["refused"], ids=lambda case: str(case["causes"][0][2])[:60])
def test_it_is_refused_with_the_causes_of_a_real_server(case: JsonObject) -> None:
    assert causes(found_in(case)) == case["causes"]


@pytest.mark.parametrize("obj", RECORDED["accepted"], ids=lambda obj: f"{obj['kind']}-{obj['metadata']['name'][:20]}")
def test_it_is_taken_as_a_real_server_takes_it(obj: JsonObject) -> None:
    assert creation_errors(obj) == []


def config_map(**metadata: Json) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", **metadata}}


def owner(name: str, *, controller: bool = False) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": controller}


@pytest.mark.parametrize(
    ("metadata", "fault"),
    [
        ({"labels": {"a/b/c": "x"}}, 'metadata.labels: Invalid value: "a/b/c": a qualified name must consist of'),
        ({"labels": {"/b": "x"}}, 'metadata.labels: Invalid value: "/b": prefix part must be non-empty'),
        ({"labels": {"b": "-"}}, 'metadata.labels: Invalid value: "-": a valid label must be'),
        ({"labels": {"b": "v" * 64}}, "must be no more than 63 bytes"),
        ({"annotations": {"a b": ""}}, 'metadata.annotations: Invalid value: "a b": name part must consist of'),
        ({"annotations": {"a": "v" * 262145}}, "Too long: may not be more than 262144 bytes"),
        ({"finalizers": ["mine"]}, "name is neither a standard finalizer name nor is it fully qualified"),
        ({"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "a"}]}, "metadata.ownerReferences[0].uid"),
        ({"ownerReferences": [owner("x", controller=True), owner("y", controller=True)]}, "for x and y"),
        ({"name": "", "generateName": ""}, "metadata.name: Required value: name or generateName is required"),
    ],
)
def test_metadata_has_rules(metadata: JsonObject, fault: str) -> None:
    found = [str(one) for one in creation_errors(config_map(**metadata))]
    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize("metadata", [{"finalizers": ["example.com/a", "orphan"]}, {"annotations": {"A/b": "x"}}])
def test_metadata_that_fits_is_taken(metadata: JsonObject) -> None:
    assert creation_errors(config_map(**metadata)) == []


def test_no_finalizer_can_be_added_to_what_is_being_deleted() -> None:
    gone: JsonObject = {"deletionTimestamp": "2020-01-01T00:00:00Z", "deletionGracePeriodSeconds": 0}
    old, new = config_map(finalizers=["a/a"], **gone), config_map(finalizers=["a/a", "a/b"], **gone)
    fault = "no new finalizers can be added if the object is being deleted, found new finalizers"
    assert {str(one) for one in update_errors(old, new)} == {
        f'metadata.finalizers: Forbidden: {fault} []string{{"a/b"}}'
    }


def test_a_uid_stays() -> None:
    found = update_errors(config_map(uid="1"), config_map(uid="2"))
    assert {str(one) for one in found} == {'metadata.uid: Invalid value: "2": field is immutable'}


def test_a_cause_in_metadata_is_named_as_often_as_a_real_server_does() -> None:
    assert len(update_errors(config_map(uid="1"), config_map(uid="2"))) == 2
    assert len(update_errors(config_map(), config_map(labels={"a~b": ""}))) == 4


def service(**spec: Json) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ({}, ["spec.ports: Required value"]),
        ({"clusterIP": "None"}, []),
        ({"type": "ExternalName", "externalName": "example.com"}, []),
        ({"type": "ExternalName"}, ["spec.externalName: Required value"]),
        ({"ports": [{"port": 0}]}, ["spec.ports[0].port: Invalid value: 0", "spec.ports[0].targetPort"]),
        ({"ports": [{"port": 80}, {"port": 81}]}, ["spec.ports[0].name: Required", "spec.ports[1].name: Required"]),
        (
            {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "a"}]},
            ['spec.ports[1].name: Duplicate value: "a"', "spec.ports[1]: Duplicate value"],
        ),
        ({"ports": [{"port": 80, "targetPort": "a_b"}]}, ['spec.ports[0].targetPort: Invalid value: "a_b"']),
        ({"ports": [{"port": 80, "protocol": "X"}]}, ['spec.ports[0].protocol: Unsupported value: "X"']),
        ({"ports": [{"port": 80}], "type": "X"}, ['spec.type: Unsupported value: "X"']),
        ({"ports": [{"port": 80}], "clusterIP": "x"}, ['spec.clusterIPs[0]: Invalid value: "x": must be a valid IP']),
    ],
)
def test_services_have_rules(spec: JsonObject, faults: list[str]) -> None:
    found = [str(one) for one in creation_errors(service(**spec))]
    assert len(found) == len(faults)
    assert all(one.startswith(fault) for one, fault in zip(found, faults, strict=True))


def test_the_address_of_a_service_stays() -> None:
    before = service(ports=[{"port": 80}], clusterIP="10.0.0.1")
    assert [one.path for one in update_errors(before, service(ports=[{"port": 80}], clusterIP="10.0.0.2"))] == [
        "spec.clusterIPs[0]"
    ]


def deployment(**spec: Json) -> JsonObject:
    containers: list[Json] = [{"name": "main", "image": "i"}]
    template: JsonObject = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}
    whole: JsonObject = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": whole | spec}


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": None}, "spec.selector: Required value"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        (
            {"selector": {"matchLabels": {"app": "other"}}},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
        ({"strategy": {"type": "Never"}}, 'spec.strategy.type: Unsupported value: "Never"'),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "spec.strategy.rollingUpdate: Forbidden",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
    ],
)
def test_deployments_have_rules(spec: JsonObject, fault: str) -> None:
    found = [str(one) for one in creation_errors(deployment(**spec))]
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_the_template_of_a_deployment_is_a_pod() -> None:
    template: JsonObject = {"metadata": {"labels": {"app": "web"}}, "spec": {"restartPolicy": "Never"}}
    found = creation_errors(deployment(template=template))
    assert [one.path for one in found] == ["spec.template.spec.containers", "spec.template.spec.restartPolicy"]


def test_the_selector_of_a_deployment_stays() -> None:
    selector: JsonObject = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "x", "operator": "DoesNotExist"}],
    }
    found = update_errors(deployment(), deployment(selector=selector))
    assert [one.path for one in found] == ["spec.selector"]
    assert update_errors(deployment(), deployment(replicas=3)) == []


def pod(**spec: Json) -> JsonObject:
    containers: list[Json] = [{"name": "main", "image": "i:1"}]
    body: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    whole: JsonObject = {"containers": containers, **spec}
    return {**body, "spec": whole}


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "main", "image": "i:2"}]},
        {"activeDeadlineSeconds": 60},
        {"tolerations": [{"key": "k", "operator": "Exists"}]},
    ],
)
def test_some_of_a_pod_may_change(spec: JsonObject) -> None:
    assert update_errors(pod(), pod(**spec)) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"restartPolicy": "Never"},
        {"nodeName": "n"},
        {"containers": [{"name": "main", "image": "i:1", "command": ["x"]}]},
    ],
)
def test_the_rest_of_a_pod_may_not(spec: JsonObject) -> None:
    assert [one.path for one in update_errors(pod(), pod(**spec))] == ["spec"]


def test_claims_name_what_they_want() -> None:
    claim: JsonObject = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "a"}, "spec": {}}
    assert [one.path for one in creation_errors(claim)] == ["spec.accessModes", "spec.resources[storage]"]
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert creation_errors(claim) == []
    other = merge_patch(claim, {"spec": {"accessModes": ["ReadWriteMany"]}})
    assert [one.path for one in update_errors(claim, other)] == ["spec"]
    assert update_errors(claim, merge_patch(claim, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}})) == []


def test_a_definition_is_named_by_its_plural_and_group() -> None:
    spec: JsonObject = {"group": "example.com", "scope": "Namespaced", "names": {"plural": "knobs", "kind": "Knob"}}
    schema: JsonObject = {"openAPIV3Schema": {"type": "object"}}
    spec["versions"] = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    crd: JsonObject = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    assert creation_errors({**crd, "metadata": {"name": "knobs.example.com"}}) == []
    wrong = merge_patch({**crd, "metadata": {"name": "knob.example.com"}}, {"spec": {"versions": [], "scope": "All"}})
    assert [one.path for one in creation_errors(wrong)] == ["metadata.name", "spec.scope", "spec.versions"]


def test_rules_of_metadata_hold_for_custom_kinds_too() -> None:
    obj: JsonObject = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "A"}}
    assert [one.path for one in validate_create(kinds.INFERENCE_SERVICE, obj)] == ["metadata.name"]
