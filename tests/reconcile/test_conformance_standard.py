"""Transformers, explainers, ways in and stopping in Standard mode, by the numbers of KServe's tests (`scenarios`)."""

from copy import deepcopy

import pytest
from tests.reconcile.conformance import (
    EXPLAINER,
    ISVC,
    NOW,
    TRANSFORMER,
    backends,
    dicts,
    main_container,
    model,
    ready,
    with_components,
)
from tests.reconcile.serving.test_autoscaling import definition
from tests.reconcile.serving.world import config, isvc, runtime, serving

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    HORIZONTAL_POD_AUTOSCALER,
    HTTP_ROUTE,
    INGRESS,
    INGRESS_CLASS,
    OPEN_TELEMETRY_COLLECTOR,
    POD,
    SCALED_OBJECT,
    SERVICE,
    SERVING_RUNTIME,
)
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.serving.inferenceservice import keys_of_pod
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.core import Pod
from inferplane.resources.meta import ObjectMeta

# --- stop -------------------------------------------------------------------------------------------------------------

COMPONENTS: dict[str, dict[str, JsonObject]] = {
    "predictor": {},
    "transformer": {"transformer": TRANSFORMER},
    "explainer": {"explainer": EXPLAINER},
}


def children(extra: str) -> list[tuple[Resource, str]]:
    names = [f"{ISVC}-{kind}" for kind in dict.fromkeys(["predictor", extra])]
    owned = (DEPLOYMENT, SERVICE, HTTP_ROUTE, HORIZONTAL_POD_AUTOSCALER)
    return [(HTTP_ROUTE, ISVC), *((kind, name) for name in names for kind in owned)]


@pytest.mark.parametrize("extra", COMPONENTS)
@pytest.mark.parametrize(("before", "after"), [("", "false"), ("", "true"), ("false", "true"), ("true", "false")])
async def test_r9_to_r24_stop_with_routes(extra: str, before: str, after: str) -> None:
    wanted = [f"{extra.capitalize()}Ready", "PredictorReady", "IngressReady", "Ready"]
    async with serving() as world:
        for stop in filter(None, (before, after)):
            await world.applied(with_components(isvc(stop=stop), **COMPONENTS[extra]))
            if stop == "false":
                await ready(world, *dict.fromkeys(["predictor", extra]))
        exist = {world.exists(*child) for child in children(extra)}
        found, reason = world.conditions(), world.condition(wanted[0]).get("reason")
    running = after == "false"
    assert exist == {running}
    assert {name: found[name] for name in wanted} == dict.fromkeys(wanted, "True" if running else "False")
    assert found["Stopped"] == ("False" if running else "True")
    assert reason == (None if running else "Stopped")


KEDA = isvc(
    autoscalerClass="keda",
    predictor={
        "maxReplicas": 3,
        "autoScaling": {
            "metrics": [
                {
                    "type": "PodMetric",
                    "podmetric": {
                        "metric": {"backend": "opentelemetry", "metricNames": ["up"], "query": "up"},
                        "target": {"type": "Value", "value": "4"},
                    },
                }
            ]
        },
    },
)


@pytest.mark.parametrize(("before", "after"), [("", "false"), ("", "true"), ("false", "true"), ("true", "false")])
async def test_r9_to_r16_stop_with_an_ingress_and_keda(before: str, after: str) -> None:
    off = '{"enableGatewayApi": false, "ingressDomain": "example.com"}'
    async with serving(config_map=config(ingress=off)) as world:
        for one in (SCALED_OBJECT, OPEN_TELEMETRY_COLLECTOR):
            await world.add(CUSTOM_RESOURCE_DEFINITION, definition(one))
        for stop in filter(None, (before, after)):
            body = deepcopy(KEDA)
            object_at(body, "metadata", "annotations")["serving.kserve.io/stop"] = stop
            await world.applied(body)
            if stop == "false":
                await world.available()
                await world.says(INGRESS, ISVC, {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}})
        owned = (DEPLOYMENT, SERVICE, SCALED_OBJECT, OPEN_TELEMETRY_COLLECTOR)
        exist = {world.exists(INGRESS, ISVC), *(world.exists(kind, f"{ISVC}-predictor") for kind in owned)}
        found = world.conditions()
    running = after == "false"
    assert exist == {running}
    assert not world.exists(HORIZONTAL_POD_AUTOSCALER, f"{ISVC}-predictor")
    assert [found[one] for one in ("PredictorReady", "IngressReady", "Ready")] == ["True" if running else "False"] * 3
    assert found["Stopped"] == ("False" if running else "True")


