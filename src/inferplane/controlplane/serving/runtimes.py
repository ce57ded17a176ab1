"""Says what is wrong with a runtime: the rules of KServe's webhook for runtimes, as an event of the runtime.

A ServingRuntime is looked at with the others of its namespace, a ClusterServingRuntime with all of them: two with the
same priority for one format are told of each other. A runtime has no status, so there is no condition; a service that
one with a fault of its own is chosen for says so itself (`plan`).
"""

from collections.abc import Iterable

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.owners import key_of_meta, object_reference
from inferplane.resources.core import ConfigMap
from inferplane.resources.serving import runtime_validation
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, ConfigError, parse
from inferplane.resources.serving.runtime import ServingRuntime

INVALID = "InvalidServingRuntime"


class RuntimeCheck:
    """Keys are runtimes; those of the cluster have no namespace."""

    def __init__(
        self,
        runtimes: Cache[ServingRuntime],
        cluster_runtimes: Cache[ServingRuntime],
        config_maps: Cache[ConfigMap],
        recorder: Recorder,
    ) -> None:
        self._runtimes = runtimes
        self._cluster_runtimes = cluster_runtimes
        self._config_maps = config_maps
        self._recorder = recorder
        self._told: dict[Key, tuple[str, list[str]]] = {}

    async def reconcile(self, key: Key) -> None:
        runtime = self._cache(key).get(key)
        if runtime is None or runtime.metadata.deleting:
            self._told.pop(key, None)
            return
        others = [one for one in self.scope(key.namespace) if one.metadata.name != key.name]
        found = runtime_validation.problems(runtime, others, self._gpu_types())
        if found and self._told.get(key) != (runtime.metadata.uid, found):
            kind = kinds.CLUSTER_SERVING_RUNTIME if runtime.cluster_scoped else kinds.SERVING_RUNTIME
            self._recorder.event(object_reference(kind, runtime.metadata), "Warning", INVALID, "; ".join(found))
        self._told[key] = runtime.metadata.uid, found

    def scope(self, namespace: str) -> Iterable[ServingRuntime]:
        """The runtimes that are weighed against each other."""
        return self._runtimes.list(namespace) if namespace else self._cluster_runtimes.list()

    def all(self) -> list[Key]:
        return [key_of_meta(one.metadata) for one in (*self._runtimes.list(), *self._cluster_runtimes.list())]

    def beside(self, runtime: ServingRuntime) -> list[Key]:
        """A change of one runtime concerns all of its scope."""
        meta = runtime.metadata
        return [key_of_meta(meta), *(key_of_meta(one.metadata) for one in self.scope(meta.namespace))]

    def _cache(self, key: Key) -> Cache[ServingRuntime]:
        return self._runtimes if key.namespace else self._cluster_runtimes

    def _gpu_types(self) -> list[str]:
        found = self._config_maps.get(Key(CONFIG_NAMESPACE, CONFIG_NAME))
        try:
            return parse(found.data if found else {}).multi_node.custom_gpu_resource_type_list
        except ConfigError:
            # Told by the InferenceService controller.
            return []
