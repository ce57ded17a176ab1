"""Every scenario of KServe's controller tests that applies to Standard mode, by the numbers of our reference.

`SCENARIOS` is the table: the number, what it is about, and where it is checked. Most are checked here, each against the
exact object or status; those of one predictor alone in `serving/test_standard_mode.py`. What differs from KServe on
purpose says how (docs/differences.md); what does not apply says why. A test holds the table against the tests.
"""

from collections.abc import Iterable

import pytest
from tests.reconcile.serving import test_standard_mode
from tests.reconcile.serving.world import World, config, isvc, runtime, serving

from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HTTP_ROUTE,
    INGRESS,
    POD,
    SERVICE,
    SERVING_RUNTIME,
)
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

SCENARIOS = {
    "R1": "Deployment of a predictor",
    "R2": "its Service",
    "R3": "its HTTPRoutes",
    "R4": "the status when all is ready",
    "R6": "strategy of the user's own, default timeout",
    "R7": "class none: replicas are minReplicas",
    "R8": "variables come and go",
    "R9": "stop: false, true, edited to true, edited to false; predictor",
    "R17": "the same with a transformer",
    "R21": "the same with an explainer",
    "R25": "a change of the runtime reaches the pods",
    "R26": "also with disable-auto-update: false",
    "R27": "not with true while it is ready",
    "R28": "only the services of the changed runtime change",
    "R29": "disableIngressCreation",
    "R30": "domainTemplate",
    "R31": "transformer: Deployment, Service, routes, status",
    "R32": "ART explainer: Deployment, routes, status",
    "R33": "pathTemplate; ours is a route of its own that cuts the prefix off (decision 0004)",
    "R34": "pathTemplate with a transformer",
    "R35": "pathTemplate with an explainer",
    "R39": "serviceClusterIPNone",
    "R40": "the same with a container port",
    "R41": "imagePullSecrets follow the spec",
    "R42": "ReplicaFailure",
    "R43": "two pods of one age",
    "R38": "Gateway API off: an Ingress",
    "M1": "two nodes: Deployments, environment, GPUs, Services",
    "M2": "pipelineParallelSize 5",
    "M3": "tensorParallelSize 16",
    "M4": "GPUs named by the head",
    "M5": "GPUs named by the workers",
    "M6": "one node is enough, both named",
    "M7": "one node is enough for the workers' size",
    "M8": "too few GPUs",
    "M9": "GPUs that do not come out even",
    "M10": "a label added later",
    "C1": "a canary beside the stable predictor",
    "C2": "another percentage",
    "C3": "promotion",
    "C4": "removal",
    "C5": "two canaries",
    "C7": "stop",
}

NOW = "2026-01-01T00:00:00Z"
ISVC = "raw-foo"
TRANSFORMER: JsonObject = {
    "minReplicas": 1,
    "maxReplicas": 2,
    "scaleTarget": 80,
    "timeout": 30,
    "containers": [{"image": "transformer:v1", "args": ["--port=8080"], "resources": {"limits": {"cpu": "1"}}}],
}
EXPLAINER: JsonObject = {"timeout": 30, "art": {"type": "SquareAttack", "config": {"nb_classes": "10"}}}


def with_components(body: JsonObject, **components: JsonObject) -> JsonObject:
    return body | {"spec": object_at(body, "spec") | components}


async def ready(world: World, *kinds: str) -> None:
    """All that the components of the service need."""
    for kind in kinds:
        await world.available(f"{ISVC}-{kind}")
    await world.accepted(ISVC, *(f"{ISVC}-{kind}" for kind in kinds))


def main_container(deployment: JsonObject) -> JsonObject:
    [container] = list_at(deployment, "spec", "template", "spec", "containers")
    assert isinstance(container, dict)
    return container


def backends(route: JsonObject) -> list[tuple[str, list[tuple[str, int]], str]]:
    """(path, (Service, weight) …, timeout) of each rule."""
    found = []
    for rule in list_at(route, "spec", "rules"):
        assert isinstance(rule, dict)
        [match] = list_at(rule, "matches")
        assert isinstance(match, dict)
        shares = [(str(one["name"]), int(str(one["weight"]))) for one in dicts(list_at(rule, "backendRefs"))]
        found.append((text_at(match, "path", "value"), shares, text_at(rule, "timeouts", "request")))
    return found


