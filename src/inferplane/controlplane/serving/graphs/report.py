"""The status of an InferenceGraph: what was planned and what was observed. Pure.

Ready follows from the services that are asked (`ServicesReady`) and the router: in Knative mode what Knative says of
it, in Standard mode `RouterReady` and `IngressReady`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from inferplane.controlplane.serving import routes, status
from inferplane.controlplane.serving.graphs import render
from inferplane.controlplane.serving.graphs.plan import OF_SERVICES, Plan
from inferplane.controlplane.serving.plan import KNATIVE, RECONCILE_FAILED, Blocked
from inferplane.controlplane.serving.report import port_of
from inferplane.resources import conditions, knative
from inferplane.resources.apps import Deployment
from inferplane.resources.conditions import FALSE, TRUE, UNKNOWN, Verdict, failed
from inferplane.resources.core import Pod
from inferplane.resources.gateway import Gateway, HTTPRoute
from inferplane.resources.knative import KnativeService
from inferplane.resources.meta import ConditionStatus, condition
from inferplane.resources.serving.config import ConfigError
from inferplane.resources.serving.inferencegraph import InferenceGraph, InferenceGraphStatus

READY, STOPPED = "Ready", "Stopped"
SERVICES_READY, ROUTER_READY, INGRESS_READY = "ServicesReady", "RouterReady", "IngressReady"
_OF_KNATIVE = (knative.CONFIGURATIONS_READY, knative.ROUTES_READY)
_OF_STANDARD = (ROUTER_READY, INGRESS_READY)


@dataclass(frozen=True, slots=True)
class Observed:
    """The graph's own objects as they are. `pods` are newest first; `refused`: a write that the API turned down."""

    service: KnativeService | None = None
    deployment: Deployment | None = None
    pods: Sequence[Pod] = ()
    routes: Mapping[str, HTTPRoute] = field(default_factory=dict)
    gateway: Gateway | None = None
    refused: Blocked | None = None


def report(plan: Plan, seen: Observed, now: str) -> InferenceGraphStatus:
    """`now` is RFC 3339. The status as it was is `plan.graph.status`."""
    before = plan.graph.status
    verdicts = _verdicts(plan, seen)
    dependents = (SERVICES_READY, *_own(plan))
    settled = conditions.settled(verdicts, before.conditions, now, dependents)
    ready = condition(settled, READY)
    is_ready = ready is not None and ready.status is ConditionStatus.TRUE
    return InferenceGraphStatus(
        conditions=settled,
        observed_generation=plan.graph.metadata.generation or None,
        url=_url(plan, seen) if is_ready else "" if plan.stopped else before.url,
        deployment_mode=plan.mode,
    )


def broken_config(graph: InferenceGraph, error: ConfigError, now: str) -> InferenceGraphStatus:
    """While there is no configuration nothing is known to have changed but that."""
    before = graph.status.conditions
    kept = {one.type: Verdict(one.status, one.reason, one.message) for one in before if one.type != READY}
    verdicts = kept | {READY: failed(RECONCILE_FAILED, str(error))}
    dependents = [one for one in kept if one != STOPPED]
    return msgspec.structs.replace(graph.status, conditions=conditions.settled(verdicts, before, now, dependents))


def _own(plan: Plan) -> tuple[str, ...]:
    return _OF_KNATIVE if plan.mode == KNATIVE else _OF_STANDARD


def _verdicts(plan: Plan, seen: Observed) -> dict[str, Verdict]:
    if plan.stopped:
        words = failed("Stopped", "stopped by the annotation serving.kserve.io/stop")
        return {STOPPED: TRUE, READY: words, **dict.fromkeys(_own(plan), words)}
    if plan.blocked is not None:
        return {STOPPED: FALSE, **_blocked(plan, plan.blocked)}
    waits = plan.waits
    verdicts = {STOPPED: FALSE, SERVICES_READY: failed(waits.reason, waits.message) if waits else TRUE}
    if seen.refused is not None:
        words = failed(seen.refused.reason, seen.refused.message)
        return verdicts | dict.fromkeys(_own(plan), words)
    return verdicts | (_of_knative(seen.service) if plan.mode == KNATIVE else _of_standard(plan, seen))


def _blocked(plan: Plan, why: Blocked) -> dict[str, Verdict]:
    """Of a service, or of the graph itself; the router of before goes on."""
    words = failed(why.reason, why.message)
    kept = {one: _as_before(plan, one) for one in (SERVICES_READY, *_own(plan))}
    return kept | {SERVICES_READY if why.reason in OF_SERVICES else READY: words}


def _as_before(plan: Plan, type: str) -> Verdict:
    before = condition(plan.graph.status.conditions, type)
    return Verdict(before.status, before.reason, before.message) if before else UNKNOWN


def _of_knative(service: KnativeService | None) -> dict[str, Verdict]:
    if service is None:
        return dict.fromkeys(_OF_KNATIVE, UNKNOWN)
    if not service.is_current:
        words = f"{service.metadata.name} has not been looked at yet"
        return dict.fromkeys(_OF_KNATIVE, Verdict(ConditionStatus.UNKNOWN, "OutOfDate", words))
    return {one: conditions.copied(service.status.conditions, one) for one in _OF_KNATIVE}


def _of_standard(plan: Plan, seen: Observed) -> dict[str, Verdict]:
    router = status.component_ready(seen.deployment, seen.pods)
    return {ROUTER_READY: router, INGRESS_READY: _ingress(plan, seen)}


def _ingress(plan: Plan, seen: Observed) -> Verdict:
    if plan.ingress_blocked is not None:
        return failed(plan.ingress_blocked.reason, plan.ingress_blocked.message)
    name = plan.graph.metadata.name
    wanted = [one.name for one in plan.objects if one.resource.kind == "HTTPRoute"]
    return status.ingress_ready(seen.routes, {one: "InferenceGraph" if one == name else "Path" for one in wanted})


def _url(plan: Plan, seen: Observed) -> str:
    config = plan.config
    if plan.mode != KNATIVE:
        return render.url(plan.graph, config, port_of(seen.gateway, config.ingress.url_scheme.upper()))
    url = seen.service.status.url if seen.service else ""
    parts = urlsplit(url)
    if not parts.hostname or parts.port or not config.ingress.enable_gateway_api:
        return url
    return routes.url(parts.scheme, parts.hostname, port_of(seen.gateway, parts.scheme.upper()))
