"""What holds a container in: its control groups (`cgroups`) and its user (`users`), as far as this machine has them."""

from collections.abc import Iterable
from dataclasses import dataclass

from inferplane.controlplane.node.cgroups import Cgroups, limits
from inferplane.controlplane.node.users import User, user_of
from inferplane.resources.core import Container, Pod


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one container. `user`: None for the platform's own; `groups`: files of control groups to join."""

    user: User | None = None
    groups: tuple[str, ...] = ()


FREE = Bounds()
"""The platform's own user, and no limits."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """`cgroups`: None where there are none. `users`: pods are unprivileged (the platform is root then)."""

    cgroups: Cgroups | None = None
    users: bool = False

    @property
    def held(self) -> frozenset[str]:
        """Which fields of containers are done: `users`, `cpu`."""
        return frozenset(({"users"} if self.users else set()) | ({"cpu"} if self.cgroups is not None else set()))

    def user(self, pod: Pod, container: Container, address: str, entrypoint: str) -> User | None:
        """Raises ConfigError."""
        return user_of(pod, container, address, entrypoint) if self.users else None

    def groups(self, pod: Pod, container: Container) -> tuple[str, ...]:
        """Made now, if need be. Raises OSError when the kernel refuses a limit."""
        if self.cgroups is None:
            return ()
        return tuple(self.cgroups.make(_group(pod.metadata.uid, container.name), limits(container)))

    def out_of_memory(self, pod: Pod, container: Container) -> bool:
        """Has the kernel killed a process of the container for its memory since it was started?"""
        return self.cgroups is not None and self.cgroups.out_of_memory(_group(pod.metadata.uid, container.name))

    def forget(self, pod: Pod, containers: Iterable[str]) -> None:
        """The pod's processes have ended."""
        if self.cgroups is not None:
            for name in containers:
                self.cgroups.remove(_group(pod.metadata.uid, name))

    def keep(self, containers: Iterable[tuple[str, str]]) -> None:
        """Removes the control groups of all others than these (the pod's uid and the container's name)."""
        if self.cgroups is not None:
            self.cgroups.tidy({_group(uid, name) for uid, name in containers})

    def close(self) -> None:
        """No container is left."""
        if self.cgroups is not None:
            self.cgroups.close()


NONE = Confinement()


def _group(uid: str, container: str) -> str:
    return f"{uid}.{container}"