def dicts(values: Iterable[Json]) -> list[JsonObject]:
    return [one for one in values if isinstance(one, dict)]


def replicas(world: World) -> dict[str, Json]:
    return {
        text_at(one, "metadata", "name"): object_at(one, "spec").get("replicas")
        for one in world.api.objects(DEPLOYMENT)
    }


# --- stop -------------------------------------------------------------------------------------------------------------

COMPONENTS: dict[str, dict[str, JsonObject]] = {
    "predictor": {},
    "transformer": {"transformer": TRANSFORMER},
    "explainer": {"explainer": EXPLAINER},
}


def children(extra: str) -> list[tuple[Resource, str]]:
    names = [f"{ISVC}-{kind}" for kind in dict.fromkeys(["predictor", extra])]
    return [(HTTP_ROUTE, ISVC), *((kind, name) for name in names for kind in (DEPLOYMENT, SERVICE, HTTP_ROUTE))]


@pytest.mark.parametrize("extra", COMPONENTS)
@pytest.mark.parametrize(("before", "after"), [("", "false"), ("", "true"), ("false", "true"), ("true", "false")])
async def test_r9_r17_r21_stop(extra: str, before: str, after: str) -> None:
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
                ("raw-foo", ["/v1/models/raw-foo:explain explainer", "/ predictor"]),
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


# --- models that span nodes -------------------------------------------------------------------------------------------

SPANNING = runtime(
    "spanning",
    supportedModelFormats=[{"name": "huggingface", "version": "1", "autoSelect": True}],
    containers=[{"name": "kserve-container", "image": "head:1"}],
    workerSpec={
        "pipelineParallelSize": 2,
        "tensorParallelSize": 1,
        "containers": [{"name": "worker-container", "image": "worker:1"}],
    },
)
NVIDIA, INTEL = "nvidia.com/gpu", "intel.com/gpu"


def multinode(
    sizes: dict[str, Json] | None = None, *, head: JsonObject | None = None, worker: JsonObject | None = None
) -> JsonObject:
    """`head` and `worker`: the GPUs that they request."""
    model: JsonObject = {"storageUri": "pvc://claim/model", **({"resources": gpus(head)} if head else {})}
    container: list[Json] = [{"name": "worker-container", "resources": gpus(worker)}] if worker else []
    workers: JsonObject = {**(sizes or {}), **({"containers": container} if container else {})}
    predictor: JsonObject = {"huggingface": model, "workerSpec": workers}
    return isvc(autoscalerClass="none") | {"spec": {"predictor": predictor}}


def gpus(amounts: JsonObject) -> JsonObject:
    return {"requests": {**amounts}, "limits": {**amounts}}


def seen_gpus(container: JsonObject) -> JsonObject:
    requests = object_at(container, "resources", "requests")
    assert object_at(container, "resources", "limits") == requests
    return requests


def variables(container: JsonObject) -> JsonObject:
    return {text_at(one, "name"): one.get("value") for one in dicts(list_at(container, "env"))}