# --- transformer and explainer ----------------------------------------------------------------------------------------


async def test_r31_transformer() -> None:
    body = with_components(isvc(predictor={"timeout": 60}), transformer=TRANSFORMER)
    async with serving() as world:
        await world.applied(body)
        deployment, service = (world.peek(kind, f"{ISVC}-transformer") for kind in (DEPLOYMENT, SERVICE))
        waiting = world.condition("IngressReady"), world.condition("Ready")
        await ready(world, "predictor", "transformer")
        routes = {name: backends(world.peek(HTTP_ROUTE, name)) for name in (ISVC, *ROUTED)}
        status = world.status()
    container = main_container(deployment)
    assert container["args"] == [
        *["--port=8080", "--model_name", ISVC],
        *["--predictor_host", f"{ISVC}-predictor.default", "--http_port", "8080"],
    ]
    assert container["env"] == [{"name": "INFERENCE_SERVICE_NAME", "value": ISVC}]
    assert object_at(container, "resources") == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"cpu": "1", "memory": "2Gi"},
    }
    assert object_at(deployment, "spec", "template", "metadata") == {
        "name": f"{ISVC}-transformer",
        "namespace": "default",
        "labels": {
            "app": f"isvc.{ISVC}-transformer",
            "component": "transformer",
            "serving.kserve.io/inferenceservice": ISVC,
        },
        "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
    }
    assert object_at(service, "spec") == {
        "selector": {"app": f"isvc.{ISVC}-transformer"},
        "ports": [{"name": f"{ISVC}-transformer", "port": 80, "targetPort": 8080, "protocol": "TCP"}],
    }
    to_transformer = ("^/.*$", [(f"{ISVC}-transformer", 1)], "30s")
    assert routes == {
        ISVC: [to_transformer],
        f"{ISVC}-transformer": [to_transformer],
        f"{ISVC}-predictor": [("^/.*$", [(f"{ISVC}-predictor", 1)], "60s")],
    }
    assert [one["status"] for one in waiting] == ["False", "False"]
    assert waiting[0]["reason"] == "Transformer Deployment NotReady"
    assert {"type": "TransformerReady", "status": "True", "severity": "Info", "lastTransitionTime": NOW} in list_at(
        status, "conditions"
    )
    assert status["address"] == {"url": f"http://{ISVC}-transformer.default.svc.cluster.local"}
    assert status["components"] == {
        kind: {"url": f"http://{ISVC}-{kind}-default.example.com"} for kind in ("predictor", "transformer")
    }


ROUTED = (f"{ISVC}-predictor", f"{ISVC}-transformer")


