"""The Kubernetes API as requests: which path, query and body each verb is, and what its answer says.

`RestApi` implements `api.Api` and `discovery.Discovery` over two ways to send: `http.HttpApi` has a network, the API
server's own process needs none (`controlplane.apiserver.local`). What is sent is the same.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing

import orjson

from inferplane.client.kubernetes.api import (
    ApiError,
    EventType,
    Gone,
    NotFound,
    ObjectList,
    PatchType,
    Propagation,
    Resource,
    WatchEvent,
)
from inferplane.client.kubernetes.discovery import Served, group_versions
from inferplane.client.kubernetes.kinds import POD
from inferplane.client.kubernetes.statuses import error_of
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

JSON = "application/json"
WATCH_SECONDS = 300
"""The server ends a watch after this long and the caller opens the next one; a connection that died without a word is
noticed a little later."""

_APPLY = "application/apply-patch+yaml"
_PAGE = 500

Query = Mapping[str, str]


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The REST path of a collection, an object or its subresource."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    return (
        f"{root}{scope}/{resource.plural}" + (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
    )


class RestApi(ABC):
    """The verbs. A way to send is a subclass: one whole answer, or one that comes in chunks."""

    @abstractmethod
    async def _answer(self, method: str, path: str, body: bytes | None, query: Query, content_type: str) -> bytes:
        """The body of a good answer. Raises ApiError and ServerUnreachable."""

    @abstractmethod
    def _chunks(self, path: str, query: Query, *, silence: float | None = None) -> AsyncGenerator[bytes, None]:
        """GET, as it comes. `silence`: seconds without a byte that mean that nobody is there any more.

        Raises ApiError and ServerUnreachable.
        """

    async def get(self, resource: Resource, name: str, namespace: str = "") -> JsonObject:
        return await self._json("GET", path_of(resource, namespace, name))

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> ObjectList:
        query = _selectors(labels, fields)
        try:
            return await self._pages(resource, namespace, query | {"limit": str(_PAGE)})
        except Gone:
            # The continue token outlived the versions that it stands for: one answer with everything can't expire.
            return await self._pages(resource, namespace, query)

    async def _pages(self, resource: Resource, namespace: str, query: dict[str, str]) -> ObjectList:
        items: list[JsonObject] = []
        token = ""
        while True:
            page = await self._json(
                "GET", path_of(resource, namespace), query=query | ({"continue": token} if token else {})
            )
            items += [_named(resource, one) for one in list_at(page, "items") if isinstance(one, dict)]
            token = text_at(page, "metadata", "continue")
            if not token:
                return ObjectList(items, text_at(page, "metadata", "resourceVersion"))

    async def watch(
        self, resource: Resource, namespace: str = "", *, since: str, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[WatchEvent, None]:
        query = _selectors(labels, fields) | {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        chunks = self._chunks(path_of(resource, namespace), query, silence=WATCH_SECONDS + 30)
        async with aclosing(chunks), aclosing(_lines(chunks)) as lines:
            async for line in lines:
                yield _watch_event(line)

    async def create(self, resource: Resource, body: JsonObject, namespace: str = "") -> JsonObject:
        return await self._json("POST", path_of(resource, namespace), _typed(resource, body))

    async def update(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, subresource: str = ""
    ) -> JsonObject:
        path = path_of(resource, namespace, text_at(body, "metadata", "name"), subresource)
        return await self._json("PUT", path, _typed(resource, body))

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
        path = path_of(resource, namespace, name, subresource)
        return await self._json("PATCH", path, patch, content_type=type.value)

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
        path = path_of(resource, namespace, text_at(body, "metadata", "name"), subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._json("PATCH", path, _typed(resource, body), query=query, content_type=_APPLY)

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
        options: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if propagation is not None:
            options["propagationPolicy"] = propagation.value
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        await self._json("DELETE", path_of(resource, namespace, name), options)

    async def subresource(
        self, resource: Resource, name: str, subresource: str, body: JsonObject, namespace: str = ""
    ) -> JsonObject:
        return await self._json("POST", path_of(resource, namespace, name, subresource), body)

    async def logs(
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
        query = {"container": container} if container else {}
        query |= {k: "true" for k, v in {"follow": follow, "previous": previous, "timestamps": timestamps}.items() if v}
        query |= {k: str(v) for k, v in {"tailLines": tail, "sinceSeconds": since_seconds}.items() if v is not None}
        async with aclosing(self._chunks(path_of(POD, namespace, name, "log"), query)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def served(self) -> Sequence[Served]:
        groups = await self._json("GET", "/apis")
        paths = ["/api/v1", *(f"/apis/{one}" for one in group_versions(groups))]
        documents = await asyncio.gather(*(self._group(path) for path in paths))
        found: dict[tuple[str, str], Served] = {}
        for served in (served for document in documents for served in _served(document)):
            # A kind in several versions is the same objects: the first, preferred one stands for it.
            found.setdefault((served.resource.group, served.resource.plural), served)
        return list(found.values())

    async def _group(self, path: str) -> JsonObject:
        try:
            return await self._json("GET", path)
        except NotFound:
            # Its last kind was removed since the groups were listed.
            return {}

    async def raw(self, path: str) -> JsonObject:
        """GET of any path that answers with a JSON object, such as `/version`."""
        return await self._json("GET", path)

    async def _json(
        self, method: str, path: str, body: Json = None, *, query: Query | None = None, content_type: str = JSON
    ) -> JsonObject:
        sent = None if body is None else orjson.dumps(body)
        return _object(await self._answer(method, path, sent, query or {}, content_type if sent is not None else ""))


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Whole lines, of any length."""
    rest = bytearray()
    async for chunk in chunks:
        rest += chunk
        *whole, last = rest.split(b"\n")
        for line in whole:
            if line:
                yield bytes(line)
        rest = last


def _object(text: bytes) -> JsonObject:
    try:
        found: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        start = text[:80].decode(errors="replace")
        raise ApiError(200, "InternalError", f"the server's answer: expected a JSON object, got {start!r}")
    return found


def _watch_event(line: bytes) -> WatchEvent:
    event = _object(line)
    if event.get("type") == "ERROR":
        raise error_of(object_at(event, "object"))
    return WatchEvent(EventType(text_at(event, "type")), object_at(event, "object"))


def _typed(resource: Resource, body: JsonObject) -> JsonObject:
    return {"apiVersion": resource.api_version, "kind": resource.kind} | body


def _named(resource: Resource, item: JsonObject) -> JsonObject:
    """Items of built-in lists come without their kind."""
    return item if "kind" in item else _typed(resource, item)


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {k: v for k, v in {"labelSelector": labels, "fieldSelector": fields}.items() if v}


def _objects(document: JsonObject, key: str) -> list[JsonObject]:
    return [one for one in list_at(document, key) if isinstance(one, dict)]


def _served(document: JsonObject) -> list[Served]:
    group, _, version = text_at(document, "groupVersion").rpartition("/")
    return [
        Served(
            Resource(group, version, plural, text_at(one, "kind"), namespaced=one.get("namespaced") is True),
            frozenset(verb for verb in list_at(one, "verbs") if isinstance(verb, str)),
        )
        for one in _objects(document, "resources")
        if "/" not in (plural := text_at(one, "name"))
    ]
