"""Whom a container runs as, when the platform runs as root and was started with `--unprivileged-pods` (who: pure).

Each pod has a user and a group of its own, by its address, so no two pods of this machine share one. What the pod's or
the container's securityContext says goes before: runAsUser, runAsGroup, supplementalGroups, fsGroup. Every container is
in its pod's own group, which is how all of them reach the pod's directories and nobody else does.

The storage initializer is a part of the platform and stays what that is: it writes into the cache that all pods share.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inferplane.controlplane.node.directories import PodDirectory
from inferplane.controlplane.node.environment import ConfigError
from inferplane.resources.core import Container, Opaque, Pod

# Past what systemd gives to containers and what distributions give to users' name spaces; 2^24 addresses fit.
_FIRST = 0x70000000
_TRUSTED = "inferplane.assembly.storage_initializer"
# Files that come later belong to the group, too.
_READABLE, _WRITABLE = 0o2750, 0o2770


@dataclass(frozen=True, slots=True)
class User:
    """Numbers of a user, its group and its further groups. `pod`: the pod's own group."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    pod: int

    @property
    def volumes(self) -> int:
        """The group that volumes belong to: fsGroup is the first of the further ones."""
        return self.groups[0]


def user_of(pod: Pod, container: Container, address: str, entrypoint: str) -> User | None:
    """None: the platform's own. `entrypoint` is that of our own code in the container, "" for a command.

    Raises ConfigError for a number that isn't one.
    """
    if entrypoint.partition(":")[0] == _TRUSTED:
        return None
    own = own_id(address)
    whole, single = pod.spec.security_context, container.security_context
    uid = _number(single, "runAsUser", _number(whole, "runAsUser", own))
    gid = _number(single, "runAsGroup", _number(whole, "runAsGroup", own))
    further = whole.get("supplementalGroups")
    others = [one for one in further if isinstance(one, int)] if isinstance(further, list) else []
    groups = dict.fromkeys([_number(whole, "fsGroup", own), own, *others])
    return User(uid, gid, tuple(groups), own)


def own_id(address: str) -> int:
    """The number of the pod's own user and group, from its address in 127.0.0.0/8."""
    _, network, high, low = (int(part) for part in address.split("."))
    return _FIRST + (network << 16 | high << 8 | low)


def _number(context: Opaque, name: str, default: int) -> int:
    value = context.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise ConfigError(f"securityContext.{name}: expected a number of a user or group, got {value!r}")
    return value


def admit(user: User, pod: Pod, directory: PodDirectory, root: Path, termination: Path, volumes: Iterable[str]) -> None:
    """Lets the user into the pod's directory: its root and its termination log are its own, volumes its group's.

    Volumes outside of the pod's directory (claims, host paths) stay as they are.
    """
    os.chown(directory.root, -1, user.pod)
    directory.root.chmod(0o710)
    os.chown(root, user.uid, user.gid)
    termination.touch(mode=0o600)
    os.chown(termination, user.uid, user.gid)
    empty = {one.name for one in pod.spec.volumes if one.empty_dir is not None}
    for name in volumes:
        if (volume := directory.volume(name)).is_dir():
            _give(volume, user.volumes, writable=name in empty)


def _give(volume: Path, group: int, *, writable: bool) -> None:
    """emptyDirs are there to be written, the others (Secrets, say) to be read."""
    os.chown(volume, -1, group)
    volume.chmod(_WRITABLE if writable else _READABLE)
    for parent, directories, files in os.walk(volume):
        for path in (Path(parent, name) for name in [*directories, *files]):
            if path.is_symlink():
                continue
            mode = path.stat().st_mode
            # A file that everybody may read stays: a model's are links to those of the cache, which others have too.
            if stat.S_ISDIR(mode) or not mode & stat.S_IROTH:
                os.chown(path, -1, group)
                path.chmod(stat.S_IMODE(mode) | (0o2050 if stat.S_ISDIR(mode) else 0o040))
