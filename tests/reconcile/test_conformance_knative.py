"""KServe's own behaviours in Knative mode (its controller tests, K1 to K44 of our reference), each on the exact object.

Those that don't apply here, with the reason:

- K31 is with the TrainedModels (`test_conformance_trainedmodels`).
- K24 in one detail: with a loaded pod `modelStatus` says UpToDate in the same pass as Ready, not in the one after.
  KServe's test has no pod, and neither has this one, so it says InProgress.
"""

import pytest
from tests.reconcile.serving.knative_world import (
    BOUNDS,
    EXPLAINER,
    LATEST,
    LOCAL,
    MESH,
    MODE,
    NAME,
    NAMED,
    OUTSIDE,
    SCALED,
    TRANSFORMER,
    annotated,
    annotations,
    canary,
    containers,
    definition,
    knative,
    says,
    service,
    shipped,
    started,
    template,
    traffic,
)
from tests.reconcile.serving.world import World, runtime

from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    INFERENCE_SERVICE,
    KNATIVE_SERVICE,
    POD,
    SERVICE,
    SERVING_RUNTIME,
    VIRTUAL_SERVICE,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

CONTAINER: JsonObject = {
    "name": "kserve-container",
    "image": "tensorflow/serving:1.14.0",
    "command": ["/usr/bin/tensorflow_model_server"],
    "args": ["--port=9000", "--rest_api_port=8080"],
    "env": [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}],
    "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}},
    "volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models", "readOnly": True}],
}
# --- K1 to K7: the Knative Service ------------------------------------------------------------------------------------


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


# --- K8 to K10: the way in --------------------------------------------------------------------------------------------

VIRTUAL: JsonObject = {
    "gateways": [LOCAL, MESH, OUTSIDE],
    "hosts": ["foo.default.svc.cluster.local", "foo.default.example.com"],
    "http": [
        {
            "match": [
                {
                    "authority": {"regex": r"^foo\.default\.svc\.cluster\.local(?::\d{1,5})?$"},
                    "gateways": [LOCAL, MESH],
                },
                {"authority": {"regex": r"^foo\.default\.example\.com(?::\d{1,5})?$"}, "gateways": [OUTSIDE]},
            ],
            "route": [
                {
                    "destination": {
                        "host": "knative-local-gateway.istio-system.svc.cluster.local",
                        "port": {"number": 80},
                    },
                    "weight": 100,
                }
            ],
            "headers": {
                "request": {
                    "set": {
                        "Host": "foo-predictor.default.svc.cluster.local",
                        "KServe-Isvc-Name": "foo",
                        "KServe-Isvc-Namespace": "default",
                    }
                }
            },
        }
    ],
}


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


# --- K11 to K22: stopping ---------------------------------------------------------------------------------------------

STOP = "serving.kserve.io/stop"
SHAPES: list[tuple[str, dict[str, JsonObject]]] = [
    ("predictor", {}),
    ("transformer", {"transformer": TRANSFORMER}),
    ("explainer", {"explainer": EXPLAINER}),
]


def children(world: World, component: str) -> list[bool]:
    wanted = ((KNATIVE_SERVICE, "foo-predictor"), (KNATIVE_SERVICE, f"foo-{component}"))
    return [world.exists(*one) for one in (*wanted, (VIRTUAL_SERVICE, NAME), (SERVICE, NAME))]


def readiness(world: World, component: str) -> tuple[Json, ...]:
    found = world.conditions(NAME)
    return tuple(
        found.get(one) for one in ("PredictorReady", f"{component.capitalize()}Ready", "IngressReady", "Stopped")
    )


