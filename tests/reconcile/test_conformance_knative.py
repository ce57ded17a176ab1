"""KServe's own behaviours in Knative mode (its controller tests, K1 to K44 of our reference), each on the exact object.

Here the Knative Service and the way in; stopping, components, canaries and failures have modules of their own beside
this one. Those that don't apply here, with the reason:

- K31 is with the TrainedModels (`test_conformance_trainedmodels`).
- K24 in one detail: with a loaded pod `modelStatus` says UpToDate in the same pass as Ready, not in the one after.
  KServe's test has no pod, and neither has this one, so it says InProgress.
"""

import pytest
from tests.reconcile.serving.knative_world import (
    LATEST,
    MODE,
    NAME,
    NAMED,
    SCALED,
    VIRTUAL,
    annotated,
    annotations,
    definition,
    knative,
    says,
    service,
    template,
)
from tests.reconcile.serving.world import runtime

from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    SERVICE,
    SERVING_RUNTIME,
    VIRTUAL_SERVICE,
)
from inferplane.kernel.json import JsonObject, object_at

CONTAINER: JsonObject = {
    "name": "kserve-container",
    "image": "tensorflow/serving:1.14.0",
    "command": ["/usr/bin/tensorflow_model_server"],
    "args": ["--port=9000", "--rest_api_port=8080"],
    "env": [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}],
    "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
    "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}],
}


@pytest.mark.parametrize(
    ("k", "given", "allow", "found"),
    [
        (1, "0", "false", None),
        (2, "3", "false", "3"),
        (3, "non-integer", "false", None),
        (4, "0", "true", "0"),
        (5, "3", "true", "3"),
        (6, "non-integer", "true", None),
    ],
)
async def test_k1_to_k6_the_initial_scale_is_one_that_knative_takes(
    k: int, given: str, allow: str, found: str | None
) -> None:
    autoscaler: JsonObject = {"metadata": {"name": "config-autoscaler", "namespace": "knative-serving"}}
    async with knative() as world:
        await world.add(CONFIG_MAP, autoscaler | {"data": {"allow-zero-initial-scale": allow}}, "knative-serving")
        await world.applied(annotated(service(), **{"autoscaling.knative.dev/initial-scale": given}))
        assert annotations(world).get("autoscaling.knative.dev/initial-scale") == found


async def test_k7_the_knative_service_is_kserves() -> None:
    words = {"key1": "val1FromSR", "key2": "val2FromSR", "key3": "val3FromSR"}
    from_isvc = {"key2": "val2FromISVC", "key3": "val3FromISVC"}
    last = {"key3": "val3FromPredictor"}
    async with knative() as world:
        labelled: JsonObject = {"labels": {**words}, "annotations": {**words}}
        pulling: JsonObject = {"imagePullSecrets": [{"name": "sr-image-pull-secret"}]}
        await world.add(SERVING_RUNTIME, runtime("tf-serving", **labelled, **pulling))
        body = service({"labels": {**last}, "annotations": {**last}})
        meta = object_at(body, "metadata")
        await world.applied(body | {"metadata": meta | {"labels": {**from_isvc}, "annotations": {**MODE, **from_isvc}}})
        found = world.peek(KNATIVE_SERVICE, "foo-predictor")
        conditions = world.conditions(NAME)
    keys = {"key1": "val1FromSR", "key2": "val2FromISVC", "key3": "val3FromPredictor"}
    labels = {"component": "predictor", **NAMED, **keys}
    spec = object_at(found, "spec")
    pod = object_at(spec, "template", "spec")
    assert object_at(found, "metadata", "labels") == labels
    assert object_at(found, "metadata").get("annotations", {}) == {}
    assert object_at(spec, "template", "metadata") == {
        "labels": labels,
        "annotations": {
            **SCALED,
            **keys,
            "internal.serving.kserve.io/storage-initializer-sourceuri": "s3://test/mnist/export",
        },
    }
    assert pod["containers"] == [CONTAINER]
    assert pod["imagePullSecrets"] == [{"name": "sr-image-pull-secret"}]
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds"}
    assert spec["traffic"] == [LATEST]
    assert (conditions["PredictorReady"], conditions["IngressReady"]) == ("Unknown", "Unknown")


async def test_the_mode_that_is_written_reaches_the_template_and_bounds_become_knatives() -> None:
    predictor: JsonObject = {"containerConcurrency": 2, "timeout": 30, "scaleMetric": "rps", "scaleTarget": 7}
    async with knative() as world:
        more = {"serving.kserve.io/deploymentMode": "Serverless", "serving.knative.dev/rollout-duration": "60s"}
        await world.applied(annotated(service(predictor), **more))
        found, pod = annotations(world), object_at(template(world), "spec")
        own = object_at(world.peek(KNATIVE_SERVICE, "foo-predictor"), "metadata", "annotations")
    assert found["serving.kserve.io/deploymentMode"] == "Knative"
    assert (found["autoscaling.knative.dev/metric"], found["autoscaling.knative.dev/target"]) == ("rps", "7")
    assert [pod[one] for one in ("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds")] == [
        2,
        30,
        30,
    ]
    assert own == {"serving.knative.dev/rollout-duration": "60s"}
    assert "serving.knative.dev/rollout-duration" not in found


async def test_k8_the_virtual_service_comes_when_the_predictor_is_ready() -> None:
    async with knative() as world:
        await world.applied(service())
        before = world.exists(VIRTUAL_SERVICE, NAME)
        waits = world.condition("IngressReady", NAME)
        await says(world)
        found, inside = world.peek(VIRTUAL_SERVICE, NAME), world.peek(SERVICE, NAME)
    assert not before
    assert (waits["status"], waits["reason"]) == ("Unknown", "Predictor ingress not created")
    assert found["spec"] == VIRTUAL
    assert object_at(inside, "spec")["externalName"] == "knative-local-gateway.istio-system.svc.cluster.local"


async def test_k9_the_virtual_service_follows_labels_and_annotations() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        body = world.peek(INFERENCE_SERVICE, NAME)
        meta = object_at(body, "metadata")
        changed: JsonObject = {"annotations": {"testAnnotation": "test"}, "labels": {"testLabel": "test"}}
        await world.applied(body | {"metadata": meta | changed})
        found = world.peek(VIRTUAL_SERVICE, NAME)
    assert object_at(found, "metadata", "labels") == {"testLabel": "test"}
    assert object_at(found, "metadata", "annotations") == {"testAnnotation": "test"}
    assert found["spec"] == VIRTUAL


async def test_k10_without_knative_the_mode_is_rejected_and_taken_up_once_it_is_installed() -> None:
    async with knative(has_knative=False) as world:
        await world.applied(service())
        events, reason = world.events(), world.condition("PredictorReady", NAME)["reason"]
        await world.add(CUSTOM_RESOURCE_DEFINITION, definition("services", "serving.knative.dev"))
        after = world.exists(KNATIVE_SERVICE, "foo-predictor")
    assert "Warning ServerlessModeRejected" in events
    assert (reason, after) == ("ServerlessModeRejected", True)
