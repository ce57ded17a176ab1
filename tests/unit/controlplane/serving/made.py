"""Short ways to write the objects that these tests are about."""

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
    PodStatus,
)
from inferplane.resources.meta import ConditionStatus, ObjectMeta
from inferplane.resources.serving.inferenceservice import InferenceService, ModelFormat, ModelSpec
from inferplane.resources.serving.runtime import ServingRuntime, ServingRuntimeSpec, SupportedModelFormat

MAIN: JsonObject = {"name": "kserve-container", "image": "server:1"}


def entry(
    name: str = "sklearn", version: str | None = "1", priority: int | None = None, auto: bool = True
) -> SupportedModelFormat:
    return SupportedModelFormat(name=name, version=version, priority=priority, auto_select=auto)


def runtime(
    name: str = "rt",
    *formats: SupportedModelFormat,
    protocols: list[str] | None = None,
    containers: list[JsonObject] | None = None,
    created: str = "",
    namespace: str = "",
    **spec: object,
) -> ServingRuntime:
    made = ServingRuntimeSpec(
        containers=containers or [MAIN],
        supported_model_formats=list(formats) or [entry()],
        protocol_versions=protocols or [],
        **spec,  # type: ignore[arg-type]  # the fields that a test is about, as keywords
    )
    meta = ObjectMeta(name=name, namespace=namespace, creation_timestamp=created or None)
    return ServingRuntime(metadata=meta, spec=made)


def model(
    name: str = "sklearn", version: str | None = None, protocol: str | None = None, runtime: str | None = None
) -> ModelSpec:
    wanted = ModelFormat(name=name, version=version)
    return ModelSpec(model_format=wanted, protocol_version=protocol, runtime=runtime)  # type: ignore[arg-type]  # any text


def isvc(predictor: JsonObject, name: str = "iris", **metadata: dict[str, str]) -> InferenceService:
    meta = ObjectMeta(name=name, namespace="ml", uid="u1", **metadata)  # type: ignore[arg-type]  # labels, annotations
    return InferenceService(metadata=meta, spec={"predictor": predictor})


def env(*pairs: tuple[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in pairs]


# --- pods -------------------------------------------------------------------------------------------------------------


def running(*, after: int | None = None, ready: bool = False, name: str = "kserve-container") -> ContainerStatus:
    """`after`: the exit code of the run before."""
    last = (
        ContainerState(terminated=ContainerStateTerminated(exit_code=after)) if after is not None else ContainerState()
    )
    state = ContainerState(running=ContainerStateRunning())
    return ContainerStatus(name=name, state=state, last_state=last, ready=ready)


def ended(code: int, message: str = "", name: str = "kserve-container") -> ContainerStatus:
    reason = "Error" if code else "Completed"
    terminated = ContainerStateTerminated(exit_code=code, message=message, reason=reason, finished_at="T")
    return ContainerStatus(name=name, state=ContainerState(terminated=terminated))


def waiting(reason: str, message: str = "", last: str | None = None, name: str = "kserve-container") -> ContainerStatus:
    """`last`: what the run before said as it ended with code 1."""
    before = ContainerState()
    if last is not None:
        before = ContainerState(terminated=ContainerStateTerminated(exit_code=1, message=last, finished_at="T"))
    state = ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))
    return ContainerStatus(name=name, state=state, last_state=before)


def pod(
    *containers: ContainerStatus,
    init: ContainerStatus | None = None,
    name: str = "p",
    created: str = "2026-01-01T00:00:00Z",
    template: str = "a",
    unscheduled: str = "",
) -> Pod:
    ready = any(one.ready for one in containers)
    conditions = [PodCondition(type="Ready", status=ConditionStatus.TRUE if ready else ConditionStatus.FALSE)]
    if unscheduled:
        unfit = ConditionStatus.FALSE
        refusal = PodCondition(type="PodScheduled", status=unfit, reason="Unschedulable", message=unscheduled)
        conditions.append(refusal)
    return Pod(
        metadata=ObjectMeta(name=name, creation_timestamp=created, labels={"pod-template-hash": template}),
        status=PodStatus(
            conditions=conditions, container_statuses=list(containers), init_container_statuses=[init] if init else []
        ),
    )
