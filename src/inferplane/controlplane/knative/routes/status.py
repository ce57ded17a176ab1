"""Where a Route stands: its hosts, its traffic, and what the gateway says of its HTTPRoutes. Pure.

Rules: `pkg/apis/serving/v1/route_lifecycle.go`. There is no TLS to the gateway of one machine: `TLSNotEnabled`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.controlplane.knative.routes.hosts import Hosts
from inferplane.controlplane.knative.routes.rollout import Rollout
from inferplane.controlplane.knative.routes.traffic import Target, merged
from inferplane.resources.conditions import TRUE, UNKNOWN, Verdict, copied, failed, pending, settled
from inferplane.resources.gateway import HTTPRoute, RouteParentStatus
from inferplane.resources.knative import Address, Route, RouteStatus, TrafficTarget
from inferplane.resources.knative.route import (
    ALL_TRAFFIC_ASSIGNED,
    CERTIFICATE_PROVISIONED,
    DEPENDENTS,
    INGRESS_READY,
)
from inferplane.resources.meta import ConditionStatus, condition

NOT_CONFIGURED = "IngressNotConfigured"
IN_PROGRESS = "RolloutInProgress"
ERROR_CONFIG = "ErrorConfig"
NOT_OWNED = "NotOwned"
_WAITING = "Ingress has not yet been reconciled."
_NO_TLS = Verdict(ConditionStatus.TRUE, "TLSNotEnabled", "TLS is not enabled for the gateway.")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Urls:
    """`port` is the external Gateway's, None where it is not known."""

    scheme: str
    port: int | None = None

    def of(self, hosts: Hosts) -> str:
        if not hosts.external:
            return f"http://{hosts.cluster_local}"
        plain = self.port in (None, _PORTS.get(self.scheme))
        return f"{self.scheme}://{hosts.external}" + ("" if plain else f":{self.port}")


def ingress(routes: Sequence[HTTPRoute], before: Verdict, *, rolling: bool) -> Verdict:
    """What the gateway says of all of them. `before` is what IngressReady was."""
    verdicts = [_said(parent, one, before) for one in routes for parent in one.status.parents or (None,)]
    bad = [one for one in verdicts if not one.is_true]
    if bad:
        return next((one for one in bad if one.is_false), bad[0])
    return pending(IN_PROGRESS, "A gradual rollout of the latest revision(s) is in progress.") if rolling else TRUE


def _said(parent: RouteParentStatus | None, route: HTTPRoute, before: Verdict) -> Verdict:
    if parent is None or _is_behind(parent, route.metadata.generation):
        return pending(NOT_CONFIGURED, _WAITING)
    for name in ("Accepted", "ResolvedRefs"):
        found = copied(parent.conditions, name)
        if found.is_false:
            return found
        if not found.is_true:
            return pending(NOT_CONFIGURED, _WAITING)
    programmed = copied(parent.conditions, "Programmed")
    # Replicas come and go: once requests were answered it takes more than that to say that they are not.
    if programmed.is_false and not (before.is_true or before.reason == IN_PROGRESS):
        return pending(NOT_CONFIGURED, programmed.message or _WAITING)
    return TRUE


def _is_behind(parent: RouteParentStatus, generation: int) -> bool:
    seen = [one.observed_generation for one in parent.conditions if one.observed_generation is not None]
    return any(one < generation for one in seen)


def not_owned(name: str) -> Verdict:
    return failed(NOT_OWNED, f'There is an existing HTTPRoute "{name}" that we do not own.')


def invalid_host(message: str) -> Verdict:
    return failed(ERROR_CONFIG, message)


def blocked(
    route: Route, verdict: Verdict, now: str, hosts: Hosts | None = None, urls: Urls | None = None
) -> RouteStatus:
    """Requests go where they went before. `verdict` is AllTrafficAssigned's."""
    before = route.status
    status = msgspec.structs.replace(before, url=urls.of(hosts), address=_address(hosts)) if hosts and urls else before
    return _with_conditions(route, status, verdict, copied(before.conditions, INGRESS_READY), now)


def assigned(
    route: Route, traffic: Sequence[TrafficTarget], hosts: Hosts, urls: Urls, ingress_ready: Verdict, now: str
) -> RouteStatus:
    status = msgspec.structs.replace(route.status, url=urls.of(hosts), address=_address(hosts), traffic=[*traffic])
    return _with_conditions(route, status, TRUE, ingress_ready, now)


def traffic(targets: Iterable[Target], hosts: Mapping[str, Hosts], urls: Urls, state: Rollout) -> list[TrafficTarget]:
    """The targets as they are served now: during a rollout a target that follows the latest is several."""
    found: list[TrafficTarget] = []
    for one in targets:
        url = urls.of(hosts[one.tag]) if one.tag else ""
        rolling = state.of(one.configuration) if one.follows_latest else None
        whole = rolling is None or rolling.is_done or rolling.percent != one.percent
        shares = {one.revision: one.percent} if whole or rolling is None else {
            share.revision_name: share.percent for share in rolling.revisions
        }  # fmt: skip
        found += [
            TrafficTarget(revision_name=name, percent=percent, tag=one.tag, url=url, latest_revision=one.follows_latest)
            for name, percent in shares.items()
        ]
    return merged(found)


def _address(hosts: Hosts) -> Address:
    return Address(url=f"http://{hosts.cluster_local}")


def _with_conditions(route: Route, status: RouteStatus, assigned: Verdict, ingress: Verdict, now: str) -> RouteStatus:
    verdicts = {
        ALL_TRAFFIC_ASSIGNED: assigned,
        INGRESS_READY: pending(NOT_CONFIGURED, _WAITING) if ingress == UNKNOWN else ingress,
        CERTIFICATE_PROVISIONED: _NO_TLS,
    }
    return msgspec.structs.replace(
        status,
        observed_generation=route.metadata.generation,
        conditions=settled(verdicts, route.status.conditions, now, DEPENDENTS),
    )


def is_settled(route: Route) -> bool:
    """Ready or failed, about its present spec."""
    ready = condition(route.status.conditions, "Ready")
    current = route.status.observed_generation == route.metadata.generation
    return ready is not None and ready.status != ConditionStatus.UNKNOWN and current
