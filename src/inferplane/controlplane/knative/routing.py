"""Which revisions a Route reaches, and the marks that say so. Pure. Rules: knative/serving `pkg/reconciler/labeler`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import Configuration, Revision, Route, words
from inferplane.resources.meta import ObjectMeta

Configurations: TypeAlias = Callable[[str], Configuration | None]
Revisions: TypeAlias = Callable[[str], Revision | None]


@dataclass(frozen=True, slots=True)
class Reached:
    configurations: frozenset[str] = frozenset()
    revisions: frozenset[str] = frozenset()


def reached(route: Route | None, configurations: Configurations, revisions: Revisions) -> Reached:
    """Of spec and status: a revision that is about to get requests, or that starts to, counts as well.

    Who leads to a revision leads to its Configuration, too.
    """
    targets = [*route.spec.traffic, *route.status.traffic] if route else []
    names = {one.revision_name for one in targets} - {""}
    named = {one.configuration_name for one in targets} - {""}
    for name in named:
        configuration = configurations(name)
        if configuration is not None:
            status = configuration.status
            names |= {status.latest_created_revision_name, status.latest_ready_revision_name} - {""}
    owners = {found.configuration for one in names if (found := revisions(one)) is not None} - {""}
    return Reached(frozenset(named | owners), frozenset(names))


def routes(meta: ObjectMeta) -> list[str]:
    """Names of the Routes that lead to the object."""
    return sorted({one for one in meta.annotations.get(words.ROUTES, "").split(",") if one})


def patch(meta: ObjectMeta, route: str, now: str, *, leads: bool, has_state: bool) -> JsonObject | None:
    """The merge patch after which the object says that `route` leads to it, or does not; None: it says so already.

    `has_state`: it is a revision, whose label tells the state as well.
    """
    before = routes(meta)
    after = sorted({*before, route}) if leads else [one for one in before if one != route]
    state = words.ACTIVE if after else words.RESERVE
    same_state = not has_state or meta.labels.get(words.ROUTING_STATE) == state
    if before == after and same_state:
        return None
    annotations: dict[str, Json] = {words.ROUTES: ",".join(after) or None}
    # The version keeps two Routes from overwriting each other's mark.
    metadata: JsonObject = {"resourceVersion": meta.resource_version, "annotations": annotations}
    if not same_state:
        annotations[words.ROUTING_STATE_MODIFIED] = now
        metadata["labels"] = {words.ROUTING_STATE: state}
    return {"metadata": metadata}