async def test_r32_explainer() -> None:
    async with serving() as world:
        await world.applied(with_components(isvc(), explainer=EXPLAINER))
        deployment = world.peek(DEPLOYMENT, f"{ISVC}-explainer")
        waiting = world.condition("Ready")
        await ready(world, "predictor", "explainer")
        top, own = (backends(world.peek(HTTP_ROUTE, name)) for name in (ISVC, f"{ISVC}-explainer"))
        status, conditions = world.status(), world.conditions()
    container = main_container(deployment)
    assert container["image"] == "kserve/art-explainer:latest"
    assert container["args"] == [
        *["--model_name", ISVC, "--http_port", "8080", "--predictor_host", f"{ISVC}-predictor.default"],
        *["--adversary_type", "SquareAttack", "--nb_classes", "10"],
    ]
    assert "env" not in container
    assert top == [
        (r"^/v1/models/[\w-]+:explain$", [(f"{ISVC}-explainer", 1)], "30s"),
        (r"^/v2/models/[\w-]+/explain$", [(f"{ISVC}-explainer", 1)], "30s"),
        ("^/.*$", [(f"{ISVC}-predictor", 1)], "60s"),
    ]
    assert own == [("^/.*$", [(f"{ISVC}-explainer", 1)], "30s")]
    assert (waiting["status"], conditions["ExplainerReady"], conditions["Ready"]) == ("False", "True", "True")
    assert status["address"] == {"url": f"http://{ISVC}-predictor.default.svc.cluster.local"}


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ({}, [("/serving/default/raw-foo", "predictor", "30s")]),
        ({"transformer": TRANSFORMER}, [("/serving/default/raw-foo", "transformer", "30s")]),
        (
            {"explainer": EXPLAINER},
            [
                ("/serving/default/raw-foo/v1/models/raw-foo:explain", "explainer", "30s"),
                ("/serving/default/raw-foo/v2/models/raw-foo/explain", "explainer", "30s"),
                ("/serving/default/raw-foo", "predictor", "30s"),
            ],
        ),
    ],
)
async def test_r33_r34_r35_paths(components: dict[str, JsonObject], expected: list[tuple[str, str, str]]) -> None:
    ingress = '{"ingressDomain": "example.com", "pathTemplate": "/serving/{{ .Namespace }}/{{ .Name }}"}'
    async with serving(config_map=config(ingress=ingress)) as world:
        await world.applied(with_components(isvc(predictor={"timeout": 30}), **components))
        await ready(world, "predictor", *components)
        await world.accepted(f"{ISVC}-path")
        route, status = world.peek(HTTP_ROUTE, f"{ISVC}-path"), world.status()
    found = [(path, service.removeprefix(f"{ISVC}-"), wait) for path, [(service, _)], wait in backends(route)]
    assert found == expected
    assert object_at(route, "spec")["hostnames"] == ["example.com"]
    assert status["url"] == "http://raw-foo-default.example.com"


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ({}, [("raw-foo", ["/ predictor"]), ("raw-foo-predictor", ["/ predictor"])]),
        (
            {"transformer": TRANSFORMER},
            [
                ("raw-foo", ["/ transformer"]),
                ("raw-foo-transformer", ["/ transformer"]),
                ("raw-foo-predictor", ["/ predictor"]),
            ],
        ),
        (
            {"explainer": EXPLAINER},
            [
                (
                    "raw-foo",
                    [
                        "/v1/models/raw-foo:explain explainer",
                        "/v2/models/raw-foo/explain explainer",
                        "/ predictor",
                    ],
                ),
                ("raw-foo-explainer", ["/ explainer"]),
                ("raw-foo-predictor", ["/ predictor"]),
            ],
        ),
    ],
)
async def test_r38_an_ingress(components: dict[str, JsonObject], expected: list[tuple[str, list[str]]]) -> None:
    off = '{"enableGatewayApi": false, "ingressDomain": "example.com", "pathTemplate": ""}'
    async with serving(config_map=config(ingress=off)) as world:
        await world.applied(with_components(isvc(), **components))
        waiting = world.condition("IngressReady")
        for kind in ("predictor", *components):
            await world.available(f"{ISVC}-{kind}")
        not_yet = world.condition("IngressReady")
        ingress = world.peek(INGRESS, ISVC)
        await world.says(INGRESS, ISVC, {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}})
        conditions, status = world.conditions(), world.status()
        assert not list(world.api.objects(HTTP_ROUTE))
    rules = [
        (text_at(rule, "host").removesuffix("-default.example.com"), [path_of(one) for one in dicts(paths)])
        for rule in dicts(list_at(ingress, "spec", "rules"))
        if (paths := list_at(rule, "http", "paths"))
    ]
    assert rules == expected
    assert object_at(ingress, "spec")["ingressClassName"] == "istio"
    assert object_at(ingress, "metadata", "annotations") == {
        "serving.kserve.io/deploymentMode": "Standard",
        "modelFormat": "tensorflow",
    }
    assert (waiting["status"], not_yet["reason"]) == ("False", "IngressNotServed")
    assert (conditions["IngressReady"], conditions["Ready"]) == ("True", "True")
    assert status["url"] == "http://raw-foo-default.example.com"


