"""A model that spans nodes (`predictor.workerSpec`): how many nodes, how many GPUs on each, and what workers run.

The head is the predictor as ever; workers are a second Deployment that finds it by a headless Service. The
InferenceService (defaulted), its predictor and a runtime with a `workerSpec` go in; the head's component changed, the
workers' component and the headless Services come out. The arithmetic is KServe's (Ray: GPUs of all nodes together hold
the model). Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil

import msgspec

from inferplane.controlplane.serving import merging, names
from inferplane.controlplane.serving.components import Component, source_uri, with_storage
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources import strategic
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService, PredictorSpec, WorkerSpec, passthrough
from inferplane.resources.serving.runtime import RuntimeWorkerSpec, ServingRuntime
from inferplane.resources.serving.validation.workers import GPU_TYPES, GPU_TYPES_ANNOTATION

GENERATION = "isvc.generation"
ROLE = "multinode/role"
_EXECUTOR = "multinode/executor-backend"
_DEFAULT_GPU = "nvidia.com/gpu"
_ALL_AT_ONCE: JsonObject = {
    "type": "RollingUpdate",
    "rollingUpdate": {"maxUnavailable": "0%", "maxSurge": "100%"},
}


class InvalidGpuAllocation(InferplaneError):
    """The GPUs that are asked for do not hold the model."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Nodes, the head among them, and GPUs of the head and of each worker."""

    pipeline: int
    tensor: int
    nodes: int
    head_gpus: int
    worker_gpus: int


@dataclass(frozen=True, slots=True)
class Spanning:
    """`headless`: name of a Service, role, name of the component that it selects."""

    head: Component
    workers: Component
    headless: tuple[tuple[str, str, str], ...]


def spanning(isvc: InferenceService, head: Component, runtime: ServingRuntime, config: Config) -> Spanning:
    """`head` is the predictor's component. Raises InvalidPredictor and InvalidGpuAllocation."""
    predictor = head.spec
    assert isinstance(predictor, PredictorSpec), "only a predictor has workers"
    asked = predictor.worker_spec or WorkerSpec()
    theirs = _workers_of(runtime)
    pod = with_storage(isvc, _pod(isvc, theirs), source_uri(predictor, head.pod), predictor.storage_uris, config)
    types = _gpu_types(isvc, config)
    main, worker = _containers(head.pod)[0], _containers(pod)[0]
    sizes = _sizes(
        pipeline=asked.pipeline_parallel_size or theirs.pipeline_parallel_size or 1,
        tensor=asked.tensor_parallel_size or theirs.tensor_parallel_size or 1,
        head=_requested(main, GPU_TYPES | frozenset(config.multi_node.custom_gpu_resource_type_list)),
        worker=_requested(worker, GPU_TYPES | frozenset(config.multi_node.custom_gpu_resource_type_list)),
        one_process_a_node=runtime.spec.annotations.get(_EXECUTOR) == "mp",
    )
    name, generation = isvc.metadata.name, isvc.metadata.generation
    services = f"{name}-head-{generation}", f"{name}-workers-{generation}"
    main = _with_gpus(_with_environment(main, _head_environment(isvc, predictor, sizes)), sizes.head_gpus, types)
    worker = _with_gpus(_with_environment(worker, _worker_environment(isvc, sizes, services)), sizes.worker_gpus, types)
    labels: JsonObject = {GENERATION: str(generation)}
    head = replace(head, labels=head.labels | labels, pod=_with_first(head.pod, main))
    workers = replace(
        head,
        name=f"{head.name}-worker",
        pod=_with_first(pod, worker),
        spec=msgspec.structs.replace(predictor, min_replicas=sizes.nodes - 1, deployment_strategy=_ALL_AT_ONCE),
    )
    return Spanning(head, workers, ((services[0], "head", head.name), (services[1], "worker", workers.name)))


def _workers_of(runtime: ServingRuntime) -> RuntimeWorkerSpec:
    if runtime.spec.worker_spec is None:
        raise merging.InvalidPredictor(
            f"runtime {runtime.metadata.name} has no workerSpec, which spec.predictor.workerSpec needs"
        )
    return runtime.spec.worker_spec


# --- sizes ------------------------------------------------------------------------------------------------------------


def _sizes(*, pipeline: int, tensor: int, head: int, worker: int, one_process_a_node: bool) -> Sizes:
    """`head` and `worker`: GPUs that their containers request, 0 for none."""
    if one_process_a_node:
        return Sizes(pipeline, tensor, pipeline, tensor, tensor)
    sizes = Sizes(pipeline, tensor, *_spread(pipeline * tensor, head, worker))
    have = sizes.head_gpus + sizes.worker_gpus * (sizes.nodes - 1)
    if pipeline * tensor > have:
        raise InvalidGpuAllocation(
            f"pipelineParallelSize x tensorParallelSize needs {pipeline * tensor} GPUs: "
            f"head {head} and worker {worker} give {have} on {sizes.nodes} nodes"
        )
    return sizes


