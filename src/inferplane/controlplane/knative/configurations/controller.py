"""The Configuration controller: makes the revision of each new template, says which is ready, deletes old ones."""

from collections.abc import Sequence

import msgspec

from inferplane.client.kubernetes.api import AlreadyExists, ApiError, Conflict, NotFound
from inferplane.client.kubernetes.kinds import KNATIVE_CONFIGURATION, KNATIVE_REVISION
from inferplane.controlplane.knative.configurations import garbage, plan, status
from inferplane.controlplane.knative.marks import MANAGER
from inferplane.controlplane.knative.settings import Settings
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.machinery.children import Children
from inferplane.controlplane.machinery.controller import Controller, Result
from inferplane.controlplane.machinery.events import EventKind, Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import controller_key, key_of_meta, object_reference
from inferplane.controlplane.machinery.progress import Progress
from inferplane.kernel.clock import Clock, timestamp
from inferplane.resources.conditions import READY, copied
from inferplane.resources.knative import Configuration, ConfigurationStatus, Revision

_BY_OWNER = "controller"
_REFUSED = 400


class ConfigurationController:
    def __init__(
        self, informers: Informers, settings: Settings, recorder: Recorder, clock: Clock, patience: float = 0.0
    ) -> None:
        self._progress = Progress(clock, patience)
        self._api = informers.api
        self._children = Children(informers.api, MANAGER)
        self._settings = settings
        self._recorder = recorder
        self._clock = clock
        self._configurations = informers.cache(KNATIVE_CONFIGURATION, Configuration)
        self._revisions = informers.cache(KNATIVE_REVISION, Revision)
        self._revisions.add_index(_BY_OWNER, _owner_uids)
        self.controller = Controller("knative configuration", self.reconcile, clock=clock)
        self.controller.watch(self._configurations, lambda one: [key_of_meta(one.metadata)])
        self.controller.watch(self._revisions, lambda one: controller_key(one.metadata, KNATIVE_CONFIGURATION))
        settings.on_change(self._all_again)

    def _all_again(self) -> None:
        for one in self._configurations.list():
            self.controller.enqueue(key_of_meta(one.metadata))

    async def reconcile(self, key: Key) -> Result | None:
        configuration = self._configurations.get(key)
        if configuration is None or configuration.metadata.deleting:
            self._progress.forget(key)
            return None
        made = await self._next_status(configuration)
        # By the name of its revision others find what they do for it.
        is_named = made.latest_created_revision_name == configuration.status.latest_created_revision_name
        if is_named and (left := self._progress.of_status(key, configuration.status, made)) > 0:
            return Result(left)
        if await self._children.write_status(KNATIVE_CONFIGURATION, configuration.metadata, configuration.status, made):
            self._tell(configuration, made)
        await self._collect(msgspec.structs.replace(configuration, status=made))
        return None

    async def _next_status(self, configuration: Configuration) -> ConfigurationStatus:
        now = timestamp(self._clock.now())
        name = plan.revision_name(configuration)
        created = self._revisions.get(Key(configuration.metadata.namespace, name))
        if created is None:
            try:
                created = await self._create(configuration, now)
            except _NotCreated as problem:
                self._say(configuration, "Warning", "CreationFailed", str(problem))
                return status.not_created(configuration, str(problem), now)
        elif not plan.belongs(created, configuration, self._settings.serving):
            return status.not_created(configuration, f'revision name "{name}" is taken by another Revision', now)
        return status.next_status(configuration, created, self._owned(configuration), now)

    async def _create(self, configuration: Configuration, now: str) -> Revision:
        """Raises _NotCreated when the template can't become a revision."""
        if found := plan.problems(configuration, self._settings.serving, self._settings.autoscaler):
            raise _NotCreated("; ".join(found))
        body = plan.revision(configuration, self._settings.serving, now)
        try:
            answer = await self._api.create(KNATIVE_REVISION, body, configuration.metadata.namespace)
        except AlreadyExists:
            # The cache is behind; the revision's own event brings this Configuration back.
            raise Conflict(409, "Conflict", "the revision exists already") from None
        except ApiError as error:
            if error.status >= _REFUSED and error.status < 500 and not isinstance(error, Conflict):
                raise _NotCreated(str(error)) from error
            raise
        made = msgspec.convert(answer, Revision)
        self._say(configuration, "Normal", "Created", f'Created Revision "{made.metadata.name}"')
        return made

    def _owned(self, configuration: Configuration) -> Sequence[Revision]:
        return self._revisions.matching(_BY_OWNER, configuration.metadata.uid)

    async def _collect(self, configuration: Configuration) -> None:
        owned = self._owned(configuration)
        uids = {one.metadata.name: one.metadata.uid for one in owned}
        for name in garbage.stale(configuration, owned, self._settings.serving.garbage, self._clock.now()):
            try:
                await self._api.delete(KNATIVE_REVISION, name, configuration.metadata.namespace, uid=uids[name])
            except NotFound:
                continue

    def _tell(self, before: Configuration, after: ConfigurationStatus) -> None:
        was, now = copied(before.status.conditions, READY), copied(after.conditions, READY)
        ready = after.latest_ready_revision_name
        if now.is_true and not before.status.latest_ready_revision_name:
            self._say(before, "Normal", "ConfigurationReady", "Configuration becomes ready")
        if ready != before.status.latest_ready_revision_name:
            self._say(before, "Normal", "LatestReadyUpdate", f'LatestReadyRevisionName updated to "{ready}"')
        if now.is_false and not was.is_false and after.latest_created_revision_name:
            name = after.latest_created_revision_name
            self._say(before, "Warning", "LatestCreatedFailed", f'Latest created revision "{name}" has failed')

    def _say(self, about: Configuration, kind: EventKind, reason: str, message: str) -> None:
        self._recorder.event(object_reference(KNATIVE_CONFIGURATION, about.metadata), kind, reason, message)


class _NotCreated(Exception):
    """The message says why."""


def _owner_uids(one: Revision) -> list[str]:
    owner = one.metadata.controller_of()
    return [owner.uid] if owner else []
