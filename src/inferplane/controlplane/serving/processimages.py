"""The platform's table of process images, where there is one: it says which containers run our own server.

A cluster has none, and there an image is what its registry says it is.
"""

from collections.abc import Callable, Sequence

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.cache import Cache
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving.optional import OptionalKind, definitions
from inferplane.resources.process_image import ProcessImage

DEFINITIONS = (f"{kinds.PROCESS_IMAGE.plural}.{kinds.PROCESS_IMAGE.group}",)


class ProcessImages:
    """`changed` is called when an image of the table is another than before."""

    def __init__(self, informers: Informers, changed: Callable[[], None]) -> None:
        def start(cache: Cache[ProcessImage]) -> None:
            cache.on_change(lambda old, new: None if old and new and old.spec == new.spec else changed())

        self._kind = OptionalKind(informers, definitions(informers), kinds.PROCESS_IMAGE, ProcessImage, start)

    async def list(self) -> Sequence[ProcessImage]:
        """Raises NotListed."""
        cache = await self._kind.cache()
        return cache.list() if cache is not None else ()
