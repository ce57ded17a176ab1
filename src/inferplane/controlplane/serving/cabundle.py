"""Certificates for fetching models: the ConfigMap that the configuration names, copied to where services are.

Pods can only mount a ConfigMap of their own namespace. So the one that `storageInitializer.caBundleConfigMapName` names
in our namespace is copied as `global-ca-bundle` into every namespace that has an InferenceService. It belongs to none
of them, and stays.
"""

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.owners import object_reference
from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.applying import Applier
from inferplane.controlplane.serving.render import Desired
from inferplane.resources.core import ConfigMap
from inferplane.resources.serving.config import CONFIG_NAME, CONFIG_NAMESPACE, Config, ConfigError, parse
from inferplane.resources.serving.inferenceservice import InferenceService

BUNDLE = "global-ca-bundle"
FILE = "cabundle.crt"
MISSING = "CABundleMissing"


def copy(config: Config, source: ConfigMap | None, namespace: str) -> Desired | str | None:
    """The copy, what keeps it from being made, or None when none is asked for. `source` is the one that is named."""
    name = config.storage_initializer.ca_bundle_config_map_name
    if not name or namespace == CONFIG_NAMESPACE:
        return None
    where = f"storageInitializer.caBundleConfigMapName: ConfigMap {CONFIG_NAMESPACE}/{name}"
    if source is None:
        return f"{where} does not exist"
    if FILE not in source.data:
        return f"{where} has no key {FILE}"
    metadata = {"name": BUNDLE, "namespace": namespace}
    return Desired(
        kinds.CONFIG_MAP,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata}, "data": {FILE: source.data[FILE]}},
    )


class CaBundles:
    """Keys are namespaces."""

    def __init__(
        self, api: Api, isvcs: Cache[InferenceService], config_maps: Cache[ConfigMap], recorder: Recorder
    ) -> None:
        self._applier = Applier(api, names.MANAGER)
        self._isvcs = isvcs
        self._config_maps = config_maps
        self._recorder = recorder

    async def reconcile(self, key: Key) -> None:
        configuration = self._config_maps.get(Key(CONFIG_NAMESPACE, CONFIG_NAME))
        try:
            config = parse(configuration.data if configuration else {})
        except ConfigError:
            # Told by the InferenceService controller.
            return
        if configuration is None or not self._isvcs.names(key.name):
            return
        source = self._config_maps.get(Key(CONFIG_NAMESPACE, config.storage_initializer.ca_bundle_config_map_name))
        match copy(config, source, key.name):
            case Desired() as wanted:
                live = self._config_maps.get(Key(key.name, BUNDLE))
                await self._applier.apply(wanted, live.metadata if live else None)
            case str() as problem:
                about = object_reference(kinds.CONFIG_MAP, configuration.metadata)
                self._recorder.event(about, "Warning", MISSING, problem)


def namespaces(isvcs: Cache[InferenceService], config_map: ConfigMap) -> list[Key]:
    """Those that a change of a ConfigMap concerns: all when it is one of ours, its own when it is the copy."""
    meta = config_map.metadata
    if meta.namespace == CONFIG_NAMESPACE:
        return sorted({Key("", one.metadata.namespace) for one in isvcs.list()})
    return [Key("", meta.namespace)] if meta.name == BUNDLE else []
