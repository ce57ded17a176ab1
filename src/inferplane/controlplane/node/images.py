"""How a container becomes a process: its own command, else the table of process images, else not at all (pure).

An image in the table may stand in for commands of programs that only a container has: those it names, where the machine
has no such program.

A container engine is the third way of the design and is not supported yet; the message says so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from inferplane.controlplane.node.environments.choose import Environment, Wish
from inferplane.controlplane.node.keepers import IN_ENVIRONMENT, KeeperSpec
from inferplane.controlplane.node.programs import Present, nowhere
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.core import Container, EnvVar
from inferplane.resources.process_image import ProcessImage, find, version_of

PLAIN = KeeperSpec("plain")


class ImageNotRunnable(InferplaneError):
    """No way to run the container here; the text is the waiting state's message."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`argv` holds arguments for an `entrypoint`, else the command, before expansion. `env` is the image's own.

    `wish` is what the process needs of its Python environment, None for a command of the container's own.
    """

    keeper: KeeperSpec
    argv: tuple[str, ...]
    entrypoint: str = ""
    env: tuple[EnvVar, ...] = ()
    announces: bool = False
    wish: Wish | None = None


def recipe(container: Container, images: Sequence[ProcessImage], has: Present = nowhere) -> Recipe:
    """`has` tells which programs the machine has. Raises ImageNotRunnable."""
    image = find(images, container.image)
    if container.command and not (image is not None and stands_in(image, container.command[0], has)):
        return Recipe(PLAIN, (*container.command, *container.args))
    if image is None:
        raise ImageNotRunnable(
            f"image {container.image!r} is not in the table of process images",
            fix="give the container a `command` that runs on this machine, or add a ProcessImage for it "
            "(kubectl get processimages shows those there are); running images in a container engine "
            "is not supported yet",
        )
    spec = image.spec
    return Recipe(
        keeper=zygote(image) if spec.entrypoint else PLAIN,
        argv=(*spec.command, *spec.args, *container.command[1:], *container.args),
        entrypoint=spec.entrypoint,
        env=tuple(spec.env),
        announces=spec.announces_readiness,
        wish=wish(image, container.image),
    )


def stands_in(image: ProcessImage, command: str, has: Present) -> bool:
    """Whether what the image is here runs in place of a container's own command: of one that the machine has not."""
    return PurePosixPath(command).name in image.spec.stands_in_for and not has(command)


def wish(image: ProcessImage, name: str) -> Wish:
    """`name` is the container's image, whose tag may choose the library's version."""
    spec = image.spec
    return Wish(
        requirements=tuple(spec.requirements),
        library=spec.library,
        companions=tuple(spec.companions),
        choices=tuple(spec.choices),
        program=spec.program,
        version=version_of(name) if spec.library else "",
        ours=bool(spec.entrypoint),
    )


def housed(spec: KeeperSpec, environment: Environment, directory: Path) -> KeeperSpec:
    """The keeper of the same name's modules in an environment of its own."""
    if not environment.ours:
        return spec  # what is executed finds its interpreter by itself
    digest = hashlib.sha256("\n".join(spec.preload).encode()).hexdigest()[:8]
    name = f"{IN_ENVIRONMENT}{environment.digest}-{digest}"
    return replace(spec, name=name, python=str(directory / "bin" / "python"))


def environment_of(keeper: str) -> str:
    """The digest of the environment that a keeper of that name runs in; "" for the platform's own."""
    return keeper.removeprefix(IN_ENVIRONMENT).partition("-")[0] if keeper.startswith(IN_ENVIRONMENT) else ""


def zygote(image: ProcessImage) -> KeeperSpec:
    """The keeper of an image with an entry point. A changed list of modules makes it another keeper.

    Its name is part of a socket's address, which must be short (unix(7): 108 bytes in all).
    """
    digest = hashlib.sha256("\n".join(image.spec.preload).encode()).hexdigest()[:8]
    return KeeperSpec(f"{image.metadata.name[:20]}-{digest}", tuple(image.spec.preload))


def zygotes(images: Sequence[ProcessImage]) -> list[KeeperSpec]:
    return [zygote(image) for image in images if image.spec.entrypoint]


def ahead(images: Sequence[ProcessImage], prewarm: Sequence[str] | None = None) -> list[KeeperSpec]:
    """The zygotes that start with the node. The others take memory only where a pod needs them.

    `prewarm` names model servers: by format (`xgboost`), ProcessImage (`kserve-xgbserver`), image (`xgbserver`) or
    library (`xgboost-cpu`); `all` are all. None: those that the table does not call `onDemand`.
    """
    if prewarm is None:
        return zygotes([image for image in images if not image.spec.on_demand])
    return zygotes([image for image in images if _is_asked_for(image, prewarm)])


def _is_asked_for(image: ProcessImage, prewarm: Sequence[str]) -> bool:
    spec = image.spec
    if not spec.library:
        return not spec.on_demand  # no model server: what fetches models for all of them
    formats = {one.removeprefix("--format=") for one in spec.args}
    names = {image.metadata.name, spec.library, *formats, *(one.rpartition("/")[2] for one in spec.images)}
    return "all" in prewarm or not names.isdisjoint(prewarm)


def install_hint(recipe: Recipe, error: str) -> str:
    """The message of a container whose libraries could not be imported."""
    if recipe.wish is None or not recipe.wish.requirements:
        return error
    packages = " ".join(f"'{one}'" for one in recipe.wish.requirements)
    return f"{error}; install what the image needs: pip install {packages}"
