"""What rendering leaves open about storage, filled in from the cluster: credentials, storage spec, container.

A plan and the objects of the cluster that matter go in; the plan comes out with each pod's storage initializer
complete, and its logger where that writes to a store, or blocked with the reason. As KServe's webhook does it, this
looks at pods: it is the same for every mode. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inferplane.controlplane.serving import agents, credentials, multimodel, names, storagecontainers, storagespec
from inferplane.controlplane.serving.credentials import Given, StorageRefused
from inferplane.controlplane.serving.plan import Canary, Part, Plan, invalid
from inferplane.controlplane.serving.ports import entry_container
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources import strategic
from inferplane.resources.core import Secret, ServiceAccount
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.inferenceservice import PredictorSpec, StorageSpec
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer

_LOGGERS_ACCOUNT = "logger-sa"


@dataclass(frozen=True, slots=True)
class Stores:
    """By name, those of the service's namespace; `containers` of the cluster, in the order in which they are asked."""

    accounts: Mapping[str, ServiceAccount]
    secrets: Mapping[str, Secret]
    containers: Sequence[ClusterStorageContainer] = ()


def completed(todo: Plan, stores: Stores) -> Plan:
    """A canary that cannot be fetched for holds up nobody else."""
    if todo.blocked is not None:
        return todo
    try:
        parts = tuple(_part(one, todo, stores) for one in todo.parts)
    except StorageRefused as error:
        return replace(invalid(todo, str(error)), parts=(), canaries=(), ingress=())
    return replace(todo, parts=parts, canaries=tuple(_canary(one, todo, stores) for one in todo.canaries))


def _canary(canary: Canary, todo: Plan, stores: Stores) -> Canary:
    try:
        return replace(canary, parts=tuple(_part(one, todo, stores) for one in canary.parts))
    except StorageRefused as error:
        return Canary(canary.share, problem=str(error))


def _part(part: Part, todo: Plan, stores: Stores) -> Part:
    return replace(part, objects=tuple(_object(one, part, todo, stores) for one in part.objects))


def _object(desired: Desired, part: Part, todo: Plan, stores: Stores) -> Desired:
    """Of what has no pods nothing changes."""
    template = object_at(desired.body, "spec", "template")
    pod = object_at(template, "spec")
    whole = _pulled(_logged(pod, part, todo, stores), template, todo, stores) if pod else pod
    whole = _fetched(whole, template, part, todo, stores)
    if whole == pod:
        return desired
    spec = object_at(desired.body, "spec") | {"template": template | {"spec": whole}}
    return replace(desired, body=desired.body | {"spec": spec})


def _logged(pod: JsonObject, part: Part, todo: Plan, stores: Stores) -> JsonObject:
    """Credentials of the pod's account, and of the logger's own, for whoever writes the log. Raises StorageRefused."""
    logger = part.component.spec.logger
    if logger is None or logger.storage is None:
        return pod
    writer = agents.CONTAINER if agents.in_front(pod) else text_at(entry_container(pod), "name")
    own = text_at(pod, "serviceAccountName") or "default"
    given = Given()
    for account in (own, logger.storage.service_account_name or _LOGGERS_ACCOUNT):
        given += credentials.of_account(stores.accounts.get(account), "", stores.secrets, todo.config.credentials)
    containers: list[Json] = [
        _with(one, given) if one.get("name") == writer else one for one in _containers(pod, "containers")
    ]
    have = {text_at(one, "name") for one in _containers(pod, "volumes")}
    volumes = [*list_at(pod, "volumes"), *(one for one in given.volumes if one["name"] not in have)]
    return pod | {"containers": containers} | ({"volumes": volumes} if volumes else {})


def _pulled(pod: JsonObject, template: JsonObject, todo: Plan, stores: Stores) -> JsonObject:
    """Credentials of the pod's account, or those that are named, for whoever pulls models. Raises StorageRefused."""
    if not any(multimodel.pulls(one) for one in _containers(pod, "containers")):
        return pod
    settings = todo.config.credentials
    chosen = text_at(template, "metadata", "annotations", settings.storage_secret_name_annotation)
    account = stores.accounts.get(text_at(pod, "serviceAccountName") or "default")
    given = credentials.of_account(account, chosen, stores.secrets, settings)
    given = credentials.with_authorities(given, todo.config.storage_initializer, todo.isvc.metadata.namespace)
    containers: list[Json] = [
        _with(one, given) if multimodel.pulls(one) else one for one in _containers(pod, "containers")
    ]
    volumes: list[Json] = [*list_at(pod, "volumes"), *given.volumes]
    return pod | {"containers": containers, "volumes": volumes}


