"""From a container's spec to what a keeper needs to start it: recipe, environment, arguments, volumes, mounts."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

from inferplane.controlplane.machinery.cache import Cache
from inferplane.controlplane.node import users
from inferplane.controlplane.node.confinement import FREE, NONE, Bounds, Confinement
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import Sources, environment, expand, references, relocate
from inferplane.controlplane.node.environments.choose import Wish, chosen
from inferplane.controlplane.node.environments.shared import Environments
from inferplane.controlplane.node.hosts import Hosts, mentions, neighbours
from inferplane.controlplane.node.images import Recipe, housed, recipe
from inferplane.controlplane.node.lookups import Lookups
from inferplane.controlplane.node.model_versions import LISTING, READERS, listed, model_directory, recorded
from inferplane.controlplane.node.probes import Target
from inferplane.controlplane.node.programs import present
from inferplane.controlplane.node.protocol import Launch
from inferplane.controlplane.node.services import ServiceAddresses
from inferplane.controlplane.node.status import Place
from inferplane.controlplane.node.volumes import Volumes, mount
from inferplane.resources.core import Container, Pod
from inferplane.resources.process_image import ProcessImage
from inferplane.resources.schemas.quantities import amount

_DEFAULT_PORT = 8080
# Numeric libraries of foreign servers start a thread for each processor of the machine unless told otherwise.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
TERMINATION_LOG = "INFERPLANE_TERMINATION_LOG"
LIBRARY_VERSION = "inferplane.dev/library-version"
"""Annotation of a pod (and so of an InferenceService): `recorded`, the default, serves a model with the library version
that it was saved with; `installed` with the one that the platform has."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A container made ready to run: `places` maps its paths to this machine's, `root` is its own directory.

    `hosts` tells where the host names in its arguments lead, `bounds` whom and what it runs as.
    """

    recipe: Recipe
    environment: dict[str, str]
    places: dict[str, str]
    root: Path
    hosts: Hosts
    bounds: Bounds = FREE

    def place(self, text: str) -> str:
        return self.hosts.place(relocate(expand(text, self.environment), self.places))


@dataclass(frozen=True, slots=True)
class Launcher:
    """`path` is the PATH of containers; `node` the node's allocatable resources, for the downward API.

    `ours` are variables for what runs our own code: where models are cached, for one.
    """

    images: Cache[ProcessImage]
    lookups: Lookups
    volumes: Volumes
    services: ServiceAddresses
    path: str
    node: Mapping[str, str]
    environments: Environments
    ours: Mapping[str, str] = field(default_factory=dict)
    confinement: Confinement = NONE

    def recipe(self, container: Container) -> Recipe:
        """Raises ImageNotRunnable."""
        return recipe(container, self.images.list(), present(self.path))

    async def prepare(
        self, pod: Pod, container: Container, directory: PodDirectory, place: Place, attempt: int
    ) -> Setting:
        """Raises ImageNotRunnable, ConfigError (MountError among them), ApiError, ServerUnreachable, OSError."""
        how = self.recipe(container)
        sources = await self._sources(pod, container, place)
        names = [one.name for one in container.volume_mounts]
        volumes = await self.volumes.prepare(pod, names, directory, sources)
        root = directory.prepare(container.name)
        termination = directory.termination_log(container.name, attempt)
        base = self._base(pod, container, place, root) | {TERMINATION_LOG: str(termination)}
        base |= self.ours if how.entrypoint else threads(container)
        for variable in how.env:
            base[variable.name] = expand(variable.value, base)
        variables = environment(pod, container, sources, base)
        places = told(how, mount(container, volumes, root, variables))
        places[container.termination_message_path] = str(termination)
        variables = {name: relocate(value, places) for name, value in variables.items()}
        hosts = await self._hosts(pod, container, [*how.argv, *variables.values()], place)
        variables = {name: hosts.place(value) for name, value in variables.items()}
        user = self.confinement.user(pod, container, place.pod_ip, how.entrypoint)
        if user is not None:
            users.admit(user, pod, directory, root, termination, volumes)
        return Setting(how, variables, places, root, hosts, Bounds(user, self.confinement.groups(pod, container)))

    async def house(self, pod: Pod, setting: Setting, tell: Callable[[str], None]) -> Setting:
        """The setting with a keeper in the environment that the container needs, built now if need be.

        `tell` is given words of progress. Raises EnvironmentFailed, InvalidRequirements.
        """
        wish = setting.recipe.wish
        if wish is None:
            return setting
        wish = chosen(await self._with_recorded(pod, wish, setting), setting.environment)
        wanted = await self.environments.choose(wish)
        if wanted is None:
            return setting
        await self.environments.ready(wanted, tell)
        directory = self.environments.builder.path(wanted)
        how = replace(setting.recipe, keeper=housed(setting.recipe.keeper, wanted, directory))
        variables = dict(setting.environment)
        if variables["PATH"] == self.path:  # else it is the container's own choice
            variables["PATH"] = f"{directory / 'bin'}:{self.path}"
        return replace(setting, recipe=how, environment=variables)

    async def _with_recorded(self, pod: Pod, wish: Wish, setting: Setting) -> Wish:
        any_version = pod.metadata.annotations.get(LIBRARY_VERSION) == "installed"
        directory = model_directory(setting.place(word) for word in setting.recipe.argv)
        if wish.library in LISTING and directory is not None:
            return replace(wish, listed=await asyncio.to_thread(listed, directory, pinned=not any_version))
        if wish.version or any_version or wish.library not in READERS or directory is None:
            return wish
        return replace(wish, recorded=await asyncio.to_thread(recorded, wish.library, directory))

    def launch(self, pod: Pod, container: Container, directory: PodDirectory, setting: Setting, attempt: int) -> Launch:
        """Everything but `failures`."""
        cwd = Path(setting.place(container.working_dir)) if container.working_dir else setting.root
        user = setting.bounds.user
        return Launch(
            id=f"{pod.metadata.uid}/{container.name}/{attempt}",
            directory=str(directory.container(container.name)),
            attempt=attempt,
            argv=[setting.place(word) for word in setting.recipe.argv],
            environment=setting.environment,
            cwd=str(cwd),
            entrypoint=setting.recipe.entrypoint,
            announces=setting.recipe.announces,
            title=f"{pod.metadata.name} {container.name}",
            no_new_privileges=container.security_context.get("allowPrivilegeEscalation") is False,
            uid=-1 if user is None else user.uid,
            gid=-1 if user is None else user.gid,
            groups=[] if user is None else list(user.groups),
            cgroups=list(setting.bounds.groups),
        )

    def target(self, container: Container, setting: Setting, place: Place) -> Target:
        """Where probes find the container."""
        ports = {one.name: one.container_port for one in container.ports if one.name}
        return Target(place.pod_ip, ports, setting.environment, setting.root, setting.place, setting.bounds)

    async def _hosts(self, pod: Pod, container: Container, texts: Iterable[str], place: Place) -> Hosts:
        namespace = pod.metadata.namespace
        services = await self.services.find(mentions(texts, namespace), namespace)
        return Hosts(namespace, services, place.pod_ip, neighbours(pod, container))

    async def _sources(self, pod: Pod, container: Container, place: Place) -> Sources:
        wanted, namespace = references(container), pod.metadata.namespace
        return Sources(
            config_maps=await self.lookups.config_map_texts(namespace, wanted.config_maps),
            secrets=await self.lookups.secret_texts(namespace, wanted.secrets),
            pod_ip=place.pod_ip,
            host_ip=place.host_ip,
            node=self.node,
        )

    def _base(self, pod: Pod, container: Container, place: Place, root: Path) -> dict[str, str]:
        port = container.ports[0].container_port if container.ports else _DEFAULT_PORT
        return {
            "PATH": self.path,
            "HOME": str(root),
            "HOSTNAME": pod.spec.hostname or pod.metadata.name,
            "LANG": "C.UTF-8",
            # Lines of a Python command are in the log when they are printed, as under a terminal.
            "PYTHONUNBUFFERED": "1",
            "POD_IP": place.pod_ip,
            "POD_NAME": pod.metadata.name,
            "POD_NAMESPACE": pod.metadata.namespace,
            "PORT": str(port),
        }


def told(how: Recipe, places: Mapping[str, str]) -> dict[str, str]:
    """Where the process is told that its mounts are: for another project's server where the links lead, since some of
    their libraries refuse what leads out of the directory that they are given (MLflow)."""
    foreign = how.wish is not None and not how.entrypoint
    return {path: str(_behind_links(Path(place))) if foreign else place for path, place in places.items()}


def _behind_links(place: Path) -> Path:
    """A model that is on this machine already is a directory of links to the files of another one: that one."""
    directory = place.resolve()
    entries = [*directory.iterdir()] if directory.is_dir() else []
    homes = {one.readlink().parent if one.is_symlink() else directory for one in entries}
    same_names = all(one.is_symlink() and one.readlink().name == one.name for one in entries)
    return homes.pop() if len(homes) == 1 and same_names else directory


def threads(container: Container) -> dict[str, str]:
    """Variables that keep a command's pools of threads within its CPU limit; none without one."""
    limit = container.resources.limits.get("cpu")
    return {} if limit is None else dict.fromkeys(_THREADS, str(max(1, ceil(amount(str(limit))))))
