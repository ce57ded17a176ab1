"""The targets of a Route, resolved to revisions, or the reason why they can't be. Pure.

One bad target spoils the whole: what was programmed stays. Rules: knative/serving `pkg/reconciler/route/traffic`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.resources.conditions import Verdict, copied, failed, pending
from inferplane.resources.knative import Configuration, Revision, Route, TrafficTarget, words

REVISION_MISSING = "RevisionMissing"
CONFIGURATION_MISSING = "ConfigurationMissing"
NOT_OWNED = "RevisionNotOwned"
DEFAULT = ""
"""The group of targets that get requests without a tag."""


@dataclass(frozen=True, slots=True)
class World:
    """Configurations and revisions of the Route's namespace that it names, by name."""

    configurations: Mapping[str, Configuration]
    revisions: Mapping[str, Revision]


@dataclass(frozen=True, slots=True)
class Target:
    """An entry of the spec with its revision. `configuration` of one that follows the latest, else empty."""

    revision: str
    percent: int
    tag: str = ""
    configuration: str = ""
    follows_latest: bool = False


class Unassigned(Exception):
    """`verdict` is what AllTrafficAssigned says."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict


def resolved(route: Route, world: World) -> list[Target]:
    """In the order of the spec. Raises Unassigned for the worst target: a failure before one that only waits."""
    found: list[Target] = []
    bad: list[Unassigned] = []
    for one in route.spec.traffic:
        try:
            found.append(_target(route, one, world))
        except Unassigned as error:
            bad.append(error)
    if bad:
        raise next((one for one in bad if one.verdict.is_false), bad[0])
    return found


def _target(route: Route, one: TrafficTarget, world: World) -> Target:
    if one.configuration_name:
        return _of_configuration(one, world)
    return _of_revision(route, one, world)


def _of_configuration(one: TrafficTarget, world: World) -> Target:
    name = one.configuration_name
    configuration = world.configurations.get(name)
    if configuration is None:
        raise _wrong(CONFIGURATION_MISSING, f'Configuration "{name}" referenced in traffic not found.')
    latest = configuration.status.latest_ready_revision_name
    if not latest:
        if copied(configuration.status.conditions).is_false:
            raise _wrong(REVISION_MISSING, f'Configuration "{name}" does not have any ready Revision.')
        raise _waiting(f'Configuration "{name}" is waiting for a Revision to become ready.')
    if latest not in world.revisions:
        raise _wrong(REVISION_MISSING, f'Revision "{latest}" referenced in traffic not found.')
    return Target(latest, one.percent or 0, one.tag, name, follows_latest=True)


def _of_revision(route: Route, one: TrafficTarget, world: World) -> Target:
    name = one.revision_name
    revision = world.revisions.get(name)
    if revision is None:
        raise _wrong(REVISION_MISSING, f'Revision "{name}" referenced in traffic not found.')
    service = route.metadata.labels.get(words.SERVICE)
    if service is not None and revision.metadata.labels.get(words.SERVICE) != service:
        raise _wrong(NOT_OWNED, f'Revision "{name}" does not belong to Service "{service}".')
    ready = copied(revision.status.conditions)
    if ready.is_false:
        raise _wrong(REVISION_MISSING, f'Revision "{name}" failed to become ready.')
    if not ready.is_true:
        raise _waiting(f'Revision "{name}" is not yet ready.')
    return Target(name, one.percent or 0, one.tag)


def _wrong(reason: str, message: str) -> Unassigned:
    return Unassigned(failed(reason, message))


def _waiting(message: str) -> Unassigned:
    return Unassigned(pending(REVISION_MISSING, message))


# --- groups -----------------------------------------------------------------------------------------------------------


def tags(route: Route) -> list[str]:
    """Of the traffic groups, the default one first."""
    return list(dict.fromkeys([DEFAULT, *(one.tag for one in route.spec.traffic)]))


def groups(targets: Sequence[Target]) -> dict[str, list[Target]]:
    """The default group with all entries, and each tag with its own at 100 %."""
    found: dict[str, list[Target]] = {DEFAULT: [*targets]}
    for one in targets:
        if one.tag:
            found[one.tag] = [Target(one.revision, 100, one.tag, one.configuration, one.follows_latest)]
    return found


def merged(entries: Iterable[TrafficTarget]) -> list[TrafficTarget]:
    """Entries of a status: the same revision, tag and latestRevision once, with the sum of the percents."""
    found: dict[tuple[str, str, bool | None], TrafficTarget] = {}
    for one in entries:
        key = one.revision_name, one.tag, one.latest_revision
        before = found.get(key)
        share = (one.percent or 0) + ((before.percent or 0) if before else 0)
        found[key] = msgspec.structs.replace(one, percent=share)
    return list(found.values())
