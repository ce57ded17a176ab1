"""PodAutoscaler and ServerlessService as kinds: what is accepted, what kubectl shows, what a reader gets."""

import msgspec
import pytest

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import POD_AUTOSCALER, SERVERLESS_SERVICE
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources import schemas
from inferplane.resources.autoscaling_knative.crds import autoscaling_crds
from inferplane.resources.autoscaling_knative.podautoscaler import PodAutoscaler, Reachability
from inferplane.resources.autoscaling_knative.serverlessservice import Mode, ServerlessService
from inferplane.resources.schemas import validate

CRDS = {text_at(one, "spec", "names", "kind"): one for one in autoscaling_crds()}
TARGET: JsonObject = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris-00001-deployment"}
AUTOSCALER: JsonObject = {
    "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
    "kind": "PodAutoscaler",
    "metadata": {"name": "iris-00001", "namespace": "default"},
    "spec": {"scaleTargetRef": TARGET, "protocolType": "http1", "containerConcurrency": 4},
    "status": {"desiredScale": 0, "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Queued"}]},
}
SERVICES: JsonObject = {
    "apiVersion": "networking.internal.knative.dev/v1alpha1",
    "kind": "ServerlessService",
    "metadata": {"name": "iris-00001", "namespace": "default"},
    "spec": {"objectRef": TARGET, "protocolType": "h2c", "mode": "Proxy", "numActivators": 2},
}


def version(kind: str) -> JsonObject:
    found = list_at(CRDS[kind], "spec", "versions")[0]
    assert isinstance(found, dict)
    return found


def complaints(body: JsonObject) -> list[str]:
    schema = schemas.custom(object_at(version(text_at(body, "kind")), "schema", "openAPIV3Schema"))
    return [str(one) for one in validate(schema, body)]


def columns(kind: str) -> list[str]:
    return [text_at(one, "name") for one in list_at(version(kind), "additionalPrinterColumns") if isinstance(one, dict)]


@pytest.mark.parametrize(
    ("resource", "short_names"), [(POD_AUTOSCALER, ["kpa", "pa"]), (SERVERLESS_SERVICE, ["sks"])], ids=str
)
def test_the_kinds_go_by_knatives_names(resource: Resource, short_names: list[str]) -> None:
    crd = CRDS[resource.kind]
    assert text_at(crd, "metadata", "name") == f"{resource.plural}.{resource.group}"
    assert list_at(crd, "spec", "names", "shortNames") == short_names
    assert text_at(version(resource.kind), "name") == resource.version


def test_kubectl_shows_knatives_columns() -> None:
    assert columns("PodAutoscaler") == ["DesiredScale", "ActualScale", "Ready", "Reason"]
    assert columns("ServerlessService") == [
        "Mode", "Activators", "ServiceName", "PrivateServiceName", "Ready", "Reason",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [AUTOSCALER, SERVICES], ids=lambda body: str(body["kind"]))
def test_an_object_as_its_controller_writes_it_is_valid(body: JsonObject) -> None:
    assert complaints(body) == []


@pytest.mark.parametrize(
    ("field", "value"), [("reachability", "Perhaps"), ("protocolType", "spdy"), ("containerConcurrency", -1)]
)
def test_words_that_mean_nothing_are_refused(field: str, value: str | int) -> None:
    assert complaints(AUTOSCALER | {"spec": {**object_at(AUTOSCALER, "spec"), field: value}})


def test_a_reader_gets_defaults_for_what_is_absent() -> None:
    autoscaler = msgspec.convert(AUTOSCALER, PodAutoscaler)
    services = msgspec.convert(SERVICES, ServerlessService)
    assert (autoscaler.spec.reachability, autoscaler.is_reachable) == (Reachability.UNKNOWN, True)
    assert (autoscaler.status.desired_scale, autoscaler.status.actual_scale) == (0, None)
    assert (services.spec.mode, services.status.private_service_name) == (Mode.PROXY, "")
