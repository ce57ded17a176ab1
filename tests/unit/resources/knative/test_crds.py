"""Knative's kinds as a server takes them: names, columns, what is refused on every write."""

import pytest

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    KNATIVE_CONFIGURATION,
    KNATIVE_REVISION,
    KNATIVE_ROUTE,
    KNATIVE_SERVICE,
)
from inferplane.controlplane.apiserver.cel.definition import rule_errors
from inferplane.controlplane.apiserver.cel.rules import Rules
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources import schemas
from inferplane.resources.knative.crds import knative_crds
from inferplane.resources.schemas import unknown_fields, validate

CRDS = {text_at(one, "spec", "names", "kind"): one for one in knative_crds()}
POD: JsonObject = {"containers": [{"image": "a", "ports": [{"containerPort": 8080}]}]}
LATEST: JsonObject = {"latestRevision": True, "percent": 100}


def version(kind: str) -> JsonObject:
    (found,) = list_at(CRDS[kind], "spec", "versions")
    assert isinstance(found, dict)
    return found


def document(kind: str) -> JsonObject:
    return object_at(version(kind), "schema", "openAPIV3Schema")


def service(*traffic: JsonObject, pod: JsonObject | None = None, name: str = "") -> JsonObject:
    metadata: JsonObject = {"name": name} if name else {}
    return {
        "metadata": {"name": "hello", "namespace": "default"},
        "spec": {"template": {"metadata": metadata, "spec": pod or POD}, "traffic": [*traffic]},
    }


def violations(kind: str, body: JsonObject, old: JsonObject | None = None) -> list[str]:
    rules = Rules.of(document(kind))
    assert rules is not None
    return [one.message for one in rules.violations(body, old)]


@pytest.mark.parametrize("kind", CRDS)
def test_a_cluster_takes_the_rules(kind: str) -> None:
    assert [f"{one.path}: {one.message}" for one in rule_errors(document(kind), "schema")] == []


@pytest.mark.parametrize(
    ("resource", "short_names"),
    [
        (KNATIVE_SERVICE, ["kservice", "ksvc"]),
        (KNATIVE_CONFIGURATION, ["config", "cfg"]),
        (KNATIVE_REVISION, ["rev"]),
        (KNATIVE_ROUTE, ["rt"]),
    ],
    ids=str,
)
def test_the_kinds_go_by_knatives_names(resource: Resource, short_names: list[str]) -> None:
    crd = CRDS[resource.kind]
    assert text_at(crd, "metadata", "name") == f"{resource.plural}.{resource.group}"
    assert list_at(crd, "spec", "names", "shortNames") == short_names
    assert list_at(crd, "spec", "names", "categories") == ["all", "knative", "serving"]


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("Service", "URL LatestCreated LatestReady Ready Reason"),
        ("Configuration", "LatestCreated LatestReady Ready Reason"),
        ("Revision", "Config Name, Generation, Ready, Reason, Actual Replicas, Desired Replicas"),
        ("Route", "URL Ready Reason"),
    ],
)
def test_kubectl_shows_knatives_columns(kind: str, columns: str) -> None:
    found = [
        text_at(one, "name") for one in list_at(version(kind), "additionalPrinterColumns") if isinstance(one, dict)
    ]
    assert found == (columns.split(", ") if "," in columns else columns.split())


def test_a_pod_is_taken_as_kubernetes_has_it_and_a_probe_may_leave_its_port_out() -> None:
    pod: JsonObject = {
        "containerConcurrency": 2,
        "timeoutSeconds": 60,
        "containers": [{"image": "a", "readinessProbe": {"httpGet": {"path": "/ready"}}}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    body = service(LATEST, pod=pod)
    object_at(body, "spec", "template")["metadata"] = {"creationTimestamp": None}
    schema = schemas.custom(document("Service"))
    assert [*validate(schema, body), *unknown_fields(schema, body)] == []


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_is_0_to_100(percent: int) -> None:
    body = service({"latestRevision": True, "percent": percent})
    assert validate(schemas.custom(document("Service")), body)


@pytest.mark.parametrize(
    "traffic",
    [
        [],
        [LATEST],
        [{"percent": 100}],
        [{"revisionName": "hello-00001", "percent": 90}, {"latestRevision": True, "percent": 10, "tag": "canary"}],
        [LATEST, {"revisionName": "hello-00001", "tag": "old", "latestRevision": False}],
        [{"revisionName": "r", "percent": 50}, {"revisionName": "r", "percent": 50}],
    ],
)
def test_traffic_that_adds_up_is_taken(traffic: list[JsonObject]) -> None:
    assert violations("Service", service(*traffic)) == []


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        ([{"latestRevision": True, "percent": 50}], "100 together"),
        ([LATEST, {"revisionName": "r", "percent": 1}], "100 together"),
        ([{"revisionName": "r"}], "100 together"),
        ([{"latestRevision": True, "revisionName": "r", "percent": 100}], "not both"),
        ([{"latestRevision": False, "percent": 100}], "not neither"),
        ([LATEST, {"revisionName": "r", "tag": "a"}, {"revisionName": "s", "tag": "a"}], "once only"),
        ([LATEST | {"url": "http://x"}], "url is not to be set"),
        ([{"configurationName": "hello", "percent": 100}], "configurationName is not to be set"),
    ],
)
def test_traffic_that_makes_no_sense_is_refused(traffic: list[JsonObject], words: str) -> None:
    (said,) = violations("Service", service(*traffic))
    assert words in said


def test_a_bare_route_names_a_configuration_or_a_revision() -> None:
    def route(**target: Json) -> JsonObject:
        return {"metadata": {"name": "r"}, "spec": {"traffic": [{"percent": 100, **target}]}}

    assert violations("Route", route(configurationName="c")) == []
    assert violations("Route", route(revisionName="c")) == []
    assert violations("Route", route(latestRevision=True)) != []
    assert violations("Route", route(configurationName="c", revisionName="r")) != []


def test_the_name_of_a_revision_starts_with_that_of_its_service() -> None:
    assert violations("Service", service(name="hello-first")) == []
    assert "must start with" in violations("Service", service(name="first"))[0]
    made = service(name="hello-first") | {"metadata": {"name": "hello", "generateName": "hel"}}
    assert "generateName" in violations("Service", made)[0]


def test_a_revision_never_changes() -> None:
    def revision(image: str) -> JsonObject:
        return {"metadata": {"name": "r"}, "spec": {"containers": [{"image": image}]}}

    assert violations("Revision", revision("a"), revision("a")) == []
    assert "never changes" in violations("Revision", revision("b"), revision("a"))[0]
