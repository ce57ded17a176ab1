import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from inferplane.client.kubernetes.api import (
    AlreadyExists,
    ApiError,
    Conflict,
    EventType,
    Gone,
    Invalid,
    NotFound,
    PatchType,
    Propagation,
    ServerUnreachable,
)
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, NODE, POD
from inferplane.client.kubernetes.kubeconfig import Connection
from inferplane.client.kubernetes.rest import path_of
from inferplane.kernel.json import Json, JsonObject

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Peer:
    """A server that answers as told and remembers what it was asked."""

    answer: Answer
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: Json = None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs))
        self.headers = dict(request.headers)
        text = await request.read()
        self.body = orjson.loads(text) if text else None
        return await self.answer(request)


@pytest.fixture
async def peer() -> Peer:
    return Peer(answering({}))


@pytest.fixture
async def api(peer: Peer) -> AsyncIterator[HttpApi]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", peer.serve)
    async with (
        TestServer(app) as server,
        HttpApi(Connection(server=str(server.make_url("")).rstrip("/"), token="secret")) as api,
    ):
        yield api


def answering(body: Json, status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return answer


def status(code: int, reason: str, message: str = "m") -> JsonObject:
    return {"kind": "Status", "code": code, "reason": reason, "message": message, "details": {"name": "a"}}


def test_paths_of_core_grouped_and_cluster_wide_kinds() -> None:
    assert path_of(POD, "default", "a", "log") == "/api/v1/namespaces/default/pods/a/log"
    assert path_of(DEPLOYMENT, "default") == "/apis/apps/v1/namespaces/default/deployments"
    assert path_of(POD) == "/api/v1/pods"
    assert path_of(NODE, "ignored", "n") == "/api/v1/nodes/n"


async def test_get_sends_the_token_and_returns_the_object(peer: Peer, api: HttpApi) -> None:
    peer.answer = answering({"kind": "ConfigMap"})
    assert await api.get(CONFIG_MAP, "a", "default") == {"kind": "ConfigMap"}
    assert peer.asked == [("GET", "/api/v1/namespaces/default/configmaps/a")]
    assert peer.headers["Authorization"] == "Bearer secret"


async def test_a_list_follows_its_pages_and_gives_items_their_kind(peer: Peer, api: HttpApi) -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        first = "continue" not in request.query
        metadata = {"resourceVersion": "7"} | ({"continue": "next"} if first else {})
        return web.json_response({"metadata": metadata, "items": [{"metadata": {"name": "a" if first else "b"}}]})

    peer.answer = pages
    found = await api.list(CONFIG_MAP, "default", labels="app=x")
    assert found.resource_version == "7"
    assert found.items == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}},
    ]
    assert [query for _, query in peer.asked] == [
        "/api/v1/namespaces/default/configmaps?labelSelector=app%3Dx&limit=500",
        "/api/v1/namespaces/default/configmaps?labelSelector=app%3Dx&limit=500&continue=next",
    ]


async def test_a_list_whose_continue_token_expired_starts_again_without_pages(peer: Peer, api: HttpApi) -> None:
    async def pages(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return web.json_response(status(410, "Expired"), status=410)
        token = {"continue": "old"} if "limit" in request.query else {}
        return web.json_response({"metadata": {"resourceVersion": "9"} | token, "items": []})

    peer.answer = pages
    assert (await api.list(CONFIG_MAP)).resource_version == "9"
    assert len(peer.asked) == 3


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Gone),
        (422, "Invalid", Invalid),
        (403, "Forbidden", ApiError),
    ],
)
async def test_a_status_answer_becomes_its_error(
    peer: Peer, api: HttpApi, code: int, reason: str, kind: type[ApiError]
) -> None:
    peer.answer = answering(status(code, reason, "configmaps a"), code)
    with pytest.raises(ApiError, match="configmaps a") as raised:
        await api.get(CONFIG_MAP, "a", "default")
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.reason, raised.value.details) == (code, reason, {"name": "a"})


async def test_an_error_that_is_no_status_keeps_its_text(peer: Peer, api: HttpApi) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>\nbad gateway</html>")

    peer.answer = answer
    with pytest.raises(ApiError, match="HTTP 502: <html> bad gateway</html>") as raised:
        await api.get(CONFIG_MAP, "a", "default")
    assert raised.value.reason == "BadGateway"


async def test_a_success_that_is_not_json_is_an_error(peer: Peer, api: HttpApi) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text="hello")

    peer.answer = answer
    with pytest.raises(ApiError, match="expected a JSON object, got 'hello'"):
        await api.get(CONFIG_MAP, "a", "default")


async def test_apply_names_its_manager_and_fills_in_the_kind(peer: Peer, api: HttpApi) -> None:
    await api.apply(DEPLOYMENT, {"metadata": {"name": "a"}}, "default", manager="me", subresource="status")
    assert peer.asked == [("PATCH", "/apis/apps/v1/namespaces/default/deployments/a/status?fieldManager=me&force=true")]
    assert peer.headers["Content-Type"] == "application/apply-patch+yaml"
    assert peer.body == {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}