async def test_m1_two_nodes() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(multinode())
        head, worker = (world.peek(DEPLOYMENT, f"{ISVC}-{name}") for name in ("predictor", "predictor-worker"))
        services = {name: world.peek(SERVICE, f"{ISVC}-{name}") for name in ("head-1", "workers-1", "predictor")}
    assert variables(main_container(head)) == {
        "PIPELINE_PARALLEL_SIZE": "2",
        "TENSOR_PARALLEL_SIZE": "1",
        "RAY_NODE_COUNT": "2",
        "REQUEST_GPU_COUNT": "1",
        "MODEL_NAME": ISVC,
        "MODEL_DIR": "/mnt/models",
        "INFERENCE_SERVICE_NAME": ISVC,
    }
    assert variables(main_container(worker)) == {
        "PIPELINE_PARALLEL_SIZE": "2",
        "TENSOR_PARALLEL_SIZE": "1",
        "RAY_NODE_COUNT": "2",
        "REQUEST_GPU_COUNT": "1",
        "ISVC_NAME": ISVC,
        "HEAD_SVC": f"{ISVC}-head-1",
        "WORKER_SVC": f"{ISVC}-workers-1",
    }
    assert [seen_gpus(main_container(one)) for one in (head, worker)] == [{NVIDIA: "1"}, {NVIDIA: "1"}]
    assert (object_at(head, "spec").get("replicas"), object_at(worker, "spec")["replicas"]) == (None, 1)
    assert object_at(worker, "spec")["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "100%"},
    }
    assert object_at(worker, "spec", "selector") == {"matchLabels": {"app": f"isvc.{ISVC}-predictor-worker"}}
    for name, selected in (("head-1", "predictor"), ("workers-1", "predictor-worker")):
        assert object_at(services[name], "spec") == {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"app": f"isvc.{ISVC}-{selected}", "isvc.generation": "1"},
        }
    assert text_at(services["workers-1"], "metadata", "labels", "multinode/role") == "worker"


@pytest.mark.parametrize(
    ("body", "workers", "nodes", "head_gpus", "worker_gpus"),
    [
        (multinode({"pipelineParallelSize": 5}), 4, "5", {NVIDIA: "1"}, {NVIDIA: "1"}),
        (multinode({"tensorParallelSize": 16}), 31, "32", {NVIDIA: "1"}, {NVIDIA: "1"}),
        (multinode({"tensorParallelSize": 4}, head={INTEL: "2"}), 6, "7", {INTEL: "2"}, {NVIDIA: "1"}),
        (multinode({"tensorParallelSize": 4}, worker={INTEL: "2"}), 3, "4", {NVIDIA: "2"}, {INTEL: "2"}),
        (
            multinode({"tensorParallelSize": 4}, head={INTEL: "8"}, worker={INTEL: "2"}),
            *(0, "1", {INTEL: "8"}, {INTEL: "0"}),
        ),
        (
            multinode({"tensorParallelSize": 4}, head={NVIDIA: "2"}, worker={NVIDIA: "8"}),
            *(0, "1", {NVIDIA: "8"}, {NVIDIA: "0"}),
        ),
        (
            multinode({"tensorParallelSize": 16}, head={NVIDIA: "4"}, worker={NVIDIA: "3"}),
            *(10, "11", {NVIDIA: "4"}, {NVIDIA: "3"}),
        ),
    ],
)
async def test_m2_m3_m4_m5_m6_m7_m9_sizes(
    body: JsonObject, workers: int, nodes: str, head_gpus: JsonObject, worker_gpus: JsonObject
) -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(body)
        head, worker = (world.peek(DEPLOYMENT, f"{ISVC}-{name}") for name in ("predictor", "predictor-worker"))
    assert object_at(worker, "spec")["replicas"] == workers
    assert [variables(main_container(one))["RAY_NODE_COUNT"] for one in (head, worker)] == [nodes, nodes]
    assert [seen_gpus(main_container(one)) for one in (head, worker)] == [head_gpus, worker_gpus]


async def test_m8_too_few_gpus() -> None:
    sizes: dict[str, Json] = {"pipelineParallelSize": 1, "tensorParallelSize": 7}
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(multinode(sizes, head={NVIDIA: "2"}, worker={NVIDIA: "4"}))
        found, deployments = world.condition("PredictorReady"), list(world.api.objects(DEPLOYMENT))
    assert (found["status"], found["reason"]) == ("False", "InvalidGPUAllocation")
    assert "needs 7 GPUs: head 2 and worker 4 give 6" in str(found["message"])
    assert deployments == []


async def test_m10_a_label_added_later_changes_no_number() -> None:
    body = multinode({"pipelineParallelSize": 3})
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(body)
        object_at(body, "metadata")["labels"] = {"added": "later"}
        await world.applied(body)
        assert replicas(world) == {f"{ISVC}-predictor": None, f"{ISVC}-predictor-worker": 2}