def _spread(total: int, head: int, worker: int) -> tuple[int, int, int]:
    """(nodes, GPUs of the head, GPUs of a worker) for `total` GPUs."""
    if worker:
        nodes = 1 if head and ceil(total / head) == 1 else ceil(total / worker)
        return (1, total, 0) if nodes == 1 else (nodes, head or total - worker * (nodes - 1), worker)
    if head:
        return (total - head + 1 if total > head else 1), head, 1
    return total, 1, 1


def _requested(container: JsonObject, types: Iterable[str]) -> int:
    requests = object_at(container, "resources", "requests")
    return next((int(str(requests[one])) for one in sorted(types) if one in requests), 0)


def _gpu_types(isvc: InferenceService, config: Config) -> frozenset[str]:
    annotated = isvc.metadata.annotations.get(GPU_TYPES_ANNOTATION)
    own = msgspec.json.decode(annotated, type=list[str]) if annotated else []
    return GPU_TYPES | {*config.multi_node.custom_gpu_resource_type_list, *own}


def _with_gpus(container: JsonObject, count: int, types: frozenset[str]) -> JsonObject:
    """The count as request and limit, of the type that the container names already."""
    resources = object_at(container, "resources")
    named = {**object_at(resources, "requests"), **object_at(resources, "limits")}
    gpu = next((one for one in sorted(types) if one in named), _DEFAULT_GPU)
    gpus: JsonObject = {gpu: str(count)}
    both: JsonObject = {kind: object_at(resources, kind) | gpus for kind in ("requests", "limits")}
    return container | {"resources": resources | both}


# --- containers -------------------------------------------------------------------------------------------------------


def _pod(isvc: InferenceService, theirs: RuntimeWorkerSpec) -> JsonObject:
    """One container: the runtime's `worker-container` under the service's first one."""
    base = next((one for one in theirs.containers if text_at(one, "name") == names.WORKER_CONTAINER), None)
    if base is None:
        have = ", ".join(text_at(one, "name") for one in theirs.containers)
        raise merging.InvalidPredictor(
            f"workerSpec of the runtime has no container {names.WORKER_CONTAINER}; has: {have}"
        )
    ours = passthrough(object_at(isvc.spec, "predictor", "workerSpec"), WorkerSpec)
    first = next((one for one in list_at(ours, "containers") if isinstance(one, dict)), {})
    container = merging.merged_container(base, first) | {"name": names.WORKER_CONTAINER}
    overlay = {key: value for key, value in ours.items() if key != "containers"}
    parts = merging.pod_parts(theirs)
    pod = strategic.merged(parts, merging.without_empty(overlay), strategic.POD_SPEC)
    return pod | {"containers": [container]}


def _containers(pod: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(pod, "containers") if isinstance(one, dict)]


def _with_first(pod: JsonObject, first: JsonObject) -> JsonObject:
    return pod | {"containers": [first, *_containers(pod)[1:]]}


def _with_environment(container: JsonObject, variables: dict[str, str]) -> JsonObject:
    for name, value in variables.items():
        container = merging.set_variable(container, name, value)
    return container


def _common_environment(sizes: Sizes, gpus: int) -> dict[str, str]:
    return {
        "PIPELINE_PARALLEL_SIZE": str(sizes.pipeline),
        "TENSOR_PARALLEL_SIZE": str(sizes.tensor),
        "RAY_NODE_COUNT": str(sizes.nodes),
        "REQUEST_GPU_COUNT": str(gpus),
    }


def _head_environment(isvc: InferenceService, predictor: PredictorSpec, sizes: Sizes) -> dict[str, str]:
    found = _common_environment(sizes, sizes.head_gpus) | {"MODEL_NAME": isvc.metadata.name}
    uri = (predictor.model.storage_uri if predictor.model else None) or ""
    return found | ({"MODEL_DIR": names.MODEL_DIR} if uri.startswith(("pvc://", "oci://")) else {})


def _worker_environment(isvc: InferenceService, sizes: Sizes, services: tuple[str, str]) -> dict[str, str]:
    found = _common_environment(sizes, sizes.worker_gpus) | {"ISVC_NAME": isvc.metadata.name}
    return found | {"HEAD_SVC": services[0], "WORKER_SVC": services[1]}
