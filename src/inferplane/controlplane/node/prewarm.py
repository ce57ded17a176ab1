"""Zygotes that start before a pod needs them: those of the runtimes that are asked for, and those of marked services.

A service says `inferplane.dev/prewarm: "true"` (InferenceServices hand it on to their Deployments). The zygote of each
of its containers is then kept, in the environment that the container's image asks for, while the Deployment exists,
with or without replicas. Only a model that was saved with another version of its library is not known before there
is a pod; its zygote starts with the first one.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from inferplane.controlplane.machinery.cache import Cache
from inferplane.controlplane.node.environments.choose import InvalidRequirements
from inferplane.controlplane.node.environments.shared import EnvironmentFailed, Environments
from inferplane.controlplane.node.images import ImageNotRunnable, Recipe, housed, recipe
from inferplane.controlplane.node.keepers import KeeperFailed, Keepers, KeeperSpec
from inferplane.controlplane.node.programs import Present, nowhere
from inferplane.resources.core import Container
from inferplane.resources.meta import View
from inferplane.resources.process_image import ProcessImage

log = logging.getLogger(__name__)

PREWARM = "inferplane.dev/prewarm"


class _Annotations(View, frozen=True, kw_only=True):
    """Of thousands of Deployments only this is kept."""

    prewarm: str = msgspec.field(default="", name=PREWARM)


class _Metadata(View, frozen=True, kw_only=True):
    annotations: _Annotations = _Annotations()


class _Image(View, frozen=True, kw_only=True):
    name: str
    image: str = ""
    command: list[str] = []


class _PodSpec(View, frozen=True, kw_only=True):
    init_containers: list[_Image] = []
    containers: list[_Image] = []


class _Template(View, frozen=True, kw_only=True):
    metadata: _Metadata = _Metadata()
    spec: _PodSpec = _PodSpec()


class _Spec(View, frozen=True, kw_only=True):
    template: _Template = _Template()


class Workload(View, frozen=True, kw_only=True):
    """A Deployment, seen as what its pods will run."""

    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()

    @property
    def marked(self) -> bool:
        marks = (self.metadata.annotations, self.spec.template.metadata.annotations)
        return any(one.prewarm == "true" for one in marks)


@dataclass(slots=True)
class Prewarm:
    """`run` keeps the zygotes of marked workloads; `kept` are the names of their keepers."""

    workloads: Cache[Workload]
    images: Cache[ProcessImage]
    keepers: Keepers
    environments: Environments
    present: Present = nowhere
    kept: frozenset[str] = frozenset()
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until cancelled. Start it when the informers are synced."""
        self.workloads.on_change(self._workload_changed)
        self.images.on_change(lambda *_: self._changed.set())
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._warm()

    def _workload_changed(self, old: Workload | None, new: Workload | None) -> None:
        if (old is not None and old.marked) or (new is not None and new.marked):
            self._changed.set()

    async def _warm(self) -> None:
        wanted = [
            spec
            for one in wishes(self.workloads.list(), self.images.list(), self.present)
            if (spec := await self._spec(one))
        ]
        self.kept = frozenset(spec.name for spec in wanted)
        for spec in wanted:
            try:
                await self.keepers.ready(spec)
            except KeeperFailed as error:
                log.info("keeper not started name=%s error=%s", spec.name, error)

    async def _spec(self, how: Recipe) -> KeeperSpec | None:
        """The keeper in the environment that the image asks for, built now if need be; None if that failed."""
        if how.wish is None:
            return how.keeper
        try:
            environment = await self.environments.choose(how.wish)
            if environment is None:
                return how.keeper
            await self.environments.ready(environment, lambda words: log.info("environment %s", words))
        except (EnvironmentFailed, InvalidRequirements) as error:
            log.warning("environment not made ahead of need error=%s", error)
            return None
        return housed(how.keeper, environment, self.environments.builder.path(environment))


def wishes(workloads: Sequence[Workload], images: Sequence[ProcessImage], has: Present = nowhere) -> list[Recipe]:
    """How the containers of marked workloads run, each way once; commands of their own need nothing ahead."""
    found: dict[tuple[str, str], Recipe] = {}
    for how in _recipes(workloads, images, has):
        version = how.wish.version if how.wish is not None else ""
        found.setdefault((how.keeper.name, version), how)
    return list(found.values())


def _recipes(workloads: Sequence[Workload], images: Sequence[ProcessImage], has: Present) -> Iterator[Recipe]:
    for one in workloads:
        spec = one.spec.template.spec
        for container in [*spec.init_containers, *spec.containers] if one.marked else []:
            try:
                asked = Container(name=container.name, image=container.image, command=container.command)
                how = recipe(asked, images, has)
            except ImageNotRunnable:
                continue  # its pod will say so
            if how.entrypoint:
                yield how