async def test_both_deployments_of_a_model_that_spans_nodes_count() -> None:
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(multinode())
        await world.available(f"{ISVC}-predictor")
        before = world.conditions()["PredictorReady"]
        await world.available(f"{ISVC}-predictor-worker")
        assert (before, world.conditions()["PredictorReady"]) == ("False", "True")


# --- canaries ---------------------------------------------------------------------------------------------------------


def model(uri: str) -> JsonObject:
    return {"modelFormat": {"name": "tensorflow"}, "storageUri": uri}


def canary(name: str, percent: int) -> JsonObject:
    return {"predictor": {"name": name, "model": model(f"s3://m/{name}")}, "trafficPercent": percent}


def stable(*canaries: JsonObject, autoscaler: str = "none", name: str = "", uri: str = "s3://m/v1") -> JsonObject:
    body = isvc(autoscalerClass=autoscaler)
    predictor: JsonObject = {"minReplicas": 4, "model": model(uri)}
    return body | {
        "spec": {
            "predictor": predictor | ({"name": name} if name else {}),
            **({"canary": [*canaries]} if canaries else {}),
        }
    }


async def available(world: World, deployment: str) -> None:
    await world.says(
        DEPLOYMENT, deployment, {"availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}
    )


def shares(world: World, route: str = ISVC) -> list[tuple[str, int]]:
    [(_, found, _)] = backends(world.peek(HTTP_ROUTE, route))
    return found


def sources(world: World) -> dict[str, str]:
    key = "internal.serving.kserve.io/storage-initializer-sourceuri"
    return {
        text_at(one, "metadata", "name"): text_at(one, "spec", "template", "metadata", "annotations", key)
        for one in world.api.objects(DEPLOYMENT)
    }


async def test_c1_a_canary_takes_its_replicas_and_its_share_when_it_is_available() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-predictor")
        before = replicas(world), shares(world), world.condition("CanaryPredictorReady")
        await available(world, f"{ISVC}-v2-predictor")
        after = replicas(world), shares(world), shares(world, f"{ISVC}-predictor")
        found, status = world.condition("CanaryPredictorReady"), world.status()
        uris = sources(world)
    assert before[:2] == ({f"{ISVC}-predictor": 4, f"{ISVC}-v2-predictor": 1}, [(f"{ISVC}-predictor", 100)])
    assert (before[2]["status"], before[2]["reason"], before[2]["severity"]) == ("False", "CanariesNotReady", "Info")
    split = [(f"{ISVC}-predictor", 75), (f"{ISVC}-v2-predictor", 25)]
    assert after == ({f"{ISVC}-predictor": 3, f"{ISVC}-v2-predictor": 1}, split, split)
    assert (found["status"], found["reason"]) == ("True", "AllCanariesReady")
    assert status["canaryStatuses"] == [{"name": "v2", "ready": True, "trafficPercent": 25}]
    assert uris == {f"{ISVC}-predictor": "s3://m/v1", f"{ISVC}-v2-predictor": "s3://m/v2"}


async def test_c2_another_percentage_moves_replicas_and_traffic() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        await world.applied(stable(canary("v2", 50)))
        assert replicas(world) == {f"{ISVC}-predictor": 2, f"{ISVC}-v2-predictor": 2}
        assert shares(world) == [(f"{ISVC}-predictor", 50), (f"{ISVC}-v2-predictor", 50)]


async def test_c3_promotion_keeps_the_pods_of_the_canary() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        before = object_at(world.peek(DEPLOYMENT, f"{ISVC}-v2-predictor"), "spec", "template")
        await world.applied(stable(name="v2", uri="s3://m/v2"))
        after = object_at(world.peek(DEPLOYMENT, f"{ISVC}-v2-predictor"), "spec", "template")
        assert after == before
        assert replicas(world) == {f"{ISVC}-v2-predictor": 4}
        assert not world.exists(SERVICE, f"{ISVC}-predictor")
        assert shares(world) == [(f"{ISVC}-v2-predictor", 1)]
        hosts = object_at(world.peek(HTTP_ROUTE, f"{ISVC}-predictor"), "spec")["hostnames"]
        assert hosts == ["raw-foo-predictor-default.example.com"]
        assert "CanaryPredictorReady" not in world.conditions()


async def test_c4_removal_gives_the_stable_predictor_everything_back() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        await available(world, f"{ISVC}-v2-predictor")
        await world.applied(stable())
        assert replicas(world) == {f"{ISVC}-predictor": 4}
        assert not world.exists(SERVICE, f"{ISVC}-v2-predictor")
        assert shares(world) == [(f"{ISVC}-predictor", 1)]
        assert "canaryStatuses" not in world.status()


async def test_c5_two_canaries() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25), canary("v3", 25)))
        for name in ("v2", "v3"):
            await available(world, f"{ISVC}-{name}-predictor")
        assert replicas(world) == {
            f"{ISVC}-predictor": 2,
            f"{ISVC}-v2-predictor": 1,
            f"{ISVC}-v3-predictor": 1,
        }
        assert shares(world) == [
            (f"{ISVC}-predictor", 50),
            (f"{ISVC}-v2-predictor", 25),
            (f"{ISVC}-v3-predictor", 25),
        ]


