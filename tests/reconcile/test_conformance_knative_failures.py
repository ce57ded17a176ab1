"""K32 to K44: runtimes, storage, certificates, and what is told when something fails, in Knative mode."""

import pytest
from tests.reconcile.serving.knative_world import (
    NAME,
    annotated,
    annotations,
    containers,
    knative,
    says,
    service,
    shipped,
    template,
)
from tests.reconcile.serving.world import runtime

from inferplane.client.kubernetes.kinds import CONFIG_MAP, EVENT, POD, SERVING_RUNTIME, VIRTUAL_SERVICE
from inferplane.kernel.json import JsonObject, object_at, text_at


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
