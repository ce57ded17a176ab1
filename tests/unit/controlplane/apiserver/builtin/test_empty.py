"""Empty objects, as bookmarks carry them."""

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.apiserver.builtin import empty_object


def test_an_empty_deployment_has_the_fields_that_go_always_writes() -> None:
    assert empty_object(kinds.DEPLOYMENT) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "replicas": 0,
            "selector": None,
            "template": {"metadata": {}, "spec": {"containers": None}},
            "strategy": {},
        },
        "status": {},
    }


def test_an_empty_lease_has_an_empty_spec() -> None:
    assert empty_object(kinds.LEASE)["spec"] == {}


def test_an_empty_object_of_a_custom_kind_has_its_type_alone() -> None:
    assert empty_object(kinds.INFERENCE_SERVICE) == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
    }