async def test_c7_stop_ends_canaries_too() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 25)))
        body = stable(canary("v2", 25))
        object_at(body, "metadata", "annotations")["serving.kserve.io/stop"] = "true"
        await world.applied(body)
        assert replicas(world) == {}
        assert world.condition("CanaryPredictorReady")["reason"] == "Stopped"


async def test_with_a_transformer_each_canary_has_one_so_that_its_share_is_transformed_too() -> None:
    body = with_components(stable(canary("v2", 25)), transformer=TRANSFORMER)
    async with serving() as world:
        await world.applied(body)
        args = main_container(world.peek(DEPLOYMENT, f"{ISVC}-v2-transformer"))["args"]
        await available(world, f"{ISVC}-v2-predictor")
        before = shares(world)
        await available(world, f"{ISVC}-v2-transformer")
        after, predictors = shares(world), shares(world, f"{ISVC}-predictor")
    assert isinstance(args, list)
    assert f"{ISVC}-v2-predictor.default" in args
    assert before == [(f"{ISVC}-transformer", 100)]
    assert after == [(f"{ISVC}-transformer", 75), (f"{ISVC}-v2-transformer", 25)]
    assert predictors == [(f"{ISVC}-predictor", 75), (f"{ISVC}-v2-predictor", 25)]


async def test_a_canary_that_cannot_be_made_is_told_and_holds_up_nobody() -> None:
    unknown = canary("v2", 25)
    object_at(unknown, "predictor", "model")["runtime"] = "nobody"
    async with serving() as world:
        await world.applied(stable(unknown, canary("v3", 25)))
        await available(world, f"{ISVC}-predictor")
        await available(world, f"{ISVC}-v3-predictor")
        await world.accepted(ISVC, f"{ISVC}-predictor")
        found, conditions, split = world.condition("CanaryPredictorReady"), world.conditions(), shares(world)
    assert found["reason"] == "CanariesNotReady"
    assert str(found["message"]).startswith("v2: Waiting for runtime to become available")
    assert conditions["Ready"] == "True"
    assert split == [(f"{ISVC}-predictor", 75), (f"{ISVC}-v3-predictor", 25)]


async def test_a_canary_without_traffic_runs_and_takes_nothing_off_the_stable_predictor() -> None:
    async with serving() as world:
        await world.applied(stable(canary("v2", 0)))
        await available(world, f"{ISVC}-v2-predictor")
        assert replicas(world) == {f"{ISVC}-predictor": 4, f"{ISVC}-v2-predictor": 1}
        assert shares(world) == [(f"{ISVC}-predictor", 100), (f"{ISVC}-v2-predictor", 0)]


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_scenario_of_the_table_has_its_test() -> None:
    names = [*vars(test_standard_mode), *globals()]
    tested = {word for name in names if name.startswith("test_") for word in name.upper().split("_")}
    assert not set(SCENARIOS) - tested
