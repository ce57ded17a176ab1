"""What fetching a model depends on in the cluster, watched: ServiceAccounts, Secrets, ClusterStorageContainers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.machinery.cache import Cache, Key
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.serving.fetching import Stores
from inferplane.resources.core import Secret, ServiceAccount
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer


@dataclass(frozen=True, slots=True)
class StoreCaches:
    accounts: Cache[ServiceAccount]
    secrets: Cache[Secret]
    containers: Cache[ClusterStorageContainer]

    @classmethod
    def of(cls, informers: Informers) -> "StoreCaches":
        return cls(
            informers.cache(kinds.SERVICE_ACCOUNT, ServiceAccount),
            informers.cache(kinds.SECRET, Secret),
            informers.cache(kinds.CLUSTER_STORAGE_CONTAINER, ClusterStorageContainer),
        )

    def stores(self, namespace: str) -> Stores:
        """Containers by name: an API server lists them so."""
        return Stores(
            accounts={one.metadata.name: one for one in self.accounts.list(namespace)},
            secrets={one.metadata.name: one for one in self.secrets.list(namespace)},
            containers=sorted(self.containers.list(), key=lambda one: one.metadata.name),
        )

    def watch(self, controller: Controller, services: Callable[[str], Iterable[Key]]) -> None:
        """`services` gives the keys of a namespace's InferenceServices, of all for ""."""
        # Not only those that use it: it may be what another one is waiting for.
        controller.watch(self.accounts, lambda one: services(one.metadata.namespace))
        controller.watch(self.secrets, lambda one: services(one.metadata.namespace))
        controller.watch(self.containers, lambda one: services(""))
