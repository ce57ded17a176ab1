"""Causes between a service that answers and its clients: the gateway does not (yet) send requests to it. Pure."""

from inferplane.cli.why.causes import Cause, Kind
from inferplane.cli.why.facts import Facts, Route
from inferplane.resources.meta import Condition, ConditionStatus, condition


def route_cause(facts: Facts) -> Cause | None:
    """The first thing wrong with the service's routes."""
    if not facts.routes and (waiting := _ingress_waits(facts)):
        return Cause(Kind.ROUTE_NOT_PROGRAMMED, "ingress", "the gateway does not serve its Ingress yet", (waiting,))
    if not facts.routes:
        return Cause(Kind.ROUTE_MISSING, "route", "no HTTPRoute has been made for it yet")
    return next((cause for route in facts.routes if (cause := _cause_of(route))), None)


def _ingress_waits(facts: Facts) -> str:
    """The words of the condition where the ConfigMap asks for Ingress objects instead of routes."""
    found = condition(facts.service.status.conditions, "IngressReady") if facts.service else None
    return found.message if found is not None and found.reason == "IngressNotServed" else ""


def _cause_of(route: Route) -> Cause | None:
    name = f"httproute/{route.metadata.name}"
    if not route.status.parents:
        return Cause(
            Kind.ROUTE_NOT_PROGRAMMED,
            "route",
            f"no gateway has taken {name} up",
            fix="check that the gateway runs: inferplane status",
        )
    wrong = [
        one for parent in route.status.parents for one in parent.conditions if one.status is not ConditionStatus.TRUE
    ]
    # Accepted and ResolvedRefs come before Programmed: a refused route is never programmed.
    ranked = sorted(wrong, key=lambda one: ("Accepted", "ResolvedRefs").index(one.type) if one.type in _REFUSALS else 9)
    return _worded(name, ranked[0]) if ranked else None


_REFUSALS = frozenset({"Accepted", "ResolvedRefs"})


def _worded(name: str, wrong: Condition) -> Cause:
    details = (wrong.message,) if wrong.message else ()
    if wrong.type in _REFUSALS:
        summary = f"the gateway refuses {name} ({wrong.reason})"
        return Cause(Kind.ROUTE_REFUSED, "route", summary, details)
    if wrong.reason == "NoReadyEndpoints":
        return Cause(Kind.NO_ENDPOINTS, "route", f"{name} has no ready endpoint to send requests to", details)
    return Cause(Kind.ROUTE_NOT_PROGRAMMED, "route", f"the gateway has not programmed {name} yet", details)
