"""Models that span nodes, by the numbers of KServe's tests (M1 to M10; list: `scenarios`)."""

import pytest
from tests.reconcile.conformance import ISVC, dicts, main_container, replicas
from tests.reconcile.serving.world import isvc, runtime, serving

from inferplane.client.kubernetes.kinds import DEPLOYMENT, SERVICE, SERVING_RUNTIME
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

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


@pytest.mark.parametrize("uri", ["pvc://claim/model", "oci://registry/model"])
async def test_the_workers_find_the_model_where_the_head_does(uri: str) -> None:
    body = multinode()
    object_at(body, "spec", "predictor", "huggingface")["storageUri"] = uri
    async with serving() as world:
        await world.add(SERVING_RUNTIME, SPANNING)
        await world.applied(body)
        pods = [
            object_at(world.peek(DEPLOYMENT, f"{ISVC}-{name}"), "spec", "template", "spec")
            for name in ("predictor", "predictor-worker")
        ]
    for part in ("volumes", "initContainers"):
        assert list_at(pods[0], part) == list_at(pods[1], part)
    heads, workers = (list_at(main, "volumeMounts") for pod in pods for main in dicts(list_at(pod, "containers")))
    assert heads == workers != []
