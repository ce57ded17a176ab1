"""The words of the tests of Knative mode: a cluster with Knative and Istio, a service, what Knative says of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fakes.api import MemoryApi
from tests.fakes.clock import FakeClock
from tests.reconcile.serving.world import World, config, isvc, runtime, serving

from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    KNATIVE_SERVICE,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at

NAME = "foo"
MODE = {"serving.kserve.io/deploymentMode": "Knative"}
SCALED = {
    **MODE,
    "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
    "autoscaling.knative.dev/min-scale": "1",
    "autoscaling.knative.dev/max-scale": "3",
}
BOUNDS: JsonObject = {"minReplicas": 1, "maxReplicas": 3}
NAMED = {"serving.kserve.io/inferenceservice": NAME}
LOCAL, MESH, OUTSIDE = "knative-serving/knative-local-gateway", "mesh", "knative-serving/knative-ingress-gateway"
LATEST: JsonObject = {"latestRevision": True, "percent": 100}


def shipped(**ingress: str) -> JsonObject:
    """KServe's ConfigMap as its controller tests have it."""
    words = {
        "ingressDomain": '"example.com"', "pathTemplate": '""', "enableGatewayApi": "false", **ingress
    }  # fmt: skip
    return config(
        deploy='{"defaultDeploymentMode": "Knative"}',
        security='{"autoMountServiceAccountToken": false}',
        inferenceService="{}",
        ingress="{" + ", ".join(f'"{key}": {value}' for key, value in words.items()) + "}",
    )


def definition(plural: str, group: str) -> JsonObject:
    conditions: list[Json] = [{"type": "Established", "status": "True"}]
    return {"metadata": {"name": f"{plural}.{group}"}, "status": {"conditions": conditions}}


@asynccontextmanager
async def knative(*, config_map: JsonObject | None = None, has_knative: bool = True) -> AsyncIterator[World]:
    """A cluster with Istio, the runtime `tf-serving` and, unless told otherwise, Knative."""
    api = MemoryApi(FakeClock())
    api.add(CONFIG_MAP, config_map or shipped())
    api.add(SERVING_RUNTIME, runtime("tf-serving"))
    api.add(CUSTOM_RESOURCE_DEFINITION, definition("virtualservices", "networking.istio.io"))
    if has_knative:
        api.add(CUSTOM_RESOURCE_DEFINITION, definition("services", "serving.knative.dev"))
    async with serving(api=api) as world:
        yield world


def service(predictor: JsonObject | None = None, **parts: JsonObject) -> JsonObject:
    """Tensorflow from S3 with one to three replicas; further parts of the spec by name."""
    body = isvc(NAME, BOUNDS | (predictor or {}), deploymentMode="Knative")
    return body | {"spec": {**object_at(body, "spec"), **parts}}


def annotated(body: JsonObject, **annotations: str) -> JsonObject:
    """With further annotations."""
    meta = object_at(body, "metadata")
    return body | {"metadata": meta | {"annotations": {**object_at(meta, "annotations"), **annotations}}}


TRANSFORMER: JsonObject = {**BOUNDS, "containers": [{"image": "transformer:v1"}]}
EXPLAINER: JsonObject = {**BOUNDS, "art": {"type": "SquareAttack"}}


def template(world: World, name: str = "foo-predictor") -> JsonObject:
    return object_at(world.peek(KNATIVE_SERVICE, name), "spec", "template")


def annotations(world: World, name: str = "foo-predictor") -> JsonObject:
    return object_at(template(world, name), "metadata", "annotations")


def containers(world: World, name: str = "foo-predictor") -> list[JsonObject]:
    return [one for one in list_at(template(world, name), "spec", "containers") if isinstance(one, dict)]


def traffic(world: World, name: str = "foo-predictor") -> list[Json]:
    return list_at(world.peek(KNATIVE_SERVICE, name), "spec", "traffic")


async def says(
    world: World,
    component: str = "predictor",
    *,
    ready: str = "True",
    revision: str = "revision-v1",
    created: str = "",
    targets: list[Json] | None = None,
) -> None:
    """What Knative would write into the status of a component's Service."""
    why: JsonObject = {} if ready == "True" else {"reason": "RevisionFailed", "message": "it broke"}
    conditions: list[Json] = [
        {"type": one, "status": ready, **why} for one in ("ConfigurationsReady", "Ready", "RoutesReady")
    ]
    shares: list[Json] = targets or [{"revisionName": revision, "latestRevision": True, "percent": 100}]
    status: JsonObject = {
        "conditions": conditions,
        "latestReadyRevisionName": revision,
        "latestCreatedRevisionName": created or revision,
        "url": f"http://foo-{component}.default.example.com",
        "address": {"url": f"http://foo-{component}.default.svc.cluster.local"},
        "traffic": shares,
    }
    await world.says(KNATIVE_SERVICE, f"foo-{component}", status)


async def started(world: World, component: str, body: JsonObject) -> None:
    await world.applied(body)
    for one in dict.fromkeys(("predictor", component)):
        await says(world, one)


def canary(percent: int | None) -> JsonObject:
    body = service({"tensorflow": {"storageUri": "s3://test/mnist/export/v2", "runtimeVersion": "1.14.0"}})
    predictor = object_at(body, "spec", "predictor")
    return body | {"spec": {"predictor": predictor | ({} if percent is None else {"canaryTrafficPercent": percent})}}


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
"""The VirtualService of a predictor alone."""
