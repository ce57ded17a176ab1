"""Revisions as the terminal's table and as JSON. Pure."""

from collections.abc import Iterator
from datetime import datetime

from inferplane.cli.rollout.facts import Component, Rollout
from inferplane.cli.terminal import columns
from inferplane.cli.why.words import ago, plural
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import Revision
from inferplane.resources.meta import condition

_HEAD = ("COMPONENT", "REVISION", "SHARE", "ROLE", "READY", "REPLICAS", "AGE")


def table(rollout: Rollout, now: datetime) -> list[str]:
    """Lines, the head first. Old revisions that have no share, no tag and no replica are counted below."""
    rows = [
        _cells(component, one, now)
        for component in rollout.components.values()
        for one in component.revisions
        if _is_shown(component, one)
    ]
    hidden = sum(len(one.revisions) for one in rollout.components.values()) - len(rows)
    more = [f"and {plural(hidden, 'older revision')} without requests"] if hidden else []
    return [*columns([_HEAD, *rows]), *more]


def _is_shown(component: Component, revision: Revision) -> bool:
    name = revision.metadata.name
    return bool(
        role(component, name) or tags(component, name) or name in component.shares() or _replicas(revision) != (0, 0)
    )


def _cells(component: Component, revision: Revision, now: datetime) -> list[str]:
    name = revision.metadata.name
    ready, wanted = _replicas(revision)
    return [
        component.name,
        name,
        f"{component.shares().get(name, 0)} %",
        role(component, name),
        _ready(revision),
        f"{ready}/{wanted}",
        ago(revision.metadata.creation_timestamp, now),
    ]


def role(component: Component, name: str) -> str:
    """`stable` takes what the `canary` does not; `newest` is alone, or has not got its share yet."""
    if name == component.newest:
        return "canary" if component.percent is not None and component.stable else "newest"
    if name == component.status.latest_rolledout_revision:
        return "stable"
    return "previous" if name == component.status.previous_rolledout_revision else ""


def tags(component: Component, name: str) -> dict[str, str]:
    """Tag → URL that leads to this revision alone."""
    return {one.tag: one.url for one in component.status.traffic if one.tag and one.revision_name == name}


def _ready(revision: Revision) -> str:
    found = condition(revision.status.conditions, "Ready")
    if found is None:
        return "Unknown"
    return f"{found.status} ({found.reason})" if found.reason else found.status


def _replicas(revision: Revision) -> tuple[int, int]:
    """Ready and wanted; before the autoscaler's first decision those that are there."""
    ready, wanted = revision.status.actual_replicas or 0, revision.status.desired_replicas
    return ready, ready if wanted is None else wanted


def document(rollout: Rollout) -> JsonObject:
    """For programs."""
    return {
        "name": rollout.name,
        "namespace": rollout.namespace,
        "components": [
            {
                "component": one.name,
                "canaryTrafficPercent": one.percent,
                "revisions": [*_documents(one)],
            }
            for one in rollout.components.values()
        ],
    }


def _documents(component: Component) -> Iterator[Json]:
    for revision in component.revisions:
        name = revision.metadata.name
        ready, wanted = _replicas(revision)
        found: JsonObject = {**tags(component, name)}
        yield {
            "name": name,
            "percent": component.shares().get(name, 0),
            "role": role(component, name),
            "ready": _ready(revision).partition(" ")[0],
            "replicas": {"ready": ready, "wanted": wanted},
            "created": revision.metadata.creation_timestamp,
            "tags": found,
        }
