"""The whole status of an InferenceService: what was planned and what was observed, in KServe's words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.controlplane.serving import names, routes, status
from inferplane.controlplane.serving.conditions import (
    AUTOSCALER_READY,
    FALSE,
    INGRESS_READY,
    PREDICTOR_READY,
    READY,
    STOPPED,
    TRUE,
    UNKNOWN,
    Verdict,
    failed,
    settled,
)
from inferplane.controlplane.serving.plan import NOT_SUPPORTED_YET, Blocked, Plan
from inferplane.kernel.json import JsonObject, list_at, number_at, text_at
from inferplane.resources.apps import Deployment
from inferplane.resources.core import Pod
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.meta import Condition, ConditionStatus, condition
from inferplane.resources.serving.config import Ingress
from inferplane.resources.serving.inferenceservice import (
    Address,
    ComponentStatus,
    InferenceServiceStatus,
    ModelStatus,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """The service's own objects as they are. `pods` are newest first; `refused` is a write that the API turned down."""

    deployment: Deployment | None = None
    routes: Mapping[str, HTTPRoute] = field(default_factory=dict)
    pods: Sequence[Pod] = ()
    gateway: Gateway | None = None
    refused: Blocked | None = None


def report(plan: Plan, seen: Observed, now: str) -> InferenceServiceStatus:
    """`now` is RFC 3339. The status as it was is `plan.isvc.status`."""
    before = plan.isvc.status
    if plan.stopped:
        return _stopped(plan, now)
    verdicts = _verdicts(plan, seen)
    conditions = settled(verdicts, before.conditions, now)
    ready = _is_true(conditions, READY)
    reached = _reached(plan, before, verdicts)
    return InferenceServiceStatus(
        conditions=conditions,
        observed_generation=plan.isvc.metadata.generation or None,
        address=Address(url=_address(plan)) if reached and plan.predictor else before.address,
        url=_url(plan, seen) if reached and plan.predictor else before.url,
        components=_components(plan, seen, verdicts),
        model_status=_model(plan, seen, ready, now),
        deployment_mode=plan.mode,
        serving_runtime_name=_runtime(plan, cluster=False),
        cluster_serving_runtime_name=_runtime(plan, cluster=True),
    )


def _verdicts(plan: Plan, seen: Observed) -> dict[str, Verdict]:
    verdicts = {PREDICTOR_READY: _predictor(plan, seen), INGRESS_READY: _ingress(plan, seen), STOPPED: FALSE}
    if plan.not_scaled:
        words = f"{', '.join(plan.not_scaled)}: autoscaling is not supported yet; minReplicas replicas run"
        verdicts[AUTOSCALER_READY] = failed(NOT_SUPPORTED_YET, words)
    return verdicts


def _predictor(plan: Plan, seen: Observed) -> Verdict:
    blocked = plan.blocked or seen.refused
    if blocked is not None:
        return failed(blocked.reason, blocked.message)
    return status.predictor_ready(seen.deployment, seen.pods)


def _ingress(plan: Plan, seen: Observed) -> Verdict:
    if plan.blocked is not None:
        before = condition(plan.isvc.status.conditions, INGRESS_READY)
        return Verdict(before.status, before.reason, before.message) if before else UNKNOWN
    if plan.ingress_blocked is not None:
        return failed(plan.ingress_blocked.reason, plan.ingress_blocked.message)
    if routes.is_internal(plan.isvc, plan.config.ingress):
        return TRUE
    return status.ingress_ready(seen.routes, routes.route_names(plan.isvc, plan.config.ingress))


def _is_true(conditions: Sequence[Condition], type: str) -> bool:
    found = condition(conditions, type)
    return found is not None and found.status is ConditionStatus.TRUE


def _reached(plan: Plan, before: InferenceServiceStatus, verdicts: Mapping[str, Verdict]) -> bool:
    """URLs appear when they first work, and then stay (and follow the configuration)."""
    return plan.ingress_blocked is None and (bool(before.url) or verdicts[INGRESS_READY].is_true)


def _components(plan: Plan, seen: Observed, verdicts: Mapping[str, Verdict]) -> dict[str, ComponentStatus]:
    before = plan.isvc.status.components.get(names.PREDICTOR, ComponentStatus())
    if plan.ingress_blocked or not plan.predictor or not (before.url or verdicts[PREDICTOR_READY].is_true):
        return {names.PREDICTOR: before}
    config = plan.config.ingress
    host = routes.host(plan.isvc, f"{plan.isvc.metadata.name}-predictor", config)
    # A component's URL is always plain HTTP, whatever the scheme of the way in.
    return {names.PREDICTOR: ComponentStatus(url=routes.url("http", host, _port(seen.gateway, "HTTP")))}


def _url(plan: Plan, seen: Observed) -> str:
    config = plan.config.ingress
    if _cluster_local(plan, config):
        return _address(plan)
    host = routes.host(plan.isvc, plan.isvc.metadata.name, config)
    return routes.url(config.url_scheme, host, _port(seen.gateway, config.url_scheme.upper()))


def _cluster_local(plan: Plan, config: Ingress) -> bool:
    return routes.is_internal(plan.isvc, config) and not config.disable_ingress_creation


def _port(gateway: Gateway | None, protocol: str) -> int | None:
    """Of the first listener that speaks it."""
    listeners = gateway.spec.listeners if gateway else []
    return next((one.port for one in listeners if one.protocol == protocol), None)


def _address(plan: Plan) -> str:
    service = next(one.body for one in plan.predictor if one.body["kind"] == "Service")
    host = routes.cluster_local_host(text_at(service, "metadata", "name"), plan.isvc.metadata.namespace)
    if text_at(service, "spec", "clusterIP") != "None":
        return f"http://{host}"
    return f"http://{host}:{_headless_port(service)}"


def _headless_port(service: JsonObject) -> int:
    """Without a cluster address nothing maps port 80, so clients need the container's own."""
    ports = [one for one in list_at(service, "spec", "ports") if isinstance(one, dict)]
    plain = [one for one in ports if not (routes.is_grpc_name(text_at(one, "name")) or one.get("appProtocol"))]
    return next((number_at(one, "targetPort") or names.DEFAULT_PORT for one in plain), names.DEFAULT_PORT)


def _model(plan: Plan, seen: Observed, ready: bool, now: str) -> ModelStatus | None:
    before = plan.isvc.status.model_status
    if plan.blocked is None:
        return status.model_status(before, seen.pods, ready=ready, now=now)
    if plan.blocked.failure is None:
        return before
    return status.invalid(before, plan.blocked.failure, plan.blocked.summary or plan.blocked.message, now)


def _runtime(plan: Plan, *, cluster: bool) -> str:
    before = plan.isvc.status
    if plan.runtime is None:
        if plan.blocked is None:
            return ""
        return before.cluster_serving_runtime_name if cluster else before.serving_runtime_name
    return plan.runtime.metadata.name if plan.runtime.cluster_scoped == cluster else ""


def _stopped(plan: Plan, now: str) -> InferenceServiceStatus:
    """Nothing runs; all that is kept is the mode."""
    stopped = failed("Stopped", f"stopped by the annotation {names.STOP}")
    verdicts = {PREDICTOR_READY: stopped, INGRESS_READY: stopped, STOPPED: TRUE}
    return InferenceServiceStatus(
        conditions=settled(verdicts, plan.isvc.status.conditions, now),
        observed_generation=plan.isvc.metadata.generation or None,
        deployment_mode=plan.mode,
    )
