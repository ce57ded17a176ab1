"""An `Api` that shows the answers to its writes to the caches, so that a controller reads its own writes.

Without it a reconcile that runs before its watch has caught up would see the world before its last step and do that
step again; Kubernetes' controllers keep "expectations" for the same reason. Deletions are not shown: their answer does
not say when the object is gone.
"""

from collections.abc import AsyncGenerator, Callable

from inferplane.client.kubernetes.api import Api, ObjectList, PatchType, Propagation, Resource, WatchEvent
from inferplane.kernel.json import Json, JsonObject


class SeenWrites:
    def __init__(self, api: Api, saw: Callable[[Resource, JsonObject], None]) -> None:
        self._api = api
        self._saw = saw

    async def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject:
        return await self._api.get(resource, name, namespace)

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> ObjectList:
        return await self._api.list(resource, namespace, labels=labels, fields=fields)

    def watch(
        self, resource: Resource, namespace: str = "", *, since: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        return self._api.watch(resource, namespace, since=since, labels=labels, fields=fields)

    async def create(self, resource: Resource, body: JsonObject, namespace: str = "") -> JsonObject:
        return self._seen(resource, await self._api.create(resource, body, namespace))

    async def update(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, subresource: str = ""
    ) -> JsonObject:
        return self._seen(resource, await self._api.update(resource, body, namespace, subresource=subresource))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json,
        namespace: str = "",
        *,
        type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> JsonObject:
        answer = await self._api.patch(resource, name, patch, namespace, type=type, subresource=subresource)
        return self._seen(resource, answer)

    async def apply(
        self,
        resource: Resource,
        body: JsonObject,
        namespace: str = "",
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> JsonObject:
        answer = await self._api.apply(resource, body, namespace, manager=manager, force=force, subresource=subresource)
        return self._seen(resource, answer)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: Propagation | None = None,
        uid: str = "",
        grace_seconds: int | None = None,
    ) -> None:
        await self._api.delete(resource, name, namespace, propagation=propagation, uid=uid, grace_seconds=grace_seconds)

    async def subresource(
        self, resource: Resource, name: str, subresource: str, body: JsonObject, namespace: str = ""
    ) -> JsonObject:
        return await self._api.subresource(resource, name, subresource, body, namespace)

    def logs(
        self,
        name: str,
        namespace: str,
        *,
        container: str = "",
        follow: bool = False,
        previous: bool = False,
        tail: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        return self._api.logs(
            name,
            namespace,
            container=container,
            follow=follow,
            previous=previous,
            tail=tail,
            since_seconds=since_seconds,
            timestamps=timestamps,
        )

    def _seen(self, resource: Resource, answer: JsonObject) -> JsonObject:
        # The answer of a subresource may be of another kind (a Scale, a Status), and an update that removed the last
        # finalizer answers with an object that is gone by now.
        if answer.get("kind") == resource.kind and not _gone(answer):
            self._saw(resource, answer)
        return answer


def _gone(answer: JsonObject) -> bool:
    metadata = answer.get("metadata")
    return isinstance(metadata, dict) and "deletionTimestamp" in metadata and not metadata.get("finalizers")
