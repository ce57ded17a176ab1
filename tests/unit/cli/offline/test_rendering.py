"""The child objects that `render` prints: what the controllers would apply, without a cluster."""

import pytest

from inferplane.cli.manifests import parse
from inferplane.cli.offline.rendering import children
from inferplane.cli.offline.world import world_of
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at

ISVC = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: iris, namespace: ml, annotations: {serving.kserve.io/deploymentMode: Standard}}
spec:
  predictor:
    timeout: 30
    sklearn: {storageUri: "gs://bucket/iris"}
  canary:
  - {trafficPercent: 20, predictor: {name: new, sklearn: {storageUri: "gs://bucket/iris2"}}}
"""
UNMARKED = ISVC[: ISVC.index("  canary")].replace(", annotations: {serving.kserve.io/deploymentMode: Standard}", "")


def rendered(text: str, mode: str = "") -> dict[str, JsonObject]:
    (manifest,) = parse(text, "f.yaml")
    made = children(manifest, world_of([manifest], "default"), "default", mode)
    return {f"{text_at(one, 'kind')}/{text_at(one, 'metadata', 'name')}": one for one in made}


def test_standard_mode_is_deployments_services_and_routes_with_the_canary_at_its_share() -> None:
    found = rendered(ISVC)
    assert {
        "Deployment/iris-predictor",
        "Service/iris-predictor",
        "Deployment/iris-new-predictor",
        "Service/iris-new-predictor",
        "HTTPRoute/iris",
        "HTTPRoute/iris-predictor",
        "HTTPRoute/iris-path",
    } <= set(found)
    (rule,) = list_at(found["HTTPRoute/iris"], "spec", "rules")
    assert isinstance(rule, dict)
    assert [(one["name"], one["weight"]) for one in list_at(rule, "backendRefs") if isinstance(one, dict)] == [
        ("iris-predictor", 80),
        ("iris-new-predictor", 20),
    ]


@pytest.mark.parametrize("asked", ["", "Knative"])
def test_knative_mode_the_default_is_a_knative_service_and_the_way_in_to_its_first_revision(asked: str) -> None:
    found = rendered(UNMARKED, asked)
    assert list(found) == ["Service/iris-predictor", "HTTPRoute/iris", "HTTPRoute/iris-path"]
    service = found["Service/iris-predictor"]
    assert (service["apiVersion"], object_at(service, "spec", "template", "spec")["timeoutSeconds"]) == (
        "serving.knative.dev/v1",
        30,
    )
    assert object_at(found["HTTPRoute/iris"], "spec")["hostnames"] == ["iris.ml.localhost"]
    assert text_at(service, "metadata", "namespace") == "ml"


def test_owners_are_left_out_so_that_the_output_can_be_applied() -> None:
    assert not any("ownerReferences" in object_at(one, "metadata") for one in rendered(ISVC).values())
