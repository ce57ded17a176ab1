"""Writes what a controller owns, and only when it differs from what it wrote last.

What was applied is remembered by digest together with the generation that came of it. A restarted controller therefore
applies each object once more, which changes nothing on the server; an idle one writes nothing.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes.api import Api, NotFound, Resource
from inferplane.client.kubernetes.kinds import DEPLOYMENT
from inferplane.controlplane.machinery.cache import Key
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import JsonObject, list_at, object_at
from inferplane.resources.meta import ObjectMeta


@dataclass(frozen=True, slots=True)
class _Applied:
    digest: bytes
    uid: str
    version: str


class Applier:
    """For one field manager. Objects are remembered until they are removed or seen gone."""

    def __init__(self, api: Api, manager: str) -> None:
        self._api = api
        self._manager = manager
        self._applied: dict[tuple[Resource, Key], _Applied] = {}

    async def apply(self, desired: Desired, live: ObjectMeta | None) -> None:
        """`live` is the object's metadata in the cache, None when there is none."""
        key = _key(desired)
        digest = hashlib.blake2b(msgspec.json.encode(desired.body, order="sorted"), digest_size=16).digest()
        before = self._applied.get(key)
        if live is not None and before == _Applied(digest, live.uid, _version(live)) and _covers(live, desired.body):
            return
        if live is not None and desired.resource == DEPLOYMENT and "replicas" not in object_at(desired.body, "spec"):
            await self._hand_over(desired.name, key[1].namespace)
        answer = await self._api.apply(desired.resource, desired.body, key[1].namespace, manager=self._manager)
        meta = msgspec.convert(object_at(answer, "metadata"), ObjectMeta)
        self._applied[key] = _Applied(digest, meta.uid, _version(meta))

    async def _hand_over(self, name: str, namespace: str) -> None:
        """Keeps the number of replicas that we set so far for whoever scales the Deployment from now on.

        A field that its only manager leaves out is removed, and so would fall back to one replica.
        """
        stored = await self._api.get(DEPLOYMENT, name, namespace)
        if not _owns_replicas(stored, self._manager):
            return
        body: JsonObject = {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"replicas": object_at(stored, "spec").get("replicas")},
        }
        await self._api.apply(DEPLOYMENT, body, namespace, manager=f"{self._manager}-replicas")

    async def remove(self, resource: Resource, live: ObjectMeta) -> None:
        """The uid guards against removing an object of the same name that somebody made meanwhile."""
        self._applied.pop((resource, Key(live.namespace, live.name)), None)
        if live.deleting:
            return
        try:
            await self._api.delete(resource, live.name, live.namespace, uid=live.uid)
        except NotFound:
            return

    def forget(self, resource: Resource, key: Key) -> None:
        self._applied.pop((resource, key), None)


def _key(desired: Desired) -> tuple[Resource, Key]:
    meta = object_at(desired.body, "metadata")
    return desired.resource, Key(str(meta["namespace"]), str(meta["name"]))


def _owns_replicas(stored: JsonObject, manager: str) -> bool:
    mine = [
        one
        for one in list_at(stored, "metadata", "managedFields")
        if isinstance(one, dict) and (one.get("manager"), one.get("operation")) == (manager, "Apply")
    ]
    return any("f:replicas" in object_at(one, "fieldsV1", "f:spec") for one in mine)


def _version(meta: ObjectMeta) -> str:
    """Changes whenever somebody changes the spec. Kinds without a generation (Services) hardly change otherwise."""
    return str(meta.generation or f"resource version {meta.resource_version}")


def _covers(live: ObjectMeta, body: JsonObject) -> bool:
    """Labels and annotations can change without a new generation."""
    meta = object_at(body, "metadata")
    wanted = object_at(meta, "labels").items(), object_at(meta, "annotations").items()
    return wanted[0] <= live.labels.items() and wanted[1] <= live.annotations.items()
