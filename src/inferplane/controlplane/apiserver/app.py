"""The API server as an ASGI application: authentication, the few fixed documents, and everything else by `routing`.

    app = await create_app(store, token="…", clock=SystemClock())
    …
    await app.close()

Any refusal is a Status. A client that leaves ends its watch.
"""

import asyncio
import logging
import platform
from collections.abc import AsyncGenerator, Callable, Iterable, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from inferplane import __version__
from inferplane.controlplane.apiserver import access, discovery, errors, negotiation, paths, routing, streams, tokens
from inferplane.controlplane.apiserver.access import Gate
from inferplane.controlplane.apiserver.answers import plain
from inferplane.controlplane.apiserver.calls import ADMIN, Answer, Call, Stream, User
from inferplane.controlplane.apiserver.core import Core
from inferplane.controlplane.apiserver.documents import Documents
from inferplane.controlplane.apiserver.errors import StatusError
from inferplane.controlplane.apiserver.kinds import BUILT_IN
from inferplane.controlplane.apiserver.lifecycle import Background
from inferplane.controlplane.apiserver.logs import LogSource
from inferplane.controlplane.apiserver.names import Names, RandomNames
from inferplane.controlplane.apiserver.negotiation import PLAIN, Form, Wanted
from inferplane.controlplane.apiserver.paths import Target
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.controlplane.apiserver.storage import Storage
from inferplane.controlplane.apiserver.store.log import StoreError
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.controlplane.apiserver.streams import NodeStreams
from inferplane.controlplane.apiserver.usage import UsageSource
from inferplane.controlplane.apiserver.websockets import Receive, Scope, Send, WebSocket
from inferplane.kernel.clock import Clock
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

logger = logging.getLogger(__name__)

LARGEST_BODY = 3 * 1024 * 1024
KUBERNETES = ("1", "36")
TEXT = "text/plain; charset=utf-8"
NOT_FOUND = Answer(404, b"404 page not found\n", TEXT)
OK = Answer(200, b"ok", TEXT)
DISCOVERY = frozenset({Form.DISCOVERY})


class ClientGone(InferplaneError):
    """The client closed the connection before its request was complete."""


async def create_app(
    store: Store,
    *,
    token: str,
    clock: Clock,
    logs: LogSource | None = None,
    usage: UsageSource | None = None,
    pod_streams: NodeStreams | None = None,
    names: Names | None = None,
    metrics: Callable[[], bytes] | None = None,
) -> "App":
    """The application over an open store, with its background work started. `token` is what clients must show.

    `metrics` is what `/metrics` answers, in Prometheus' text format.
    """
    key = tokens.signing_key(token)
    core = Core(
        Storage(store), Registry(BUILT_IN), clock, names or RandomNames(), logs, usage, key, streams=pod_streams
    )
    background = Background(core)
    await background.start()
    return App(core, background, Gate(token), metrics)


