"""Where a Configuration stands. Pure. Rules: `pkg/apis/serving/v1/configuration_lifecycle.go`."""

from collections.abc import Sequence

import msgspec

from inferplane.controlplane.knative.configurations.plan import latest_ready
from inferplane.resources.conditions import READY, TRUE, UNKNOWN, Verdict, copied, failed, settled
from inferplane.resources.knative import Configuration, ConfigurationStatus, Revision

REVISION_FAILED = "RevisionFailed"


def creation_failed(message: str) -> Verdict:
    return failed(REVISION_FAILED, f"Revision creation failed with message: {message}.")


def not_created(configuration: Configuration, message: str, now: str) -> ConfigurationStatus:
    """What was created last stays the latest."""
    return _status(configuration, configuration.status, creation_failed(message), now)


def next_status(
    configuration: Configuration, created: Revision, owned: Sequence[Revision], now: str
) -> ConfigurationStatus:
    """`created` is the revision of the present template, one of the `owned`."""
    ready_name = latest_ready(configuration, owned)
    status = msgspec.structs.replace(
        configuration.status,
        latest_created_revision_name=created.metadata.name,
        latest_ready_revision_name=ready_name,
    )
    return _status(configuration, status, _ready(configuration, created, ready_name), now)


def _ready(configuration: Configuration, created: Revision, ready_name: str) -> Verdict:
    said = copied(created.status.conditions)
    if said.is_false:
        words = f'Revision "{created.metadata.name}" failed with message: {said.message}.'
        return failed(REVISION_FAILED, words)
    return TRUE if ready_name == created.metadata.name else UNKNOWN


def _status(configuration: Configuration, status: ConfigurationStatus, ready: Verdict, now: str) -> ConfigurationStatus:
    return msgspec.structs.replace(
        status,
        observed_generation=configuration.metadata.generation,
        conditions=settled({READY: ready}, configuration.status.conditions, now, ()),
    )
