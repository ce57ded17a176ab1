"""What a service would meet on a cluster: our runtimes, storage containers and configuration, and what files bring."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.cli.manifests import Manifest
from inferplane.controlplane.serving.fetching import Stores
from inferplane.controlplane.serving.plan import Runtimes
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.core import ConfigMap, Secret, ServiceAccount
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, Config, parse
from inferplane.resources.serving.defaults import SHIPPED, cluster_serving_runtimes
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer, default_storage_container

SERVICE, RUNTIME, CLUSTER_RUNTIME = "InferenceService", "ServingRuntime", "ClusterServingRuntime"
STORAGE_CONTAINER = "ClusterStorageContainer"
GROUP = "serving.kserve.io/"


@dataclass(frozen=True, slots=True)
class World:
    """`runtimes`, `secrets` and `accounts` of all namespaces; runtimes of the cluster have none."""

    config: Config
    runtimes: Sequence[ServingRuntime]
    containers: Sequence[ClusterStorageContainer] = ()
    secrets: Sequence[Secret] = ()
    accounts: Sequence[ServiceAccount] = ()

    def for_namespace(self, namespace: str) -> Runtimes:
        own = [one for one in self.runtimes if one.metadata.namespace == namespace]
        return Runtimes(own, [one for one in self.runtimes if one.cluster_scoped], self.containers)

    def stores(self, namespace: str) -> Stores:
        """What a model is fetched with."""
        return Stores(
            {one.metadata.name: one for one in self.accounts if one.metadata.namespace == namespace},
            {one.metadata.name: one for one in self.secrets if one.metadata.namespace == namespace},
            self.containers,
        )

    def beside(self, runtime: ServingRuntime) -> Iterator[ServingRuntime]:
        """The other runtimes of its scope."""
        meta = runtime.metadata
        for one in self.runtimes:
            if one.metadata.namespace == meta.namespace and one.metadata.name != meta.name:
                yield one


def world_of(manifests: Iterable[Manifest], namespace: str) -> World:
    """Of objects that fit their schemas. `namespace` is for those that name none. Raises ConfigError.

    A runtime of a file takes the place of the default one of its name.
    """
    given = list(manifests)
    config = next((parse(msgspec.convert(one.body, ConfigMap).data) for one in given if is_config(one)), SHIPPED)
    defaults = [msgspec.convert(one, ServingRuntime) for one in cluster_serving_runtimes()]
    runtimes = [*defaults, *(runtime_of(one, namespace) for one in given if is_runtime(one))]
    fetchers = [default_storage_container(), *(one.body for one in given if _is(one, GROUP, STORAGE_CONTAINER))]
    return World(
        config=config,
        runtimes=list({(one.metadata.namespace, one.metadata.name): one for one in runtimes}.values()),
        containers=_by_name(msgspec.convert(one, ClusterStorageContainer) for one in fetchers),
        secrets=[msgspec.convert(_placed(one, namespace), Secret) for one in given if _is(one, "v1", "Secret")],
        accounts=[
            msgspec.convert(_placed(one, namespace), ServiceAccount)
            for one in given
            if _is(one, "v1", "ServiceAccount")
        ],
    )


def _by_name(containers: Iterable[ClusterStorageContainer]) -> list[ClusterStorageContainer]:
    """Sorted, as an API server lists them."""
    found = {one.metadata.name: one for one in containers}
    return [found[name] for name in sorted(found)]


def _is(manifest: Manifest, version: str, kind: str) -> bool:
    """`version` may be the beginning of one, of any of a group's."""
    return manifest.kind == kind and manifest.api_version.startswith(version)


def is_config(manifest: Manifest) -> bool:
    named = (manifest.kind, manifest.name) == ("ConfigMap", CONFIG_NAME)
    return named and manifest.namespace in ("", CONFIG_NAMESPACE)


def is_runtime(manifest: Manifest) -> bool:
    return _is(manifest, GROUP, RUNTIME) or _is(manifest, GROUP, CLUSTER_RUNTIME)


def is_service(manifest: Manifest) -> bool:
    return _is(manifest, GROUP, SERVICE)


def runtime_of(manifest: Manifest, namespace: str) -> ServingRuntime:
    where = namespace if manifest.kind == RUNTIME else ""
    return msgspec.convert(_placed(manifest, where), ServingRuntime)


def service_of(manifest: Manifest, namespace: str) -> InferenceService:
    """As it would be created: a status in the file says nothing."""
    body = {key: value for key, value in _placed(manifest, namespace).items() if key != "status"}
    return msgspec.convert(body, InferenceService)


def _placed(manifest: Manifest, namespace: str) -> JsonObject:
    meta = object_at(manifest.body, "metadata")
    return manifest.body | {"metadata": meta | {"namespace": (manifest.namespace or namespace) if namespace else ""}}
