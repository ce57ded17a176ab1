"""What a service would meet on a cluster: the default runtimes and configuration, and those that files bring."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from inferplane.cli.manifests import Manifest
from inferplane.controlplane.serving.plan import Runtimes
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.core import ConfigMap
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, Config, parse
from inferplane.resources.serving.defaults import cluster_serving_runtimes
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.runtime import ServingRuntime

SERVICE, RUNTIME, CLUSTER_RUNTIME = "InferenceService", "ServingRuntime", "ClusterServingRuntime"
GROUP = "serving.kserve.io/"


@dataclass(frozen=True, slots=True)
class World:
    """`runtimes` of all namespaces; those of the cluster have none."""

    config: Config
    runtimes: Sequence[ServingRuntime]

    def for_namespace(self, namespace: str) -> Runtimes:
        own = [one for one in self.runtimes if one.metadata.namespace == namespace]
        return Runtimes(own, [one for one in self.runtimes if one.cluster_scoped])

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
    config, given = Config(), list[ServingRuntime]()
    for one in manifests:
        if is_config(one):
            config = parse(msgspec.convert(one.body, ConfigMap).data)
        elif is_runtime(one):
            given.append(runtime_of(one, namespace))
    defaults = (msgspec.convert(one, ServingRuntime) for one in cluster_serving_runtimes())
    runtimes = {(one.metadata.namespace, one.metadata.name): one for one in [*defaults, *given]}
    return World(config, list(runtimes.values()))


def is_config(manifest: Manifest) -> bool:
    named = (manifest.kind, manifest.name) == ("ConfigMap", CONFIG_NAME)
    return named and manifest.namespace in ("", CONFIG_NAMESPACE)


def is_runtime(manifest: Manifest) -> bool:
    return manifest.api_version.startswith(GROUP) and manifest.kind in (RUNTIME, CLUSTER_RUNTIME)


def is_service(manifest: Manifest) -> bool:
    return manifest.api_version.startswith(GROUP) and manifest.kind == SERVICE


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