def _fetched(pod: JsonObject, template: JsonObject, part: Part, todo: Plan, stores: Stores) -> JsonObject:
    initializer = next((one for one in _containers(pod, "initContainers") if _is_initializer(one)), None)
    if initializer is None or not list_at(initializer, "args"):
        return pod  # none, or one of the user's own
    ask = _Ask(
        pod=pod,
        annotations=object_at(template, "metadata", "annotations"),
        namespace=todo.isvc.metadata.namespace,
        spec=part.component.spec if isinstance(part.component.spec, PredictorSpec) else None,
        config=todo.config,
        stores=stores,
    )
    return ask.pod_with(initializer)


@dataclass(frozen=True, slots=True)
class _Ask:
    pod: JsonObject
    annotations: JsonObject
    namespace: str
    spec: PredictorSpec | None
    config: Config
    stores: Stores

    def pod_with(self, initializer: JsonObject) -> JsonObject:
        """The pod with its initializer complete. Raises StorageRefused."""
        arguments = [str(word) for word in list_at(initializer, "args")]
        given, arguments = self._given(arguments)
        given = credentials.with_authorities(given, self.config.storage_initializer, self.namespace)
        whole = _with(initializer, given) | {"args": [*arguments]}
        chosen = storagecontainers.chosen(self._sources(arguments), self._container_name(), self.stores.containers)
        if chosen is not None:
            whole = strategic.merged(whole, chosen, strategic.CONTAINER) | {"name": names.STORAGE_INITIALIZER}
        others: list[Json] = [whole if _is_initializer(one) else one for one in _containers(self.pod, "initContainers")]
        have = {text_at(one, "name") for one in _containers(self.pod, "volumes")}
        more = [one for one in given.volumes if one["name"] not in have]
        volumes: list[Json] = [*list_at(self.pod, "volumes"), *more]
        return self.pod | {"initContainers": others, "volumes": volumes}

    def _given(self, arguments: list[str]) -> tuple[Given, list[str]]:
        settings = self.config.credentials
        chosen = str(self.annotations.get(settings.storage_secret_name_annotation) or "")
        asked = self._storage_spec()
        if asked is None or not arguments[0].startswith(storagespec.PLACEHOLDER):
            account = self.stores.accounts.get(text_at(self.pod, "serviceAccountName") or "default")
            return credentials.of_account(account, chosen, self.stores.secrets, settings), arguments
        name = chosen or settings.storage_spec_secret_name
        found = storagespec.located(asked, name, self.stores.secrets.get(name))
        return found.given, [found.uri, *arguments[1:]]

    def _storage_spec(self) -> StorageSpec | None:
        return self.spec.model.storage if self.spec is not None and self.spec.model is not None else None

    def _container_name(self) -> str:
        return (self.spec.storage_container_name if self.spec is not None else None) or ""

    @staticmethod
    def _sources(arguments: Sequence[str]) -> Sequence[str]:
        return arguments[::2]


def _with(container: JsonObject, given: Given) -> JsonObject:
    """The container's own variables come before those that are given: a user's choice stays."""
    have = {text_at(one, "name") for one in list_at(container, "env") if isinstance(one, dict)}
    env: list[Json] = [*list_at(container, "env"), *(one for one in given.env if one["name"] not in have)]
    mounts: list[Json] = [*list_at(container, "volumeMounts"), *given.mounts]
    return container | {"env": env, "volumeMounts": mounts}


def _containers(pod: JsonObject, which: str) -> list[JsonObject]:
    return [one for one in list_at(pod, which) if isinstance(one, dict)]


def _is_initializer(container: JsonObject) -> bool:
    return container.get("name") == names.STORAGE_INITIALIZER
