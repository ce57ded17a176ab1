"""Each rule of KServe's webhook for runtimes, as it allows and as it refuses."""

import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.runtime import (
    RuntimeWorkerSpec,
    ServingRuntime,
    ServingRuntimeSpec,
    SupportedModelFormat,
)
from inferplane.resources.serving.runtime_validation import problems


def entry(
    priority: int | None, name: str = "sklearn", version: str | None = "1", auto: bool = True
) -> SupportedModelFormat:
    return SupportedModelFormat(name=name, version=version, priority=priority, auto_select=auto)


def runtime(
    *formats: SupportedModelFormat,
    name: str = "mine",
    protocols: tuple[str, ...] = ("v1",),
    disabled: bool = False,
    multi_model: bool = False,
    workers: RuntimeWorkerSpec | None = None,
    main: JsonObject | None = None,
) -> ServingRuntime:
    container: JsonObject = {"name": "kserve-container", **(main or {})}
    spec = ServingRuntimeSpec(
        containers=[container],
        supported_model_formats=list(formats),
        protocol_versions=list(protocols),
        disabled=disabled,
        multi_model=multi_model,
        worker_spec=workers,
    )
    return ServingRuntime(metadata=ObjectMeta(name=name), spec=spec)


def workers(*containers: JsonObject, pipeline: int | None = None, tensor: int | None = None) -> RuntimeWorkerSpec:
    given = list(containers) or [{"name": "worker-container"}]
    return RuntimeWorkerSpec(containers=given, pipeline_parallel_size=pipeline, tensor_parallel_size=tensor)


def gpu(kind: str) -> JsonObject:
    return {"resources": {"limits": {kind: "1", "cpu": "1"}}}


def variable(name: str) -> JsonObject:
    env: list[Json] = [{"name": name, "value": "1"}]
    return {"env": env}


OTHER = runtime(entry(1), name="other")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (runtime(entry(1), entry(1, version="2")), None),
        (runtime(entry(1), entry(2, auto=False)), None),
        (runtime(entry(1), entry(None)), None),
        (runtime(entry(2)), OTHER),
        (runtime(entry(None)), OTHER),
        (runtime(entry(1), protocols=("v2",)), OTHER),
        (runtime(entry(1, auto=False)), OTHER),
        (runtime(entry(1, version="2")), OTHER),
        (runtime(entry(1, name="xgboost")), OTHER),
        (runtime(entry(1), multi_model=True), OTHER),
        (runtime(entry(1)), runtime(entry(1), name="other", disabled=True)),
        (runtime(entry(1), entry(2), disabled=True), OTHER),
        (runtime(workers=workers(pipeline=1, tensor=2), main=gpu("nvidia.com/gpu")), None),
        (runtime(main=gpu("any.com/thing")), None),
    ],
)
def test_what_is_valid_has_no_problems(one: ServingRuntime, other: ServingRuntime | None) -> None:
    assert problems(one, [other] if other else []) == []


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (runtime(entry(3), entry(2, version="2")), "supportedModelFormats[1].priority: format sklearn has 3 above"),
        (runtime(entry(1)), "other has priority 1 for sklearn version 1 too: give this one another"),
        (runtime(entry(1, name="SKLearn")), "other has priority 1 for sklearn version 1 too"),
        (
            runtime(workers=workers({"name": "a"}, {"name": "b"})),
            "spec.workerSpec.containers: one container at most, got 2",
        ),
        (
            runtime(workers=workers(), main=variable("PIPELINE_PARALLEL_SIZE")),
            "PIPELINE_PARALLEL_SIZE is set by workerSpec",
        ),
        (
            runtime(workers=workers(), main=variable("TENSOR_PARALLEL_SIZE")),
            "TENSOR_PARALLEL_SIZE is set by workerSpec",
        ),
        (runtime(workers=workers(pipeline=0)), "spec.workerSpec.pipelineParallelSize: expected 1 or more, got 0"),
        (runtime(workers=workers(tensor=0)), "spec.workerSpec.tensorParallelSize: expected 1 or more, got 0"),
        (
            runtime(workers=workers(), main=gpu("a.com/b")),
            "spec.containers: kserve-container: a.com/b is no known kind",
        ),
        (
            runtime(workers=workers(gpu("a.com/b") | {"name": "worker-container"})),
            "spec.workerSpec.containers: worker-container: a.com/b is no known kind of GPU",
        ),
        (runtime(main=variable("PYTHONPATH")), "spec.containers[0]: env PYTHONPATH is not allowed"),
        (
            runtime(workers=workers(variable("PYTHONPATH") | {"name": "w"})),
            "spec.workerSpec.containers[0]: env PYTHONPATH",
        ),
    ],
)
def test_each_rule_says_what_is_wrong_and_where(one: ServingRuntime, message: str) -> None:
    (words,) = problems(one, [OTHER])
    assert message in words


def test_gpu_types_of_the_configuration_are_known() -> None:
    assert problems(runtime(workers=workers(), main=gpu("a.com/b")), [], ["a.com/b"]) == []