@pytest.mark.parametrize(
    ("classes", "ready", "words"),
    [
        ([], "False", "there is no IngressClass 'istio' (ingress.ingressClassName); have: none"),
        ([("nginx", "k8s.io/ingress-nginx")], "False", "have: nginx"),
        ([("istio", "istio.io/ingress-controller")], "True", ""),
    ],
)
async def test_an_ingress_of_another_controller_is_ready_once_it_is_there_and_one_of_nobody_never(
    classes: list[tuple[str, str]], ready: str, words: str
) -> None:
    off = '{"enableGatewayApi": false, "ingressDomain": "example.com"}'
    async with serving(config_map=config(ingress=off)) as world:
        for name in ("inferplane", "istio"):
            world.api.remove(INGRESS_CLASS, name, "")
        for name, controller in classes:
            world.api.add(INGRESS_CLASS, {"metadata": {"name": name}, "spec": {"controller": controller}})
        await world.applied(isvc())
        await world.available()
        found = world.condition("IngressReady")
    assert found["status"] == ready
    assert words in str(found.get("message", ""))


def path_of(path: JsonObject) -> str:
    assert object_at(path, "backend", "service", "port") == {"number": 80}
    assert path["pathType"] == ("Exact" if "explain" in text_at(path, "path") else "Prefix")
    service = text_at(path, "backend", "service", "name")
    return f"{text_at(path, 'path')} {service.removeprefix(f'{ISVC}-')}"


async def test_a_switch_from_routes_to_an_ingress_and_back_leaves_nothing_behind() -> None:
    off = '{"enableGatewayApi": false, "ingressDomain": "example.com"}'
    async with serving() as world:
        await world.applied(isvc())
        await world.add(CONFIG_MAP, config(ingress=off))
        assert (world.exists(INGRESS, ISVC), world.exists(HTTP_ROUTE, ISVC)) == (True, False)
        await world.add(CONFIG_MAP, config())
        assert (world.exists(INGRESS, ISVC), world.exists(HTTP_ROUTE, ISVC)) == (False, True)


async def test_r41_pull_secrets_follow_the_spec() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, runtime("tf-serving-raw", imagePullSecrets=[{"name": "of-the-runtime"}]))
        found = []
        for name in ("a", "b"):
            await world.applied(isvc(predictor={"imagePullSecrets": [{"name": name}]}))
            pod = object_at(world.peek(DEPLOYMENT, f"{ISVC}-predictor"), "spec", "template", "spec")
            found.append([one["name"] for one in dicts(list_at(pod, "imagePullSecrets"))])
    assert found == [["a", "of-the-runtime"], ["b", "of-the-runtime"]]


async def test_r43_of_two_pods_of_one_age_the_name_decides() -> None:
    running: JsonObject = {"running": {}}
    ended: JsonObject = {"terminated": {"reason": "Error", "exitCode": 1}}
    async with serving() as world:
        await world.applied(isvc())
        found = []
        for first, second in ((running, ended), (ended, running)):
            for name, state in (("a", first), ("b", second)):
                await world.add(POD, pod(name, {"name": "storage-initializer", "state": state}))
            states = object_at(world.status(), "modelStatus", "states")
            found += [states["targetModelState"]]
            await world.applied(isvc())
            assert object_at(world.status(), "modelStatus", "states") == states
    assert found == ["Loading", "FailedToLoad"]


def pod(name: str, initializer: JsonObject) -> JsonObject:
    labels: JsonObject = {"app": f"isvc.{ISVC}-predictor", "serving.kserve.io/inferenceservice": ISVC}
    meta: JsonObject = {"name": name, "namespace": "default", "labels": labels, "creationTimestamp": NOW}
    return {"metadata": meta, "status": {"initContainerStatuses": [initializer]}}


# --- watches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        ({"serving.kserve.io/inferenceservice": ISVC}, [Key("ml", ISVC)]),
        ({"serving.kserve.io/inferenceservice": ""}, []),
        ({"other": "label"}, []),
        ({}, []),
    ],
)
def test_w1_a_pod_wakes_the_service_of_its_label(labels: dict[str, str], keys: list[Key]) -> None:
    assert keys_of_pod(Pod(metadata=ObjectMeta(name="p", namespace="ml", labels=labels))) == keys


async def test_w2_a_runtime_wakes_the_service_that_waits_for_it() -> None:
    body = isvc()
    body["spec"] = {"predictor": {"model": {**model("s3://m/v1"), "runtime": "late"}}}
    async with serving() as world:
        await world.applied(body)
        before = object_at(world.status(), "modelStatus", "lastFailureInfo")["reason"]
        await world.add(SERVING_RUNTIME, runtime("late"))
        assert (before, world.exists(DEPLOYMENT, f"{ISVC}-predictor")) == ("RuntimeNotRecognized", True)
