"""Keeps the files of ConfigMap volumes as the ConfigMaps are now, as a kubelet does; each file changes in one step.

By the pods that are bound here and their directories, so that a node which takes up a former one's pods goes on.
Nothing is watched before the first pod has such a volume.
"""

import asyncio
import logging
import os
import stat
from pathlib import Path

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import ConfigError
from inferplane.controlplane.node.lookups import contents
from inferplane.controlplane.node.tokens import replace_file
from inferplane.controlplane.node.volumes import chosen
from inferplane.resources.core import ConfigMap, Pod, Volume

log = logging.getLogger(__name__)

_BY_CONFIG_MAP = "config map"


class ConfigMapFiles:
    def __init__(self, informers: Informers, bound: Cache[Pod], root: Path) -> None:
        """`root` holds the pods' directories."""
        self._informers = informers
        self._bound = bound
        self._root = root
        self._cache: Cache[ConfigMap] | None = None
        self._dirty: dict[Key, None] = {}
        self._task: asyncio.Task[None] | None = None
        bound.add_index(_BY_CONFIG_MAP, lambda pod: map(str, _keys(pod)))
        bound.on_change(self._pod_changed)

    def _pod_changed(self, _: Pod | None, pod: Pod | None) -> None:
        keys = _keys(pod) if pod is not None else []
        if keys and self._cache is None:
            self._cache = self._informers.cache(kinds.CONFIG_MAP, ConfigMap)
            self._cache.on_change(self._changed)
        for key in keys:
            # Also because its volumes may have been made meanwhile, of what the ConfigMap was a moment before.
            self._mark(key)

    def _changed(self, _: ConfigMap | None, found: ConfigMap | None) -> None:
        if found is not None:
            key = Key(found.metadata.namespace, found.metadata.name)
            if self._bound.matching(_BY_CONFIG_MAP, str(key)):
                self._mark(key)

    def _mark(self, key: Key) -> None:
        self._dirty[key] = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work(), name="config maps")

    async def _work(self) -> None:
        """One after the other, each as it is by then: an older content never comes after a newer one."""
        while self._dirty and self._cache is not None:
            key = next(iter(self._dirty))
            del self._dirty[key]
            found = self._cache.get(key)
            if found is None:
                continue  # of one that is gone the files stay, as a kubelet leaves them
            for pod in self._bound.matching(_BY_CONFIG_MAP, str(key)):
                await self._refresh(pod, found)

    async def _refresh(self, pod: Pod, found: ConfigMap) -> None:
        for volume in pod.spec.volumes:
            if volume.config_map is not None and volume.config_map.name == found.metadata.name:
                directory = PodDirectory(self._root / pod.metadata.uid).volume(volume.name)
                try:
                    await asyncio.to_thread(refresh, directory, volume, found)
                except (ConfigError, OSError) as error:
                    log.warning("volume %s of pod %s stays as it is: %s", volume.name, pod.metadata.name, error)


def refresh(directory: Path, volume: Volume, found: ConfigMap) -> None:
    """Makes the files below `directory` those of the ConfigMap; nothing for a volume that was never set up.

    Raises MountError for a key that is missing, OSError.
    """
    config = volume.config_map
    if config is None or not directory.is_dir():
        return
    files = chosen("configmap", config.name, contents(found), config.items, config.default_mode, config.optional)
    for relative, content, mode in files:
        _write(directory / relative, content, mode)
    wanted = {directory / relative for relative, _, _ in files}
    for path in [path for path in directory.rglob("*") if path.is_file() and path not in wanted]:
        path.unlink()


def _write(path: Path, content: bytes, mode: int) -> None:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, mode)
        return
    if path.read_bytes() == content:
        return
    # Owner and mode may have been opened to the pod's own group (`users`).
    status = path.stat()
    replace_file(path, content, stat.S_IMODE(status.st_mode))
    if path.stat().st_gid != status.st_gid:
        os.chown(path, -1, status.st_gid)


def _keys(pod: Pod) -> list[Key]:
    space = pod.metadata.namespace
    return [Key(space, volume.config_map.name) for volume in pod.spec.volumes if volume.config_map is not None]
