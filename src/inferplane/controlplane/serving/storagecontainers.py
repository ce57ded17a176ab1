"""ClusterStorageContainers: which one fetches a URI, if any. Pure.

Rules of KServe (reference section 6.2): the first that takes the URI, or the one that the service names, which then
has to take it; for several URIs the one of the first, which must be able to fetch more than one.
"""

import re
from collections.abc import Sequence

from inferplane.controlplane.serving.credentials import StorageRefused
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer, WorkloadType


def takes(container: ClusterStorageContainer, uri: str) -> bool:
    """Is it in use, an init container, and made for such URIs?"""
    in_use = not container.disabled and container.spec.workload_type is WorkloadType.INIT_CONTAINER
    return in_use and _fits(container, uri)


def _fits(container: ClusterStorageContainer, uri: str) -> bool:
    try:
        return any(one.fits(uri) for one in container.spec.supported_uri_formats)
    except re.error:
        # Told by whoever validates it; here it is a container that takes nothing.
        return False


def chosen(uris: Sequence[str], name: str, containers: Sequence[ClusterStorageContainer]) -> JsonObject | None:
    """The container to merge over the storage initializer. Raises StorageRefused."""
    found = (
        _named(name, uris[0], containers) if name else next((one for one in containers if takes(one, uris[0])), None)
    )
    if found is None:
        return None
    if len(uris) > 1 and not found.spec.supports_multi_model_download:
        raise StorageRefused(
            f"ClusterStorageContainer {found.metadata.name} fetches {uris[0]}, but one URI at a time, not {len(uris)}",
            fix="set its supportsMultiModelDownload if it can, or use one storageUri",
        )
    return found.spec.container


def _named(name: str, uri: str, containers: Sequence[ClusterStorageContainer]) -> ClusterStorageContainer:
    found = next((one for one in containers if one.metadata.name == name), None)
    if found is None:
        have = ", ".join(sorted(one.metadata.name for one in containers)) or "none"
        raise StorageRefused(f"storageContainerName {name}: no such ClusterStorageContainer; there are: {have}")
    if not takes(found, uri):
        why = (
            "is disabled"
            if found.disabled
            else f"is a {found.spec.workload_type}, not an initContainer"
            if found.spec.workload_type is not WorkloadType.INIT_CONTAINER
            else f"does not take {uri}"
        )
        raise StorageRefused(f"storageContainerName {name}: the ClusterStorageContainer {why}")
    return found
