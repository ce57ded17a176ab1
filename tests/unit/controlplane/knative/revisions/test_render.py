"""The Deployment and the PodAutoscaler of a revision."""

import pytest

from inferplane.controlplane.knative.revisions import render
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.autoscaling_knative.podautoscaler import Reachability
from inferplane.resources.knative import Revision, words
from inferplane.resources.knative.config import Config
from inferplane.resources.knative.defaulting import defaulted
from inferplane.resources.meta import ObjectMeta

LABELS = {
    words.SERVICE: "hello",
    words.CONFIGURATION: "hello",
    words.CONFIGURATION_GENERATION: "1",
    words.ROUTING_STATE: words.ACTIVE,
}


def revision(*containers: JsonObject, annotations: dict[str, str] | None = None, **fields: Json) -> Revision:
    pod: JsonObject = {"containers": [*(containers or ({"image": "app"},))], **fields}
    meta = ObjectMeta(name="hello-00001", namespace="ns", uid="u", labels=LABELS, annotations=annotations or {})
    return Revision(metadata=meta, spec=defaulted(pod, Config()))


def deployment(found: Revision) -> JsonObject:
    return render.deployment(found, Config(), AutoscalerConfig())


def container(found: Revision, number: int = 0) -> JsonObject:
    one = list_at(render.pod(found), "containers")[number]
    assert isinstance(one, dict)
    return one


def env(one: JsonObject) -> dict[str, Json]:
    return {str(entry["name"]): entry.get("value") for entry in list_at(one, "env") if isinstance(entry, dict)}


def test_the_container_gets_its_port_and_knows_where_it_belongs() -> None:
    one = container(revision({"image": "app", "env": [{"name": "A", "value": "b"}]}))
    assert one["name"] == "user-container"
    assert one["ports"] == [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}]
    assert env(one) == {
        "A": "b", "PORT": "8080", "K_REVISION": "hello-00001", "K_CONFIGURATION": "hello", "K_SERVICE": "hello",
    }  # fmt: skip


def test_of_several_containers_the_one_with_a_port_gets_the_requests() -> None:
    found = revision({"image": "side"}, {"image": "app", "ports": [{"containerPort": 9000, "name": "h2c"}]})
    side, main = container(found), container(found, 1)
    assert [side["name"], main["name"]] == ["user-container-0", "user-container-1"]
    assert env(main)["PORT"] == "9000"
    assert "PORT" not in env(side)
    assert "readinessProbe" not in side
    assert render.protocol(found) == "h2c"


def test_without_a_probe_the_port_is_asked_once_a_second() -> None:
    assert container(revision())["readinessProbe"] == {
        "tcpSocket": {"port": 8080}, "successThreshold": 1, "periodSeconds": 1,
    }  # fmt: skip


def test_a_probe_without_a_port_asks_the_containers_own() -> None:
    given: JsonObject = {"httpGet": {"path": "/ready"}, "periodSeconds": 5}
    one = container(revision({"image": "a", "ports": [{"containerPort": 90}], "readinessProbe": given}))
    assert one["readinessProbe"] == {
        "httpGet": {"path": "/ready", "port": 90},
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
        "timeoutSeconds": 1,
    }


def test_a_pod_has_as_long_to_end_as_a_request_may_take_and_no_fields_of_knatives() -> None:
    pod = render.pod(revision(timeoutSeconds=77, containerConcurrency=3))
    assert pod["terminationGracePeriodSeconds"] == 77
    assert not pod.keys() & {"timeoutSeconds", "containerConcurrency", "responseStartTimeoutSeconds"}


def test_the_deployment_selects_by_the_revisions_uid_and_starts_with_the_initial_scale() -> None:
    found = deployment(revision(annotations={"autoscaling.knative.dev/initial-scale": "3"}))
    spec = object_at(found, "spec")
    assert object_at(found, "metadata")["name"] == "hello-00001-deployment"
    assert spec["selector"] == {"matchLabels": {words.REVISION_UID: "u"}}
    assert (spec["replicas"], spec["progressDeadlineSeconds"]) == (3, 600)
    labels = object_at(spec, "template", "metadata", "labels")
    assert (labels["app"], labels[words.REVISION], labels[words.REVISION_UID]) == ("hello-00001", "hello-00001", "u")
    assert words.ROUTING_STATE not in labels


@pytest.mark.parametrize(("given", "allowed", "replicas"), [("0", False, 1), ("0", True, 0), ("2", False, 2)])
def test_nothing_at_first_only_where_that_is_allowed(given: str, allowed: bool, replicas: int) -> None:
    found = revision(annotations={"autoscaling.knative.dev/initial-scale": given})
    assert render.initial_scale(found, AutoscalerConfig(allow_zero_initial_scale=allowed)) == replicas


def test_the_progress_deadline_is_the_templates_if_it_gives_one() -> None:
    found = revision(annotations={words.PROGRESS_DEADLINE: "90s"})
    assert object_at(deployment(found), "spec")["progressDeadlineSeconds"] == 90


def test_a_change_of_the_routing_changes_neither_deployment_nor_its_digest() -> None:
    marks = {words.ROUTES: "hello", words.ROUTING_STATE_MODIFIED: "2026-01-01T00:00:00Z"}
    assert deployment(revision(annotations=marks)) == deployment(revision())


def test_the_digest_is_of_the_pods_and_not_of_their_number() -> None:
    def digest(found: Revision) -> Json:
        return object_at(deployment(found), "metadata", "annotations")[render.RENDERED]

    more = {"autoscaling.knative.dev/initial-scale": "3"}
    one, other = deployment(revision()), deployment(revision())
    object_at(other, "spec")["replicas"] = 5
    assert render.without_replicas(object_at(one, "spec")) == render.without_replicas(object_at(other, "spec"))
    assert digest(revision({"image": "b"})) != digest(revision({"image": "a"}))
    assert digest(revision(annotations=more)) != digest(revision())


def test_the_autoscaler_gets_what_it_decides_by() -> None:
    annotations = {"autoscaling.knative.dev/min-scale": "2", words.ROUTES: "hello"}
    found = render.pod_autoscaler(revision(annotations=annotations, containerConcurrency=4), Reachability.REACHABLE)
    assert object_at(found, "metadata")["annotations"] == {"autoscaling.knative.dev/min-scale": "2"}
    assert object_at(found, "spec") == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "hello-00001-deployment"},
        "protocolType": "http1",
        "containerConcurrency": 4,
        "reachability": "Reachable",
    }