async def test_patch_and_delete_say_what_kind_and_on_which_condition(peer: Peer, api: HttpApi) -> None:
    await api.patch(CONFIG_MAP, "a", [{"op": "remove", "path": "/data"}], "default", type=PatchType.JSON)
    assert peer.headers["Content-Type"] == "application/json-patch+json"
    await api.delete(CONFIG_MAP, "a", "default", propagation=Propagation.FOREGROUND, uid="u", grace_seconds=0)
    assert peer.body == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u"},
        "gracePeriodSeconds": 0,
    }


def streaming(*chunks: bytes) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        return response

    return answer


async def test_a_watch_yields_events_whatever_the_chunks_and_ends_with_the_stream(peer: Peer, api: HttpApi) -> None:
    long = b'{"type":"ADDED","object":{"data":"' + b"x" * 300_000 + b'"}}\n'
    peer.answer = streaming(b'{"type":"ADDED","obj', b'ect":{"n":1}}\n{"type":"BOOKMARK","object":{}}\n', long)
    events = [event async for event in api.watch(CONFIG_MAP, "default", since="5")]
    assert [event.type for event in events] == [EventType.ADDED, EventType.BOOKMARK, EventType.ADDED]
    assert (events[0].object, len(str(events[2].object["data"]))) == ({"n": 1}, 300_000)
    assert peer.asked[0][1].endswith(
        "/configmaps?watch=true&resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=300"
    )


async def test_a_watch_from_a_compacted_version_is_gone(peer: Peer, api: HttpApi) -> None:
    peer.answer = streaming(orjson.dumps({"type": "ERROR", "object": status(410, "Expired", "too old")}) + b"\n")
    with pytest.raises(Gone, match="too old"):
        await anext(aiter(api.watch(CONFIG_MAP, since="1")))


async def test_logs_come_as_they_are_written(peer: Peer, api: HttpApi) -> None:
    peer.answer = streaming(b"one\n", b"two\n")
    text = b"".join([chunk async for chunk in api.logs("a", "default", container="c", follow=True, tail=0)])
    assert text == b"one\ntwo\n"
    assert peer.asked[0][1] == "/api/v1/namespaces/default/pods/a/log?container=c&follow=true&tailLines=0"


async def test_discovery_lists_each_kind_in_its_preferred_version_without_subresources(
    peer: Peer, api: HttpApi
) -> None:
    documents: dict[str, Json] = {
        "/apis": {
            "groups": [
                {"preferredVersion": {"groupVersion": "apps/v1"}},
                {"preferredVersion": {"groupVersion": "gone.example.com/v1"}},
            ]
        },
        "/api/v1": {
            "groupVersion": "v1",
            "resources": [
                {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]},
                {"name": "pods/log", "kind": "Pod", "namespaced": True, "verbs": ["get"]},
                {"name": "nodes", "kind": "Node", "namespaced": False, "verbs": ["get"]},
            ],
        },
        "/apis/apps/v1": {
            "groupVersion": "apps/v1",
            "resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True, "verbs": ["get"]}],
        },
    }

    async def answer(request: web.Request) -> web.StreamResponse:
        found = documents.get(request.path)
        return web.json_response(found, status=200 if found else 404)

    peer.answer = answer
    served = await api.served()
    assert [one.resource for one in served] == [POD, NODE, DEPLOYMENT]
    assert served[0].verbs == {"get", "list"}


async def test_nobody_listening_is_server_unreachable() -> None:
    async with HttpApi(Connection(server="http://127.0.0.1:9")) as api:
        with pytest.raises(ServerUnreachable, match=r"^http://127.0.0.1:9: GET /api/v1/pods: "):
            await api.list(POD)


async def test_a_server_that_says_nothing_is_given_up_after_the_timeout(peer: Peer, api: HttpApi) -> None:
    async def silent(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    peer.answer = silent
    async with HttpApi(Connection(server=api.server), timeout=0.05) as hasty:
        with pytest.raises(ServerUnreachable, match="no answer in time"):
            await hasty.list(POD)


async def test_a_watch_whose_server_dies_is_server_unreachable(peer: Peer, api: HttpApi) -> None:
    async def dying(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{}}\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    peer.answer = dying
    with pytest.raises(ServerUnreachable, match=r"broke off the connection|reset"):
        async for _ in api.watch(POD, since="1"):
            pass


async def test_leaving_a_watch_early_closes_its_connection(peer: Peer, api: HttpApi) -> None:
    closed = asyncio.Event()

    async def forever(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b'{"type":"ADDED","object":{}}\n')
            await asyncio.Event().wait()
        finally:
            closed.set()
        return response

    peer.answer = forever
    async with aclosing(api.watch(POD, since="1")) as events:
        await anext(events)
    async with asyncio.timeout(5):
        await closed.wait()