class App:
    """One API server."""

    def __init__(
        self, core: Core, background: Background, gate: Gate, metrics: Callable[[], bytes] | None = None
    ) -> None:
        self.core = core
        self._background = background
        self._gate = gate
        self._metrics = metrics
        self._documents = Documents(core.registry)

    def end_watches(self) -> None:
        """So that a server that stops needs not wait for them."""
        self.core.storage.store.end_watches()

    async def close(self) -> None:
        """Ends the background work, all watches and the store."""
        await self._background.close()
        await self.core.storage.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            await self._converse(scope, headers, WebSocket(scope, receive, send))
        elif scope["type"] == "http":
            await self._serve(scope, headers, receive, send)
        else:
            raise InferplaneError(f"the API server speaks HTTP, not {scope['type']}")

    async def _serve(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, headers, receive)
        except ClientGone:
            return
        if isinstance(answer, Stream):
            await _send_stream(answer, receive, send)
        else:
            await _send(answer, send)

    async def _converse(self, scope: Scope, headers: dict[str, str], client: WebSocket) -> None:
        """A WebSocket: a stream into a Pod, or a refusal of the handshake."""
        if not await client.begun():
            return
        try:
            user = self._gate.user(self.core, scope["path"], headers.get("authorization", ""))
            if user is None:
                raise errors.unauthorized()
            target = paths.parse(scope["path"])
            if target is None or target.subresource not in streams.SUBRESOURCES:
                raise errors.bad_request("a WebSocket leads to the exec, attach or portforward of a Pod")
            query = _query(scope["query_string"])
            call = replace(await self._call("GET", target, query, headers, _nothing), user=user)
            access.check(call)
            await streams.converse(self.core, call, query, client)
        except StatusError as error:
            await client.refuse(plain(PLAIN, error.body(), error.code))

    async def exchange(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> Answer | Stream:
        """The answer to a request of the administrator's that came on no wire. Names of headers are in lower case."""

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body}

        scope = {"method": method, "path": path, "query_string": query.encode("latin-1")}
        return await self._answer(scope, headers, receive, ADMIN)

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive, user: User | None = None
    ) -> Answer | Stream:
        """`user`: who is known to ask."""
        wanted = PLAIN
        try:
            user = user or self._gate.user(self.core, scope["path"], headers.get("authorization", ""))
            if user is None:
                raise errors.unauthorized()
            wanted = _medium(headers)
            return await self._route(scope, headers, receive, user)
        except StatusError as error:
            return plain(wanted, error.body(), error.code)
        except StoreError as error:
            logger.error("store failed", extra={"path": scope["path"], "why": error.message, "fix": error.fix})
            return plain(wanted, errors.internal_error(f"{error.message}; {error.fix}").body(), 500)
        except ClientGone:
            raise
        except Exception:
            # The one boundary where an unforeseen error must become an answer: the server goes on.
            logger.exception("request failed", extra={"method": scope["method"], "path": scope["path"]})
            return plain(wanted, errors.internal("internal error; the server's log says more").body(), 500)

    async def _route(self, scope: Scope, headers: dict[str, str], receive: Receive, user: User) -> Answer | Stream:
        method, path = scope["method"], scope["path"]
        query = _query(scope["query_string"])
        if path.startswith("/openapi/"):
            return _only_get(method) or await self._openapi(path, dict(query), headers)
        fixed = self._fixed(method, path, headers, scope)
        if fixed is not None:
            return fixed
        target = paths.parse(path)
        if target is None or not self._serves(target.group):
            return NOT_FOUND
        if not target.plural:
            return self._resources(method, target, headers)
        call = replace(await self._call(method, target, query, headers, receive), user=user)
        access.check(call)
        return await routing.handler(call, target)(self.core, call)

    async def _call(
        self, method: str, target: Target, query: list[tuple[str, str]], headers: dict[str, str], receive: Receive
    ) -> Call:
        kind = routing.kind_of(self.core.registry, target)
        wanted = PLAIN
        if target.subresource != "log":
            # A list asked for as PartialObjectMetadata is refused with its own words, so the offer is let through.
            wanted = negotiation.negotiate(headers.get("accept", ""), routing.forms(method, target))
        return Call(
            method=method,
            kind=kind,
            namespace=target.namespace,
            name=target.name,
            subresource=target.subresource,
            query=_first(query),
            dry_run_values=tuple(value for name, value in query if name == "dryRun" and value),
            content_type=headers.get("content-type", ""),
            user_agent=headers.get("user-agent", ""),
            body=await _body(receive) if method != "GET" else b"",
            wanted=wanted,
        )

    def _serves(self, group: str) -> bool:
        return not group or self.core.registry.has_group(group)

    def _fixed(self, method: str, path: str, headers: dict[str, str], scope: Scope) -> Answer | None:
        """Paths that are not resources."""
        path = path.rstrip("/")
        first = path.split("/", 2)[1] if path else ""
        if first in ("healthz", "livez", "readyz"):
            return _only_get(method) or OK
        if path == "/metrics" and self._metrics is not None:
            return _only_get(method) or Answer(200, self._metrics(), "text/plain; version=0.0.4; charset=utf-8")
        if path == "/version":
            return _only_get(method) or plain(PLAIN, version())
        if path in ("/api", "/apis"):
            return _only_get(method) or self._groups(path, headers, scope)
        return self._group(method, path)

    async def _openapi(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Answer:
        found = await self._documents.find(
            path.rstrip("/"), headers.get("accept", ""), query.get("hash", ""), headers.get("if-none-match", "")
        )
        return found or NOT_FOUND

    def _groups(self, path: str, headers: dict[str, str], scope: Scope) -> Answer:
        wanted = negotiation.negotiate(headers.get("accept", ""), DISCOVERY)
        registry = self.core.registry
        if wanted.form is Form.DISCOVERY:
            shown = plain(wanted, discovery.aggregated(registry, path == "/api", wanted.version))
            return Answer(200, shown.body, wanted.content_type)
        if path == "/apis":
            return plain(wanted, discovery.group_list(registry))
        host, port = scope.get("server") or ("localhost", None)
        return plain(wanted, discovery.core_versions(f"{host}:{port}"))

    def _group(self, method: str, path: str) -> Answer | None:
        parts = path.split("/")
        if len(parts) != 3 or parts[1] != "apis":
            return None
        found = discovery.group(self.core.registry, parts[2])
        return _only_get(method) or (plain(PLAIN, found) if found else NOT_FOUND)

    def _resources(self, method: str, target: Target, headers: dict[str, str]) -> Answer:
        wanted = negotiation.negotiate(headers.get("accept", ""), frozenset())
        found = discovery.resource_list(self.core.registry, target.group, target.version)
        if found is None:
            raise errors.no_such_resource()
        return _only_get(method) or plain(wanted, found)


def version() -> JsonObject:
    """`/version`: the Kubernetes version whose API this is, and our own."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    major, minor = KUBERNETES
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.0+inferplane-{__version__}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": platform.python_implementation(),
        "platform": f"{platform.system().lower()}/{machine}",
    }


def _only_get(method: str) -> Answer | None:
    return None if method in ("GET", "HEAD") else plain(PLAIN, errors.method_not_allowed().body(), 405)


def _medium(headers: dict[str, str]) -> Wanted:
    """The medium of a refusal: YAML if that is what was asked for first, else JSON."""
    first = headers.get("accept", "").split(",", 1)[0].split(";", 1)[0].strip()
    return Wanted(media=negotiation.Media.YAML) if first == negotiation.Media.YAML else PLAIN


def _query(text: bytes) -> list[tuple[str, str]]:
    return parse_qsl(text.decode("latin-1"), keep_blank_values=True)


def _first(query: list[tuple[str, str]]) -> dict[str, str]:
    """The first value of each parameter."""
    found: dict[str, str] = {}
    for name, value in query:
        found.setdefault(name, value)
    return found


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("the client went away")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_BODY:
            text = f"Request entity too large: limit is {LARGEST_BODY}"
            raise StatusError(413, "RequestEntityTooLarge", text)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _nothing() -> MutableMapping[str, Any]:
    """The body of a request that has none."""
    return {"type": "http.request"}


async def _send(answer: Answer, send: Send) -> None:
    own = [(b"content-length", str(len(answer.body)).encode())]
    await send(_start(answer.status, answer.content_type, answer.headers, own))
    await send({"type": "http.response.body", "body": answer.body})


def _start(
    status: int, content_type: str, headers: Iterable[tuple[str, str]], own: Iterable[tuple[bytes, bytes]] = ()
) -> MutableMapping[str, Any]:
    given = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers]
    listed = [(b"content-type", content_type.encode()), *own, *given]
    if not any(name == b"cache-control" for name, _ in given):
        listed.append((b"cache-control", b"no-cache, private"))
    return {"type": "http.response.start", "status": status, "headers": listed}


async def _send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Sends chunks until they end or the client leaves."""
    await send(_start(stream.status, stream.content_type, ()))
    # An empty part makes the server send the headers now; the first event may be long in coming.
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    sending = asyncio.create_task(_send_chunks(stream, send))
    leaving = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        sending.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
        if isinstance(stream.chunks, AsyncGenerator):
            await stream.chunks.aclose()
    if not sending.cancelled() and (error := sending.exception()) is not None:
        logger.error("stream failed", exc_info=error)


async def _send_chunks(stream: Stream, send: Send) -> None:
    async for chunk in stream.chunks:
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
