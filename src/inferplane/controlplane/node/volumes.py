"""Volumes as directories of the pod, and mounts as links to them below the container's root.

`prepare` makes a pod's volumes; `mount` gives a container its `root` and says which path of the container is where on
this machine. Processes see the machine's file system: paths in args and env are rewritten (`environment.relocate`),
`readOnly` is not enforced. Files of ConfigMap volumes follow the ConfigMap (`config_maps`); those of Secrets and of
projected volumes are those of the container's start.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.node import tokens
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import ConfigError, Sources, expand, field_value, resource_value
from inferplane.controlplane.node.lookups import Lookups
from inferplane.controlplane.node.tokens import Tokens
from inferplane.resources.core import (
    Container,
    DownwardApiVolume,
    HostPathVolume,
    KeyToPath,
    Pod,
    ProjectedVolume,
    Volume,
)


class MountError(ConfigError):
    """A volume can't be set up; the kubelet's event reason is FailedMount."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """`claims`: the directory that holds a claim's files as NAMESPACE/CLAIM."""

    lookups: Lookups
    claims: Path
    tokens: Tokens

    async def prepare(
        self, pod: Pod, names: Iterable[str], directory: PodDirectory, sources: Sources
    ) -> dict[str, Path]:
        """Where each named volume is. Raises MountError."""
        wanted = set(names)
        found = {one.name: one for one in pod.spec.volumes}
        if missing := wanted - found.keys():
            raise MountError(f"volumeMounts name volumes that the pod does not have: {', '.join(sorted(missing))}")
        return {name: await self._place(pod, found[name], directory.volume(name), sources) for name in sorted(wanted)}

    async def _place(self, pod: Pod, volume: Volume, directory: Path, sources: Sources) -> Path:
        if volume.host_path is not None:
            return _host_path(volume.name, volume.host_path)
        if volume.persistent_volume_claim is not None:
            return await self._claim(pod.metadata.namespace, volume.persistent_volume_claim.claim_name)
        _made(directory)
        for path, content, mode in await self._files(pod, volume, sources):
            _write(directory, path, content, mode)
        for one in volume.projected.sources if volume.projected is not None else []:
            if one.service_account_token is not None:
                self.tokens.keep(directory / one.service_account_token.path, pod, one.service_account_token)
        return directory

    async def _claim(self, namespace: str, claim: str) -> Path:
        path = await self.lookups.claim_path(namespace, claim)
        if path is None:
            raise MountError(f'persistentvolumeclaim "{claim}" not found')
        if path:
            return _existing(f'persistentvolumeclaim "{claim}"', Path(path))
        return _made(self.claims / namespace / claim)

    async def _files(self, pod: Pod, volume: Volume, sources: Sources) -> "list[_File]":
        if volume.empty_dir is not None:
            return []
        namespace = pod.metadata.namespace
        if (config := volume.config_map) is not None:
            data = await self.lookups.config_map(namespace, config.name)
            return chosen("configmap", config.name, data, config.items, config.default_mode, config.optional)
        if (secret := volume.secret) is not None:
            data = await self.lookups.secret(namespace, secret.secret_name)
            return chosen("secret", secret.secret_name, data, secret.items, secret.default_mode, secret.optional)
        if volume.downward_api is not None:
            return _downward(pod, volume.downward_api, sources)
        if volume.projected is not None:
            return await self._projected(pod, volume.projected, sources)
        raise MountError(
            f"volume {volume.name!r} is of a type that this node does not support; it has emptyDir, configMap, secret, "
            "hostPath, persistentVolumeClaim, downwardAPI and projected"
        )

    async def _projected(self, pod: Pod, volume: ProjectedVolume, sources: Sources) -> "list[_File]":
        files: list[_File] = []
        for one in volume.sources:
            if (config := one.config_map) is not None:
                data = await self.lookups.config_map(pod.metadata.namespace, config.name)
                files += chosen("configmap", config.name, data, config.items, volume.default_mode, config.optional)
            elif (secret := one.secret) is not None:
                data = await self.lookups.secret(pod.metadata.namespace, secret.name)
                files += chosen("secret", secret.name, data, secret.items, volume.default_mode, secret.optional)
            elif one.downward_api is not None:
                files += _downward(pod, one.downward_api, sources)
            elif (token := one.service_account_token) is not None:
                files.append((token.path, await self.tokens.fetch(pod, token), tokens.MODE))
        return files


def mount(container: Container, volumes: dict[str, Path], root: Path, variables: dict[str, str]) -> dict[str, str]:
    """Links each mount below `root`; returns mount path → where it is. Raises MountError."""
    places = {}
    # A mount below another one is put into that one's volume, as the kubelet makes mount points.
    for one in sorted(container.volume_mounts, key=lambda one: one.mount_path.count("/")):
        target = _below(volumes[one.name], expand(one.sub_path, variables)) if one.sub_path else volumes[one.name]
        if one.sub_path and not target.exists():
            target.mkdir(parents=True)
        link = _below(root, one.mount_path.lstrip("/"))
        _link(link, target)
        places[one.mount_path.rstrip("/")] = str(link)
    return places


_File = tuple[str, bytes, int]


def chosen(
    kind: str, name: str, data: dict[str, bytes] | None, items: list[KeyToPath], mode: int, optional: bool
) -> list[_File]:
    """(path, content, mode) of each file of a ConfigMap or a Secret. Raises MountError."""
    if data is None:
        if optional:
            return []
        raise MountError(f'{kind} "{name}" not found')
    if not items:
        return [(key, content, mode) for key, content in data.items()]
    if missing := [one.key for one in items if one.key not in data and not optional]:
        raise MountError(f"{kind} {name!r} has no key {missing[0]!r}")
    return [(one.path, data[one.key], mode if one.mode is None else one.mode) for one in items if one.key in data]


def _downward(pod: Pod, volume: DownwardApiVolume, sources: Sources) -> list[_File]:
    files = []
    for one in volume.items:
        if one.field_ref is not None:
            value = field_value(pod, one.field_ref.field_path, sources)
        elif (resource := one.resource_field_ref) is not None:
            container = next(
                (each for each in pod.spec.containers if each.name == resource.container_name), pod.spec.containers[0]
            )
            value = resource_value(container, resource.resource, resource.divisor, sources)
        else:
            continue
        files.append((one.path, value.encode(), volume.default_mode))
    return files


def _host_path(name: str, volume: HostPathVolume) -> Path:
    path = Path(volume.path)
    match volume.type:
        case "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        case "FileOrCreate":
            path.touch()
        case "":
            return path
    return _existing(f"volume {name!r}: hostPath", path)


def _existing(what: str, path: Path) -> Path:
    if not path.exists():
        raise MountError(f"{what}: {path} does not exist on this machine")
    return path


def _below(directory: Path, relative: str) -> Path:
    path = directory / relative
    if ".." in Path(relative).parts or not path.is_relative_to(directory):
        raise MountError(f"path {relative!r} must stay below its volume: it is absolute or has '..' in it")
    return path


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _write(directory: Path, relative: str, content: bytes, mode: int) -> None:
    path = _below(directory, relative)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokens.replace_file(path, content, mode)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        if link.readlink() == target:
            return
        link.unlink()
    elif link.is_dir() and not any(link.iterdir()):
        link.rmdir()
    os.symlink(target, link)
