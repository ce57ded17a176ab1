"""Where a Service stands, by its Configuration and Route. Pure. Rules: `pkg/apis/serving/v1/service_lifecycle.go`."""

from dataclasses import dataclass

import msgspec

from inferplane.resources.conditions import Verdict, copied, failed, pending, settled
from inferplane.resources.knative import Configuration, KnativeService, KnativeServiceStatus, Route, TrafficTarget
from inferplane.resources.knative.service import CONFIGURATIONS_READY, DEPENDENTS, ROUTES_READY

OUT_OF_DATE = "OutOfDate"
NOT_OWNED = "NotOwned"
NAME_TAKEN = "RevisionNameTaken"
NOT_MIGRATED = "TrafficNotMigrated"
REVISION_FAILED = "RevisionFailed"

OUTDATED = pending(OUT_OF_DATE, "The Configuration is still working to reflect the latest desired specification.")


@dataclass(frozen=True, slots=True)
class Sight:
    """What became of a Service. A child is None while it is not ours or was not looked at."""

    configuration: Configuration | None = None
    route: Route | None = None
    configurations_ready: Verdict | None = None
    routes_ready: Verdict | None = None


def of_configuration(configuration: Configuration) -> Verdict:
    if configuration.status.observed_generation != configuration.metadata.generation:
        return OUTDATED
    return copied(configuration.status.conditions)


def of_route(route: Route, configuration: Configuration) -> Verdict:
    if route.status.observed_generation != route.metadata.generation:
        return pending(OUT_OF_DATE, "The Route is still working to reflect the latest desired specification.")
    ready = copied(route.status.conditions)
    if ready.is_true and not _has_moved(route, configuration):
        return pending(NOT_MIGRATED, "Traffic is not yet migrated to the latest revision.")
    return ready


def _has_moved(route: Route, configuration: Configuration) -> bool:
    latest = configuration.status.latest_ready_revision_name
    wanted = [(latest if one.configuration_name else one.revision_name, *_rest(one)) for one in route.spec.traffic]
    return sorted(wanted) == sorted((one.revision_name, *_rest(one)) for one in route.status.traffic)


def _rest(target: TrafficTarget) -> tuple[str, int]:
    return target.tag, target.percent or 0


def foreign(kind: str, name: str) -> Verdict:
    return failed(NOT_OWNED, f'There is an existing {kind} "{name}" that we do not own.')


def name_taken(name: str) -> Verdict:
    return failed(
        NAME_TAKEN,
        f'The revision name "{name}" is taken by a conflicting Revision, so traffic will not be migrated',
    )


def next_status(service: KnativeService, sight: Sight, now: str) -> KnativeServiceStatus:
    """What was not looked at stays as it was."""
    before = service.status
    verdicts = {
        CONFIGURATIONS_READY: sight.configurations_ready or copied(before.conditions, CONFIGURATIONS_READY),
        ROUTES_READY: sight.routes_ready or copied(before.conditions, ROUTES_READY),
    }
    status = msgspec.structs.replace(
        before,
        observed_generation=service.metadata.generation,
        conditions=settled(verdicts, before.conditions, now, DEPENDENTS),
    )
    if sight.configuration is not None:
        seen = sight.configuration.status
        status = msgspec.structs.replace(
            status,
            latest_created_revision_name=seen.latest_created_revision_name,
            latest_ready_revision_name=seen.latest_ready_revision_name,
        )
    if sight.route is not None:
        told = sight.route.status
        status = msgspec.structs.replace(status, url=told.url, address=told.address, traffic=told.traffic)
    return status