RUNS = ("True", "True", "True", "False")
STOPS = ("False", "False", "False", "True")


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k11_k15_k19_not_stopped_all_is_there(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await started(world, component, annotated(service(**parts), **{STOP: "false"}))
        assert (children(world, component), readiness(world, component)) == ([True] * 4, RUNS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k12_k16_k20_stopped_from_the_start_nothing_is(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        assert (children(world, component), readiness(world, component)) == ([False] * 4, STOPS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k13_k17_k21_stopping_deletes_all(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await started(world, component, service(**parts))
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        assert (children(world, component), readiness(world, component)) == ([False] * 4, STOPS)


@pytest.mark.parametrize(("component", "parts"), SHAPES)
async def test_k14_k18_k22_starting_again_makes_all_anew(component: str, parts: dict[str, JsonObject]) -> None:
    async with knative() as world:
        await world.applied(annotated(service(**parts), **{STOP: "true"}))
        await started(world, component, annotated(service(**parts), **{STOP: "false"}))
        assert (children(world, component), readiness(world, component)) == ([True] * 4, RUNS)


# --- K23 to K28: transformers -----------------------------------------------------------------------------------------


async def test_k23_the_transformers_service_is_kserves() -> None:
    keyed: JsonObject = {"labels": {"key2": "val2FromTransformer"}, "annotations": {"key2": "val2FromTransformer"}}
    from_isvc = {"key1": "val1FromISVC", "key2": "val2FromISVC"}
    async with knative() as world:
        body = service(transformer=TRANSFORMER | keyed)
        meta = object_at(body, "metadata")
        await world.applied(body | {"metadata": meta | {"labels": {**from_isvc}, "annotations": {**MODE, **from_isvc}}})
        found = template(world, "foo-transformer")
    keys = {"key1": "val1FromISVC", "key2": "val2FromTransformer"}
    assert object_at(found, "metadata") == {
        "labels": {"component": "transformer", **NAMED, **keys},
        "annotations": {**SCALED, **keys},
    }
    (container,) = containers_of(found)
    args = ["--model_name", NAME, "--predictor_host", "foo-predictor.default", "--http_port", "8080"]
    assert (container["name"], container["image"], container["args"]) == ("kserve-container", "transformer:v1", args)
    assert container["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]


def containers_of(found: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(found, "spec", "containers") if isinstance(one, dict)]


async def test_k24_all_ready_the_status_says_all_of_it() -> None:
    async with knative() as world:
        await world.applied(service(transformer=TRANSFORMER))
        await says(world)
        await says(world, "transformer", revision="t-revision-v1")
        status, conditions = world.status(NAME), world.conditions(NAME)
    true = (
        "IngressReady", "LatestDeploymentReady", "PredictorConfigurationReady", "PredictorReady", "PredictorRouteReady",
        "Ready", "RoutesReady", "TransformerConfigurationReady", "TransformerReady", "TransformerRouteReady",
    )  # fmt: skip
    assert conditions == dict.fromkeys(true, "True") | {"Stopped": "False"}
    assert status["url"] == "http://foo.default.example.com"
    assert status["address"] == {"url": "http://foo.default.svc.cluster.local"}
    assert object_at(status, "components", "transformer") == {
        "latestReadyRevision": "t-revision-v1",
        "latestCreatedRevision": "t-revision-v1",
        "latestRolledoutRevision": "t-revision-v1",
        "traffic": [{"revisionName": "t-revision-v1", "latestRevision": True, "percent": 100}],
        "url": "http://foo-transformer.default.example.com",
        "address": {"url": "http://foo-transformer.default.svc.cluster.local"},
    }
    assert status["modelStatus"] == {
        "transitionStatus": "InProgress",
        "states": {"activeModelState": "", "targetModelState": "Pending"},
        "copies": {"failedCopies": 0},
    }
    assert status["servingRuntimeName"] == "tf-serving"


async def test_a_loaded_pod_of_the_latest_revision_makes_the_model_loaded() -> None:
    pod: JsonObject = {
        "metadata": {
            "name": "p",
            "labels": {"serving.kserve.io/inferenceservice": NAME, "serving.knative.dev/revision": "revision-v1"},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    async with knative() as world:
        await world.applied(service())
        await world.add(POD, pod)
        await says(world)
        status = world.status(NAME)
    assert object_at(status, "modelStatus") == {
        "transitionStatus": "UpToDate",
        "states": {"activeModelState": "Loaded", "targetModelState": "Loaded"},
        "copies": {"failedCopies": 0, "totalCopies": 1},
    }


async def test_k25_a_transformer_beside_the_model_is_the_second_container() -> None:
    beside: JsonObject = {
        "name": "transformer-container",
        "image": "transformer:v1",
        "ports": [{"containerPort": 8060}],
    }
    async with knative() as world:
        await world.applied(service({"containers": [beside]}))
        first, second = containers(world)
        await says(world)
        virtual, url = world.peek(VIRTUAL_SERVICE, NAME), world.status(NAME)["url"]
    assert (first["name"], "ports" in first) == ("kserve-container", False)
    assert (second["name"], second["ports"]) == ("transformer-container", [{"containerPort": 8060}])
    assert first["env"] == second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]
    assert (virtual["spec"], url) == (VIRTUAL, "http://foo.default.example.com")


def with_transformer(**more: Json) -> JsonObject:
    """The runtime with a transformer container of its own."""
    own: JsonObject = {
        "name": "transformer-container",
        "image": "transformer:v1",
        "args": ["--model_name={{.Name}}"],
        "ports": [{"containerPort": 8060}],
    }
    return runtime("tf-both", containers=[{"name": "kserve-container", "image": "tf:1"}, own | more])


def of_runtime(**predictor: Json) -> JsonObject:
    model: JsonObject = {"modelFormat": {"name": "tensorflow"}, "runtime": "tf-both", "storageUri": "s3://b/m"}
    body = service()
    return body | {"spec": {"predictor": {"model": model, **predictor}}}


async def test_k26_a_transformer_of_the_runtime_is_rendered() -> None:
    async with knative() as world:
        await world.add(SERVING_RUNTIME, with_transformer())
        await world.applied(of_runtime())
        _, second = containers(world)
    assert (second["args"], second["ports"]) == (["--model_name=foo"], [{"containerPort": 8060}])
    assert second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]


async def test_k27_transformers_of_both_are_merged() -> None:
    own: JsonObject = {"name": "transformer-container", "command": ["transformer"], "args": ["--http-port", "8060"]}
    async with knative() as world:
        await world.add(SERVING_RUNTIME, with_transformer())
        await world.applied(of_runtime(containers=[own]))
        _, second = containers(world)
    assert second["command"] == ["transformer"]
    assert second["args"] == ["--model_name=foo", "--http-port", "8060"]
    assert second["ports"] == [{"containerPort": 8060}]


async def test_k28_containers_of_ones_own_are_two_in_their_order() -> None:
    given: list[Json] = [
        {"name": "kserve-container", "image": "model:v1"},
        {"name": "transformer-container", "image": "transformer:v1"},
    ]
    async with knative() as world:
        await world.applied(service() | {"spec": {"predictor": {"containers": given, **BOUNDS}}})
        first, second = containers(world)
        found = annotations(world)
    assert (first["name"], second["name"]) == ("kserve-container", "transformer-container")
    assert first["env"] == second["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": NAME}]
    assert found == SCALED


# --- K29, K30: canaries -----------------------------------------------------------------------------------------------


def revisions(world: World) -> list[str]:
    found = object_at(world.status(NAME), "components", "predictor")
    words = ("latestReadyRevision", "latestRolledoutRevision", "previousRolledoutRevision")
    return [text_at(found, one) for one in words]


async def test_k29_a_canary_gets_its_share_and_what_was_rolled_out_the_rest() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        before = revisions(world)
        await world.applied(canary(20))
        found = traffic(world)
    assert before == ["revision-v1", "revision-v1", ""]
    assert found == [
        {"latestRevision": True, "percent": 20},
        {"tag": "prev", "revisionName": "revision-v1", "latestRevision": False, "percent": 80},
    ]


async def test_k30_without_the_percentage_the_canary_is_promoted() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await world.applied(canary(20))
        await world.applied(canary(None))
        found = traffic(world)
        await says(world, revision="revision-v2")
        assert (found, revisions(world)) == ([LATEST], ["revision-v2", "revision-v2", "revision-v1"])


async def test_a_canary_of_nothing_pins_and_rolling_back_is_noticed() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await world.applied(canary(0))
        pinned = traffic(world)
        await world.applied(canary(None))
        await says(world, revision="revision-v2")
        one: list[Json] = [
            {"revisionName": "revision-v2", "latestRevision": True, "percent": 10},
            {"revisionName": "revision-v2", "latestRevision": False, "percent": 90, "tag": "prev"},
        ]
        await says(world, revision="revision-v2", targets=one)
        after = revisions(world)
    assert pinned == [
        {"latestRevision": True, "percent": 0},
        {"tag": "prev", "revisionName": "revision-v1", "latestRevision": False, "percent": 100},
    ]
    assert after == ["revision-v2", "revision-v1", "revision-v1"]


async def test_the_latest_revision_has_a_tag_when_asked_for() -> None:
    async with knative() as world:
        await world.applied(annotated(service(), **{"serving.kserve.io/enable-tag-routing": "true"}))
        assert traffic(world) == [LATEST | {"tag": "latest"}]


# --- K32 to K39: runtimes, storage, failures --------------------------------------------------------------------------


async def test_k32_a_runtime_that_was_chosen_brings_its_image_secrets_and_labels() -> None:
    model: JsonObject = {"modelFormat": {"name": "tensorflow"}, "storageUri": "s3://b/m"}
    predictor: JsonObject = {"model": model, "imagePullSecrets": [{"name": "isvc-image-pull-secret"}]}
    async with knative() as world:
        more: JsonObject = {
            "imagePullSecrets": [{"name": "sr-image-pull-secret"}],
            "labels": {"key1": "SR", "key2": "SR"},
        }
        await world.add(SERVING_RUNTIME, runtime("tf-serving", **more))
        body = service()
        meta = object_at(body, "metadata") | {"labels": {"key2": "isvc"}}
        await world.applied(body | {"metadata": meta, "spec": {"predictor": predictor}})
        (container,), found = containers(world), template(world)
    assert container["image"] == "tensorflow/serving:1.14.0"
    assert object_at(found, "spec")["imagePullSecrets"] == [
        {"name": "isvc-image-pull-secret"},
        {"name": "sr-image-pull-secret"},
    ]
    labels = object_at(found, "metadata", "labels")
    assert (labels["key1"], labels["key2"]) == ("SR", "isvc")


@pytest.mark.parametrize(
    ("k", "model", "reason", "message"),
    [
        (33, {"runtime": "no"}, "RuntimeNotRecognized", "Waiting for runtime to become available"),
        (34, {"runtime": "off"}, "RuntimeDisabled", "Specified runtime is disabled"),
        (
            35,
            {"runtime": "tf-serving", "modelFormat": {"name": "sklearn"}},
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version",
        ),
    ],
)
async def test_k33_to_k35_a_runtime_that_cannot_serve_it_is_said_why(
    k: int, model: JsonObject, reason: str, message: str
) -> None:
    wanted: JsonObject = {"modelFormat": {"name": "tensorflow"}, "storageUri": "s3://b/m"}
    async with knative() as world:
        await world.add(SERVING_RUNTIME, runtime("off", disabled=True))
        await world.applied(service() | {"spec": {"predictor": {"model": wanted | model}}})
        found = object_at(world.status(NAME), "modelStatus")
    assert found["transitionStatus"] == "InvalidSpec"
    assert object_at(found, "states")["targetModelState"] == "FailedToLoad"
    failure = object_at(found, "lastFailureInfo")
    assert (failure["reason"], failure["message"]) == (reason, message)


@pytest.mark.parametrize(("k", "value"), [(36, "true"), (37, "false")])
async def test_k36_k37_read_only_storage_is_handed_on(k: int, value: str) -> None:
    async with knative() as world:
        await world.applied(annotated(service(), **{"storage.kserve.io/readonly": value}))
        assert annotations(world)["storage.kserve.io/readonly"] == value


async def test_k38_a_model_that_cannot_be_fetched_is_told_in_its_own_words() -> None:
    ended: JsonObject = {"exitCode": 1, "reason": "Error", "message": "Invalid Storage URI provided"}
    pod: JsonObject = {
        "metadata": {
            "name": "p",
            "labels": {"serving.kserve.io/inferenceservice": NAME, "serving.knative.dev/revision": "revision-v1"},
        },
        "status": {
            "initContainerStatuses": [
                {
                    "name": "storage-initializer",
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": ended},
                }
            ]
        },
    }
    async with knative() as world:
        await world.applied(service())
        await world.add(POD, pod)
        await says(world, ready="False")
        found = object_at(world.status(NAME), "modelStatus")
    failure = object_at(found, "lastFailureInfo")
    assert (found["transitionStatus"], object_at(found, "states")["targetModelState"]) == (
        "BlockedByFailedLoad",
        "FailedToLoad",
    )
    assert (failure["reason"], failure["message"], failure["exitCode"]) == (
        "ModelLoadFailed",
        "Invalid Storage URI provided",
        1,
    )


async def test_a_revision_that_failed_without_pods_is_a_model_that_did_not_load() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world, ready="False")
        found = object_at(world.status(NAME), "modelStatus")
    assert found["transitionStatus"] == "BlockedByFailedLoad"


async def test_k39_without_the_virtual_host_urls_are_the_components() -> None:
    async with knative(config_map=shipped(disableIstioVirtualHost="true")) as world:
        await world.applied(service())
        await says(world)
        status, virtual = world.status(NAME), world.exists(VIRTUAL_SERVICE, NAME)
    assert status["url"] == "http://foo-predictor.default.example.com"
    assert status["address"] == {"url": "http://foo-predictor.default.svc.cluster.local"}
    assert not virtual


BUNDLE: JsonObject = {"metadata": {"name": "certs", "namespace": "kserve"}}


@pytest.mark.parametrize(
    ("k", "named", "data", "copied"),
    [
        (40, "", {"cabundle.crt": "PEM"}, None),
        (41, "certs", None, None),
        (42, "certs", {"other.crt": "PEM"}, None),
        (43, "certs", {"cabundle.crt": "PEM", "other.crt": "x"}, {"cabundle.crt": "PEM"}),
    ],
)
async def test_k40_to_k43_the_ca_bundle_is_copied_when_it_is_there(
    k: int, named: str, data: JsonObject | None, copied: JsonObject | None
) -> None:
    configuration = shipped()
    more: JsonObject = {"storageInitializer": f'{{"caBundleConfigMapName": "{named}"}}'}
    given = configuration | {"data": {**object_at(configuration, "data"), **more}}
    async with knative(config_map=given) as world:
        if data is not None:
            await world.add(CONFIG_MAP, BUNDLE | {"data": data}, "kserve")
        await world.applied(service())
        found = world.api.peek(CONFIG_MAP, "global-ca-bundle")
        told = "Warning CABundleMissing" in world.events()
    assert (found["data"] if found else None) == copied
    assert told == (bool(named) and copied is None)


async def test_k44_the_event_names_the_conditions_that_are_false() -> None:
    async with knative() as world:
        await world.applied(service())
        await says(world)
        await says(world, ready="False")
        found = [
            text_at(one, "message") for one in world.api.objects(EVENT) if one["reason"] == "InferenceServiceNotReady"
        ]
        false = sorted(key for key, value in world.conditions(NAME).items() if value == "False")
    assert false == [
        "IngressReady", "LatestDeploymentReady", "PredictorConfigurationReady", "PredictorReady", "PredictorRouteReady",
        "Ready", "RoutesReady", "Stopped",
    ]  # fmt: skip
    named = ", ".join(one for one in false if one not in ("Ready", "Stopped"))
    assert found == [f"foo is no longer ready ({named}): RevisionFailed: it broke"]
