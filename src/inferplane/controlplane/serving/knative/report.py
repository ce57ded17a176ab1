"""The whole status of an InferenceService in Knative mode: what was planned and what Knative says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving import status as standard
from inferplane.controlplane.serving.conditions import (
    FALSE,
    INGRESS_READY,
    PREDICTOR_READY,
    READY,
    READY_OF,
    STOPPED,
    TRUE,
    Verdict,
    failed,
    settled,
)
from inferplane.controlplane.serving.knative import hosts, status
from inferplane.controlplane.serving.knative.plan import World, component_status, services
from inferplane.controlplane.serving.plan import INGRESS, Blocked, Plan
from inferplane.controlplane.serving.report import (
    as_before,
    is_true,
    kinds_of,
    port_of,
    runtime_name,
    shadow_ready,
    stopped,
)
from inferplane.resources.core import Pod
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.meta import ConditionStatus
from inferplane.resources.serving.inferenceservice import (
    Address,
    ComponentStatus,
    InferenceServiceStatus,
    ModelStatus,
)

_OWN = (status.ROUTES_READY, status.LATEST_DEPLOYMENT_READY)


@dataclass(frozen=True, slots=True)
class Observed:
    """`pods` of the predictor's newest revision, newest first; `refused`: writes that the API turned down."""

    world: World
    pods: Sequence[Pod] = ()
    routes: Mapping[str, HTTPRoute] = field(default_factory=dict)
    gateway: Gateway | None = None
    refused: Mapping[str, Blocked] = field(default_factory=dict)


def report(plan: Plan, seen: Observed, now: str) -> InferenceServiceStatus:
    """`now` is RFC 3339. The status as it was is `plan.isvc.status`."""
    if plan.stopped:
        return stopped(plan, now)
    before = plan.isvc.status
    found = services(plan, seen.world)
    verdicts = _verdicts(plan, seen, found)
    conditions = settled(verdicts, before.conditions, now)
    components = _components(plan, found)
    reached = verdicts[INGRESS_READY].is_true and bool(plan.parts)
    return InferenceServiceStatus(
        conditions=conditions,
        observed_generation=plan.isvc.metadata.generation or None,
        address=Address(url=_address(plan)) if reached else before.address,
        url=_url(plan, seen, components) if reached else before.url,
        components=components,
        model_status=_model(plan, seen, found, is_true(conditions, READY), now),
        deployment_mode=plan.mode,
        serving_runtime_name=runtime_name(plan, cluster=False),
        cluster_serving_runtime_name=runtime_name(plan, cluster=True),
    )


# --- conditions -------------------------------------------------------------------------------------------------------


def _verdicts(plan: Plan, seen: Observed, found: status.Seen) -> dict[str, Verdict]:
    if plan.blocked is not None:
        kept = {one: as_before(plan, one) for one in (*(READY_OF[kind] for kind in kinds_of(plan)), *_OWN)}
        verdicts = kept | {PREDICTOR_READY: failed(plan.blocked.reason, plan.blocked.message)}
    else:
        verdicts = status.verdicts(found) | _refused(seen)
    verdicts |= {INGRESS_READY: _ingress(plan, seen, verdicts), STOPPED: FALSE}
    return verdicts | shadow_ready(plan, seen.refused)


def _refused(seen: Observed) -> dict[str, Verdict]:
    return {READY_OF[kind]: failed(one.reason, one.message) for kind, one in seen.refused.items() if kind in READY_OF}


def _ingress(plan: Plan, seen: Observed, verdicts: Mapping[str, Verdict]) -> Verdict:
    if plan.blocked is not None:
        return as_before(plan, INGRESS_READY)
    for kind in kinds_of(plan):
        found = verdicts[READY_OF[kind]]
        if not found.is_true:
            unknown = found.status is ConditionStatus.UNKNOWN
            word = ConditionStatus.UNKNOWN if unknown else ConditionStatus.FALSE
            return Verdict(word, f"{kind.capitalize()} ingress not created", found.message or found.reason)
    if (refused := plan.ingress_blocked or seen.refused.get(INGRESS)) is not None:
        return failed(refused.reason, refused.message)
    if not plan.config.ingress.enable_gateway_api:
        # Istio says nothing about a VirtualService: KServe, too, takes it as ready once it is there.
        return TRUE
    names_of_routes = [one.name for one in plan.ingress]
    titles = {name: "InferenceService" if name == plan.isvc.metadata.name else "Path" for name in names_of_routes}
    return standard.ingress_ready(seen.routes, titles)


# --- components, URLs, model ------------------------------------------------------------------------------------------


def _components(plan: Plan, found: status.Seen) -> dict[str, ComponentStatus]:
    return {kind: component_status(plan, kind, found.get(kind)) for kind in kinds_of(plan)}


def _entry(plan: Plan) -> str:
    return hosts.component_kind([one.component.kind for one in plan.parts])


def _url(plan: Plan, seen: Observed, components: Mapping[str, ComponentStatus]) -> str:
    kind, config = _entry(plan), plan.config.ingress
    if config.enable_gateway_api and not plan.ingress:
        return _address(plan)
    port = port_of(seen.gateway, config.url_scheme.upper()) if config.enable_gateway_api else None
    host = hosts.external(_entry_name(plan), kind, components[kind].url)
    return hosts.url(plan.isvc, host, components[kind].url, config, port)


def _entry_name(plan: Plan) -> str:
    entry = plan.part(_entry(plan))
    assert entry is not None, "asked for only when there are parts"
    return entry.component.name


def _address(plan: Plan) -> str:
    return hosts.address(plan.isvc, _entry_name(plan), plan.config.ingress)


def _model(plan: Plan, seen: Observed, found: status.Seen, ready: bool, now: str) -> ModelStatus | None:
    before = plan.isvc.status.model_status
    if plan.blocked is not None:
        if plan.blocked.failure is None:
            return before
        return standard.invalid(before, plan.blocked.failure, plan.blocked.summary or plan.blocked.message, now)
    service = found.get(names.PREDICTOR)
    current = service is not None and (
        service.status.latest_created_revision_name == service.status.latest_ready_revision_name
    )
    failing = status.has_failed(service)
    return standard.model_status(before, seen.pods, ready=ready and current, now=now, failed=failing)
