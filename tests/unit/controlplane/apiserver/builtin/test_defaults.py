"""Defaults of built-in kinds: what a real API server stores."""

import json
from pathlib import Path

import pytest

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Resource
from inferplane.controlplane.apiserver.builtin import default_object, with_token_volume
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

CASES = json.loads((Path(__file__).parent / "defaulted.json").read_text())["cases"]


def resource(obj: JsonObject) -> Resource:
    group, _, version = text_at(obj, "apiVersion").rpartition("/")
    return Resource(group, version, "", text_at(obj, "kind"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['obj']['kind']}-{case['obj']['metadata']['name']}")
def test_an_object_is_stored_as_on_a_real_server(case: JsonObject) -> None:
    obj = object_at(case, "obj")
    after = default_object(resource(obj), obj)
    if case["ignore_status"]:
        after.pop("status", None)
    assert after == case["after"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['obj']['kind']}-{case['obj']['metadata']['name']}")
def test_a_stored_object_has_nothing_left_to_default(case: JsonObject) -> None:
    once = default_object(resource(object_at(case, "obj")), object_at(case, "obj"))
    assert default_object(resource(once), once) == once


def pod(container: JsonObject, **spec: Json) -> JsonObject:
    body: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    return {**body, "spec": {"containers": [{"name": "main", "image": "i:1", **container}], **spec}}


def container_of(obj: JsonObject) -> JsonObject:
    found = list_at(default_object(kinds.POD, obj), "spec", "containers")[0]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1", "IfNotPresent"),
        ("host:5000/app", "Always"),
        ("host:5000/app:1", "IfNotPresent"),
        ("app@sha256:0", "IfNotPresent"),
    ],
)
def test_an_image_that_may_move_is_always_pulled(image: str, policy: str) -> None:
    assert container_of(pod({"image": image}))["imagePullPolicy"] == policy


def test_what_is_limited_is_requested() -> None:
    resources: JsonObject = {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}}
    assert container_of(pod({"resources": resources}))["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }


def test_probes_have_their_numbers_and_http_its_path() -> None:
    probe = container_of(pod({"readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 2}}))["readinessProbe"]
    assert probe == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "periodSeconds": 2,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_volumes_have_modes_and_one_without_a_source_is_empty() -> None:
    volumes: list[Json] = [
        {"name": "a"},
        {"name": "b", "secret": {"secretName": "s"}},
        {"name": "c", "hostPath": {"path": "/x"}},
    ]
    assert list_at(default_object(kinds.POD, pod({}, volumes=volumes)), "spec", "volumes") == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "c", "hostPath": {"path": "/x", "type": ""}},
    ]


def test_empty_and_zero_values_are_left_out_where_go_leaves_them_out() -> None:
    container: JsonObject = {"env": [{"name": "A", "value": ""}], "tty": False, "args": [], "volumeMounts": None}
    spec = object_at(default_object(kinds.POD, pod(container, hostNetwork=False, nodeSelector={})), "spec")
    main = list_at(spec, "containers")[0]
    assert isinstance(main, dict)
    assert main["env"] == [{"name": "A"}]
    assert not {"tty", "args", "volumeMounts"} & main.keys()
    assert not {"hostNetwork", "nodeSelector"} & spec.keys()


def test_a_field_that_does_not_exist_is_not_stored() -> None:
    assert "imagePullPolice" not in container_of(pod({"imagePullPolice": "Always"}))


@pytest.mark.parametrize(
    ("resources", "qos"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
    ],
)
def test_a_pod_is_classed_by_what_it_requests(resources: JsonObject, qos: str) -> None:
    assert text_at(default_object(kinds.POD, pod({"resources": resources})), "status", "qosClass") == qos


def test_the_token_is_mounted_where_nothing_else_is() -> None:
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    taken: JsonObject = {"volumeMounts": [{"name": "x", "mountPath": place}]}
    assert with_token_volume(pod(taken), "abcde") == pod(taken)
    assert with_token_volume(pod({}, automountServiceAccountToken=False), "abcde") == pod(
        {}, automountServiceAccountToken=False
    )
    spec = object_at(with_token_volume(pod({}), "abcde"), "spec")
    main = list_at(spec, "containers")[0]
    assert isinstance(main, dict)
    assert main["volumeMounts"] == [{"name": "kube-api-access-abcde", "readOnly": True, "mountPath": place}]
    assert len(list_at(spec, "volumes")) == 1


def test_the_object_that_came_in_stays_as_it_was() -> None:
    obj = pod({"ports": [{"containerPort": 80}]})
    before = json.dumps(obj)
    default_object(kinds.POD, obj)
    assert json.dumps(obj) == before
