"""The Kubernetes API over the wire: `api.Api` on aiohttp.

A `kubeconfig.Connection` goes in. Connections are kept and used again; a watch holds one for itself. Every answer that
is not a success becomes a typed ApiError (`statuses`), every failure of the network a ServerUnreachable.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
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
    ServerUnreachable,
    WatchEvent,
)
from inferplane.client.kubernetes.discovery import Served, group_versions
from inferplane.client.kubernetes.kinds import POD
from inferplane.client.kubernetes.kubeconfig import Connection
from inferplane.client.kubernetes.statuses import error_of, error_of_response
from inferplane.client.kubernetes.tls import tls_context
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_PAGE = 500
# The server ends a watch after this long and the caller opens the next one; a connection that died without a word is
# noticed a little later.
_WATCH_SECONDS = 300
_TOKEN_SECONDS = 60.0

Query = Mapping[str, str]


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The REST path of a collection, an object or its subresource."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    return (
        f"{root}{scope}/{resource.plural}" + (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
    )


class HttpApi:
    """Implements `api.Api` and `discovery.Discovery`. Use as `async with HttpApi(connection) as api`."""

    def __init__(self, connection: Connection, *, user_agent: str = "inferplane", timeout: float = 30.0) -> None:
        self.server = connection.server
        self._token = _Token(connection)
        self._tls = tls_context(connection)
        self._tls_server_name = connection.tls_server_name or None
        self._user_agent = user_agent
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

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
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=_WATCH_SECONDS + 30)
        async with self._open("GET", path_of(resource, namespace), query=query, timeout=timeout) as response:
            async for line in _lines(response.content):
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
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout)
        async with self._open("GET", path_of(POD, namespace, name, "log"), query=query, timeout=timeout) as response:
            async for chunk in response.content.iter_any():
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
        self, method: str, path: str, body: Json = None, *, query: Query | None = None, content_type: str = _JSON
    ) -> JsonObject:
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with self._open(method, path, body, query=query, content_type=content_type, timeout=timeout) as response:
            text = await response.read()
        return _object(text)

    @asynccontextmanager
    async def _open(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        timeout: aiohttp.ClientTimeout,
        query: Query | None = None,
        content_type: str = _JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request, up to a good status. Errors of the network inside the block are mapped as well."""
        try:
            async with self._connected().request(
                method,
                self.server + path,
                params=query,
                data=None if body is None else orjson.dumps(body),
                headers=self._headers(content_type if body is not None else ""),
                timeout=timeout,
                server_hostname=self._tls_server_name,
            ) as response:
                if response.status >= 400:
                    raise error_of_response(response.status, await response.read())
                yield response
        except aiohttp.ClientConnectorCertificateError as error:
            raise ServerUnreachable(
                f"{self.server}: its certificate is not trusted: {error.certificate_error}",
                fix="the kubeconfig's certificate-authority-data must be the server's CA",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ServerUnreachable(f"{self.server}: {method} {path}: {_words(error)}") from error

    def _headers(self, content_type: str) -> dict[str, str]:
        headers = {"Accept": _JSON, "User-Agent": self._user_agent}
        if content_type:
            headers["Content-Type"] = content_type
        token = self._token.read()
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit: each watch keeps a connection, and a limit would let them starve the writes.
            connector = aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=60, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._session


class _Token:
    """The bearer token; one from a file is read again every minute, as client-go does."""

    def __init__(self, connection: Connection) -> None:
        self._token = connection.token
        self._file = connection.token_file
        self._read_at = float("-inf")

    def read(self) -> str:
        if self._file is not None:
            now = asyncio.get_running_loop().time()
            if now - self._read_at > _TOKEN_SECONDS:
                self._token, self._read_at = self._file.read_text().strip(), now
        return self._token


async def _lines(stream: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Whole lines of a stream, of any length (the reader's own `readline` refuses long ones)."""
    rest = bytearray()
    async for chunk in stream.iter_any():
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


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        return "the server broke off the connection"
    return " ".join(str(error).split()) or type(error).__name__
