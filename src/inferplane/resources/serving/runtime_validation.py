"""What is wrong with a ServingRuntime, in words: the rules of KServe's webhook for runtimes.

A runtime and the others of its scope (one namespace, or the cluster) go in. A disabled one is not held to anything.
"""

from collections.abc import Iterable, Iterator, Sequence

from inferplane.kernel.json import JsonObject, object_at, text_at
from inferplane.resources.serving.defaulting import MAIN_CONTAINER
from inferplane.resources.serving.runtime import RuntimeWorkerSpec, ServingRuntime, SupportedModelFormat
from inferplane.resources.serving.validation.containers import BLOCKED_ENV
from inferplane.resources.serving.validation.parts import environment
from inferplane.resources.serving.validation.workers import GPU_TYPES

_WORKER_CONTAINER = "worker-container"
_PLAIN = frozenset({"cpu", "memory", "storage", "ephemeral-storage"})
_SIZES = ("PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE")


def problems(runtime: ServingRuntime, others: Iterable[ServingRuntime], gpu_types: Iterable[str] = ()) -> list[str]:
    """`others` are the runtimes of the same scope, this one left out; an empty list means that it is valid."""
    if runtime.spec.disabled:
        return []
    return list(_all(runtime, list(others), GPU_TYPES | frozenset(gpu_types)))


def _all(runtime: ServingRuntime, others: Sequence[ServingRuntime], gpus: frozenset[str]) -> Iterator[str]:
    yield from _own_priorities(runtime)
    for other in others:
        if not other.spec.disabled and bool(other.spec.multi_model) == bool(runtime.spec.multi_model):
            yield from _shared_priorities(runtime, other)
    main = next((one for one in runtime.spec.containers if text_at(one, "name") == MAIN_CONTAINER), None)
    if runtime.spec.worker_spec is not None:
        yield from _workers(runtime.spec.worker_spec, main, gpus)
    yield from _environment("spec.containers", runtime.spec.containers)


# --- priorities -------------------------------------------------------------------------------------------------------


def _own_priorities(runtime: ServingRuntime) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, one in enumerate(_selectable(runtime)):
        if one.priority is None:
            continue
        known = first.setdefault(one.name, one.priority)
        if known != one.priority:
            where = f"spec.supportedModelFormats[{index}].priority"
            yield f"{where}: format {one.name} has {known} above: one runtime has one priority for a format"


def _selectable(runtime: ServingRuntime) -> list[SupportedModelFormat]:
    return [one for one in runtime.spec.supported_model_formats if one.auto_select]


def _shared_priorities(runtime: ServingRuntime, other: ServingRuntime) -> Iterator[str]:
    """Of two with the same priority nobody could say which is chosen."""
    if not _share_a_protocol(runtime, other):
        return
    for mine in _selectable(runtime):
        for theirs in _selectable(other):
            if mine.priority is not None and mine.priority == theirs.priority and _same(mine, theirs):
                what = f"{theirs.name} version {theirs.version}" if theirs.version else theirs.name
                taken = f"{other.metadata.name} has priority {theirs.priority} for {what} too"
                yield f"spec.supportedModelFormats: {taken}: give this one another"


def _share_a_protocol(one: ServingRuntime, other: ServingRuntime) -> bool:
    return bool(set(one.spec.protocol_versions) & set(other.spec.protocol_versions))


def _same(one: SupportedModelFormat, other: SupportedModelFormat) -> bool:
    return one.name.lower() == other.name.lower() and one.version == other.version


# --- workers and environment ------------------------------------------------------------------------------------------


def _workers(workers: RuntimeWorkerSpec, main: JsonObject | None, gpus: frozenset[str]) -> Iterator[str]:
    path = "spec.workerSpec"
    if len(workers.containers) > 1:
        yield f"{path}.containers: one container at most, got {len(workers.containers)}"
    for name in _SIZES:
        if main is not None and name in environment(main):
            yield f"spec.containers: {MAIN_CONTAINER}: {name} is set by workerSpec alone"
    for name, size in (
        ("pipelineParallelSize", workers.pipeline_parallel_size),
        ("tensorParallelSize", workers.tensor_parallel_size),
    ):
        if size is not None and size < 1:
            yield f"{path}.{name}: expected 1 or more, got {size}"
    worker = next((one for one in workers.containers if text_at(one, "name") == _WORKER_CONTAINER), None)
    for where, container in (("spec.containers", main), (f"{path}.containers", worker)):
        yield from _resources(where, container or {}, gpus)
    yield from _environment(f"{path}.containers", workers.containers)


def _resources(path: str, container: JsonObject, gpus: frozenset[str]) -> Iterator[str]:
    asked = {name: None for kind in ("limits", "requests") for name in object_at(container, "resources", kind)}
    for name in asked:
        if name not in gpus | _PLAIN:
            yield f"{path}: {text_at(container, 'name')}: {name} is no known kind of GPU ({', '.join(sorted(gpus))})"


def _environment(path: str, containers: Sequence[JsonObject]) -> Iterator[str]:
    for index, one in enumerate(containers):
        if BLOCKED_ENV in environment(one):
            yield f"{path}[{index}]: env {BLOCKED_ENV} is not allowed"
