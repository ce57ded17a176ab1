"""KServe's caches of models on nodes, where the API server has them: watched from when the configuration asks for them.

`localModel.enabled` in the configuration switches them on. What a service is marked with is written to the service
too, because KServe's own controllers look for it there.
"""

from collections.abc import Callable

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.controlplane.machinery.cache import Cache
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.optional import OptionalKind, definitions
from inferplane.kernel.json import JsonObject
from inferplane.resources.serving import localmodel
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.localmodel import LocalModelCache

_KINDS = (kinds.LOCAL_MODEL_CACHE, kinds.LOCAL_MODEL_NAMESPACE_CACHE)
DEFINITIONS = tuple(f"{one.plural}.{one.group}" for one in _KINDS)
_MANAGER = f"{names.MANAGER}-local-model"


class LocalModels:
    """`changed` is called with the namespace that a changed cache is for, "" for all."""

    def __init__(self, api: Api, informers: Informers, changed: Callable[[str], None]) -> None:
        self._api = api
        served = definitions(informers)

        def start(cache: Cache[LocalModelCache]) -> None:
            cache.on_change(lambda old, new: changed((new or old or _NONE).metadata.namespace))

        self._kinds = [OptionalKind(informers, served, kind, LocalModelCache, start) for kind in _KINDS]

    async def caches(self, config: Config) -> list[LocalModelCache]:
        """Those that there are; none unless the configuration asks for them. Raises NotListed."""
        if not config.local_model.enabled:
            return []
        found = [await one.cache() for one in self._kinds]
        return [one for cache in found if cache is not None for one in cache.list()]

    async def write(self, isvc: InferenceService, planned: InferenceService) -> None:
        """Marks the service as it was planned with, if it isn't yet."""
        wanted = localmodel.mark_of(planned)
        if wanted == localmodel.mark_of(isvc):
            return
        metadata: JsonObject = {
            "name": isvc.metadata.name,
            "namespace": isvc.metadata.namespace,
            "labels": {**wanted.labels},
            "annotations": {**wanted.annotations},
        }
        body: JsonObject = {"metadata": metadata}
        try:
            await self._api.apply(kinds.INFERENCE_SERVICE, body, isvc.metadata.namespace, manager=_MANAGER)
        except NotFound:
            # Deleted meanwhile; its watch event is on the way.
            return


_NONE = LocalModelCache(spec=localmodel.LocalModelCacheSpec(source_model_uri=""))
