"""The whole status of an InferenceService: what was planned and what was observed, in KServe's words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.controlplane.serving import names, routes, status
from inferplane.controlplane.serving import pods as podwords
from inferplane.controlplane.serving.conditions import (
    CANARY_PREDICTOR_READY,
    FALSE,
    INGRESS_READY,
    READY,
    READY_OF,
    SHADOW_READY,
    STOPPED,
    TRUE,
    UNKNOWN,
    Verdict,
    failed,
    settled,
)
from inferplane.controlplane.serving.plan import INGRESS, SHADOW, Blocked, Canary, Plan
from inferplane.kernel.json import JsonObject, list_at, number_at, text_at
from inferplane.resources.apps import Deployment
from inferplane.resources.core import Pod
from inferplane.resources.gateway import CLASS_NAME, Gateway, HTTPRoute
from inferplane.resources.meta import Condition, ConditionStatus, condition
from inferplane.resources.networking import Ingress, IngressClass, Whose, class_of, whose
from inferplane.resources.serving.config import Ingress as IngressConfig
from inferplane.resources.serving.inferenceservice import (
    Address,
    CanaryStatus,
    ComponentStatus,
    InferenceServiceStatus,
    ModelStatus,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """The service's own objects as they are, by name of object.

    `pods` are newest first; `refused`: writes that the API turned down, by kind of component or "ingress".
    """

    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    routes: Mapping[str, HTTPRoute] = field(default_factory=dict)
    ingress: Ingress | None = None
    ingress_classes: Sequence[IngressClass] = ()
    pods: Mapping[str, Sequence[Pod]] = field(default_factory=dict)
    gateway: Gateway | None = None
    refused: Mapping[str, Blocked] = field(default_factory=dict)


def report(plan: Plan, seen: Observed, now: str) -> InferenceServiceStatus:
    """`now` is RFC 3339. The status as it was is `plan.isvc.status`."""
    before = plan.isvc.status
    if plan.stopped:
        return stopped(plan, now)
    verdicts = _verdicts(plan, seen)
    conditions = settled(verdicts, before.conditions, now)
    ready = is_true(conditions, READY)
    reached = bool(plan.parts) and _reached(plan, before, verdicts)
    return InferenceServiceStatus(
        conditions=conditions,
        observed_generation=plan.isvc.metadata.generation or None,
        address=Address(url=_address(plan)) if reached else before.address,
        url=_url(plan, seen) if reached else before.url,
        components=_components(plan, seen, verdicts),
        model_status=_model(plan, seen, ready, now),
        canary_statuses=[_canary_status(one) for one in plan.canaries],
        deployment_mode=plan.mode,
        serving_runtime_name=runtime_name(plan, cluster=False),
        cluster_serving_runtime_name=runtime_name(plan, cluster=True),
    )


# --- conditions -------------------------------------------------------------------------------------------------------


def _verdicts(plan: Plan, seen: Observed) -> dict[str, Verdict]:
    verdicts = {READY_OF[kind]: _component(plan, seen, kind) for kind in kinds_of(plan)}
    verdicts[INGRESS_READY] = _ingress(plan, seen, verdicts)
    verdicts[STOPPED] = FALSE
    if plan.canaries:
        verdicts[CANARY_PREDICTOR_READY] = _canaries(plan, seen)
    return verdicts | shadow_ready(plan, seen.refused)


def shadow_ready(plan: Plan, refused: Mapping[str, Blocked]) -> dict[str, Verdict]:
    """The condition on a shadow, where one is asked for."""
    if plan.shadow is None:
        return {}
    told = refused.get(SHADOW)
    return {SHADOW_READY: failed(told.reason, told.message) if told else plan.shadow.verdict}


def kinds_of(plan: Plan) -> list[str]:
    """The components that the spec has, whether they could be planned or not; without a predictor nothing goes."""
    return [kind for kind in names.COMPONENTS if kind == names.PREDICTOR or kind in plan.isvc.spec]


def _component(plan: Plan, seen: Observed, kind: str) -> Verdict:
    blocked = plan.blocked if kind == names.PREDICTOR else None
    if (refused := blocked or seen.refused.get(kind)) is not None:
        return failed(refused.reason, refused.message)
    part = plan.part(kind)
    if part is None:
        return as_before(plan, READY_OF[kind])
    name = part.component.name
    head = status.component_ready(seen.deployments.get(name), seen.pods.get(name, ()))
    if not part.workers:
        return head
    workers = status.component_ready(seen.deployments.get(part.workers), seen.pods.get(part.workers, ()))
    return status.of_all_nodes(head, workers)


def as_before(plan: Plan, type: str) -> Verdict:
    before = condition(plan.isvc.status.conditions, type)
    return Verdict(before.status, before.reason, before.message) if before else UNKNOWN


def _canaries(plan: Plan, seen: Observed) -> Verdict:
    waiting = [one for one in plan.canaries if not one.ready]
    if plan.unsplit and not waiting:
        where = ", ".join(part.component.name for one in plan.canaries for part in one.parts)
        return failed("NoTrafficSplit", f"canaries run and take no requests: {plan.unsplit}; they are at {where}")
    if not waiting:
        return Verdict(ConditionStatus.TRUE, "AllCanariesReady")
    return failed("CanariesNotReady", "; ".join(f"{one.share.name}: {_trouble(one, seen)}" for one in waiting))


def _trouble(canary: Canary, seen: Observed) -> str:
    found = (podwords.trouble(seen.pods.get(one.component.name, ())) for one in canary.parts)
    return canary.problem or next((words for words in found if words), "no replica is available yet")


def _ingress(plan: Plan, seen: Observed, verdicts: Mapping[str, Verdict]) -> Verdict:
    """The way in is ready when what stands behind it is: so Ready, which looks no further, counts all components."""
    if plan.blocked is not None:
        return as_before(plan, INGRESS_READY)
    if (refused := plan.ingress_blocked or seen.refused.get(INGRESS)) is not None:
        return failed(refused.reason, refused.message)
    for kind in (names.TRANSFORMER, names.EXPLAINER):
        found = verdicts.get(READY_OF[kind], TRUE)
        if not found.is_true:
            why = found.message or found.reason
            return Verdict(found.status, f"{kind.capitalize()} Deployment NotReady", why)
    if routes.is_internal(plan.isvc, plan.config.ingress):
        return TRUE
    if not plan.config.ingress.enable_gateway_api:
        return _ingress_object(seen, verdicts[READY_OF[names.PREDICTOR]])
    return status.ingress_ready(seen.routes, routes.route_names(plan.isvc, kinds_of(plan), plan.config.ingress))


def _ingress_object(seen: Observed, predictor: Verdict) -> Verdict:
    """An Ingress has no conditions, so KServe takes it for ready once it is there; our own gateway says where it is."""
    if not predictor.is_true:
        return Verdict(predictor.status, "Predictor ingress not created", predictor.message or predictor.reason)
    if seen.ingress is None:
        return failed("Predictor ingress not created", "the Ingress does not exist yet")
    who = whose(seen.ingress, seen.ingress_classes)
    ours = seen.gateway is not None and seen.gateway.spec.gateway_class_name == CLASS_NAME
    if who is Whose.NOBODYS and ours:
        have = ", ".join(sorted(one.metadata.name for one in seen.ingress_classes)) or "none"
        words = f"there is no IngressClass {class_of(seen.ingress)!r} (ingress.ingressClassName); have: {have}"
        return failed("IngressNotServed", words)
    if who is Whose.OURS and not seen.ingress.status.load_balancer.ingress:
        return failed("IngressNotServed", "the gateway does not serve the Ingress yet")
    return TRUE


def is_true(conditions: Sequence[Condition], type: str) -> bool:
    found = condition(conditions, type)
    return found is not None and found.status is ConditionStatus.TRUE


def _reached(plan: Plan, before: InferenceServiceStatus, verdicts: Mapping[str, Verdict]) -> bool:
    """URLs appear when they first work, and then stay (and follow the configuration)."""
    return plan.ingress_blocked is None and (bool(before.url) or verdicts[INGRESS_READY].is_true)


def _components(plan: Plan, seen: Observed, verdicts: Mapping[str, Verdict]) -> dict[str, ComponentStatus]:
    return {kind: _component_status(plan, seen, verdicts, kind) for kind in kinds_of(plan)}


def _component_status(plan: Plan, seen: Observed, verdicts: Mapping[str, Verdict], kind: str) -> ComponentStatus:
    before = plan.isvc.status.components.get(kind, ComponentStatus())
    if plan.ingress_blocked or not plan.parts or not (before.url or verdicts[READY_OF[kind]].is_true):
        return before
    host = routes.component_host(plan.isvc, kind, plan.config.ingress)
    # A component's URL is always plain HTTP, whatever the scheme of the way in.
    return ComponentStatus(url=routes.url("http", host, port_of(seen.gateway, "HTTP")))


def _canary_status(one: Canary) -> CanaryStatus:
    return CanaryStatus(name=one.share.name, ready=one.ready, traffic_percent=one.share.percent)


def _url(plan: Plan, seen: Observed) -> str:
    config = plan.config.ingress
    if _cluster_local(plan, config):
        return _address(plan)
    host = routes.host(plan.isvc, plan.isvc.metadata.name, config)
    return routes.url(config.url_scheme, host, port_of(seen.gateway, config.url_scheme.upper()))


def _cluster_local(plan: Plan, config: IngressConfig) -> bool:
    return routes.is_internal(plan.isvc, config) and not config.disable_ingress_creation


def port_of(gateway: Gateway | None, protocol: str) -> int | None:
    """Of the first listener that speaks it."""
    listeners = gateway.spec.listeners if gateway else []
    return next((one.port for one in listeners if one.protocol == protocol), None)


def _address(plan: Plan) -> str:
    entry = plan.part(names.TRANSFORMER) or plan.part(names.PREDICTOR)
    assert entry is not None, "asked for only when there are parts"
    service = entry.service
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
        part = plan.part(names.PREDICTOR)
        found = seen.pods.get(part.component.name, ()) if part else ()
        return status.model_status(before, found, ready=ready, now=now)
    if plan.blocked.failure is None:
        return before
    return status.invalid(before, plan.blocked.failure, plan.blocked.summary or plan.blocked.message, now)


def runtime_name(plan: Plan, *, cluster: bool) -> str:
    before = plan.isvc.status
    if plan.runtime is None:
        if plan.blocked is None:
            return ""
        return before.cluster_serving_runtime_name if cluster else before.serving_runtime_name
    return plan.runtime.metadata.name if plan.runtime.cluster_scoped == cluster else ""


def stopped(plan: Plan, now: str) -> InferenceServiceStatus:
    """Nothing runs; all that is kept is the mode."""
    words = failed("Stopped", f"stopped by the annotation {names.STOP}")
    verdicts = {READY_OF[kind]: words for kind in kinds_of(plan)} | {INGRESS_READY: words, STOPPED: TRUE}
    if plan.isvc.spec.get("canary"):
        verdicts[CANARY_PREDICTOR_READY] = words
    return InferenceServiceStatus(
        conditions=settled(verdicts, plan.isvc.status.conditions, now),
        observed_generation=plan.isvc.metadata.generation or None,
        deployment_mode=plan.mode,
    )
