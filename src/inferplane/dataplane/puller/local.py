"""The server of this very process as the puller's target: no HTTP, and a new version while the old one answers."""

from pathlib import Path

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.residency.models import ManyModels


class OwnServer:
    in_place = True

    def __init__(self, models: ManyModels) -> None:
        self._models = models

    def expect(self, name: str) -> None:
        self._models.expect(name)

    async def load(self, name: str, spec: ModelSpec, directory: Path) -> None:
        await self._models.serve(name, spec.framework, directory)

    async def unload(self, name: str) -> None:
        self._models.withdraw(name)

    def forget(self, name: str) -> None:
        self._models.withdraw(name)

    def failed(self, name: str, reason: str) -> None:
        self._models.cannot(name, reason)
