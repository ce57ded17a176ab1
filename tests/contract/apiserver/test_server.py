"""The server as clients meet it: TLS, authentication, watches that end, logs, and what is left after kill -9."""

import asyncio
import io
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.contract.apiserver.replaying import Target

from inferplane.controlplane.apiserver import lifecycle, pki
from inferplane.controlplane.apiserver.app import App, create_app
from inferplane.controlplane.apiserver.logs import LogRefused, NodeGone
from inferplane.controlplane.apiserver.server import Server, ServerError
from inferplane.controlplane.apiserver.store.events import Subscription
from inferplane.controlplane.apiserver.store.store import Store
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


@dataclass
class Client:
    """JSON in, JSON out, with the token of the server's own kubeconfig."""

    session: aiohttp.ClientSession
    app: App

    async def call(self, method: str, path: str, body: Json = None, media: str = "application/json") -> JsonObject:
        headers = {"content-type": media}
        data = None if body is None else io.BytesIO(json.dumps(body).encode())
        async with self.session.request(method, path, data=data, headers=headers) as response:
            answer: JsonObject = json.loads(await response.read())
            return answer


class Journal:
    """A node whose pods have said two things each, except for those named here."""

    async def stream(self, namespace: str, pod: str, container: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        if pod == "quiet":
            raise LogRefused(400, f'container "{container}" in pod "{pod}" is waiting to start')
        if pod == "lost":
            raise NodeGone("the node does not answer")
        yield f"{namespace}/{pod}/{container} ".encode()
        yield json.dumps(dict(query)).encode()


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Client]:
    clock = SystemClock()
    identity = pki.ensure(home / "pki", clock.now())
    store = await Store.open(home / "state.db", clock)
    app = await create_app(store, token=identity.token, clock=clock, logs=Journal())
    server = Server(app, certificate=identity.certificate, key=identity.key)
    await server.start()
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(identity.ca)), limit=0)
    headers = {"authorization": f"Bearer {identity.token}"}
    try:
        async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
            yield Client(session, app)
    finally:
        await server.stop()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path) as found:
        yield found


def named(name: str, **fields: Json) -> JsonObject:
    return {"metadata": {"name": name}, **fields}


async def test_a_stranger_is_told_nothing_but_health(client: Client) -> None:
    for token, path, status in (("wrong", MAPS, 401), ("", "/apis", 401), ("wrong", "/readyz", 200)):
        async with client.session.get(path, headers={"authorization": f"Bearer {token}"}) as response:
            assert response.status == status
            if status == 401:
                assert (await response.json())["reason"] == "Unauthorized"


async def test_the_first_namespaces_are_there(client: Client) -> None:
    found = await client.call("GET", "/api/v1/namespaces")
    names = {text_at(item, "metadata", "name") for item in list_at(found, "items") if isinstance(item, dict)}
    assert names == set(lifecycle.NAMESPACES)


async def test_a_port_that_is_taken_is_named(client: Client) -> None:
    port = client.session._base_url
    assert port is not None
    with pytest.raises(ServerError, match=f"127.0.0.1:{port.port}"):
        await Server(client.app, port=port.port or 0).start()


async def test_a_full_disk_is_an_error_that_says_so_and_reads_go_on(client: Client) -> None:
    database = client.app.core.storage.store._writer._db
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages + 8}")
    kept: list[str] = []
    while (answer := await client.call("POST", MAPS, named(f"m{len(kept)}", data={"a": "x" * 4000})))[
        "kind"
    ] != "Status":
        kept.append(f"m{len(kept)}")
    found = await client.call("GET", MAPS)
    database.execute("PRAGMA max_page_count = 1000000")
    again = await client.call("POST", MAPS, named("again"))
    assert (answer["code"], answer["reason"]) == (500, "InternalError")
    assert "database or disk is full; make room on the disk" in text_at(answer, "message")
    names = {text_at(one, "metadata", "name") for one in list_at(found, "items") if isinstance(one, dict)}
    assert set(kept) <= names
    assert again["kind"] == "ConfigMap"


async def test_a_watch_ends_when_the_server_is_about_to_stop(client: Client) -> None:
    async with client.session.get(f"{MAPS}?watch=true&resourceVersion=1") as response:
        client.app.end_watches()
        assert await asyncio.wait_for(response.read(), 5) == b""


async def test_a_watcher_that_leaves_is_forgotten(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    store, forgotten = client.app.core.storage.store, asyncio.Event()
    unsubscribe = store.unsubscribe

    def noted(subscription: Subscription) -> None:
        unsubscribe(subscription)
        forgotten.set()

    monkeypatch.setattr(store, "unsubscribe", noted)
    response = await client.session.get(f"{MAPS}?watch=true")
    assert not forgotten.is_set()
    response.close()
    await asyncio.wait_for(forgotten.wait(), 5)


async def test_who_watches_a_selector_sees_objects_come_and_leave(client: Client) -> None:
    merge = "application/merge-patch+json"
    async with client.session.get(f"{MAPS}?watch=true&labelSelector=shown&resourceVersion=1") as response:
        await client.call("POST", MAPS, named("c"))
        for labels in ({"shown": "1"}, {"shown": "2"}, {"shown": None}, {"other": "3"}):
            await client.call("PATCH", f"{MAPS}/c", {"metadata": {"labels": {**labels}}}, merge)
        await client.call("DELETE", f"{MAPS}/c")
        await client.call("POST", MAPS, {"metadata": {"name": "d", "labels": {"shown": "9"}}})
        events = [json.loads(await response.content.readline()) for _ in range(4)]
    told = [(event["type"], text_at(event["object"], "metadata", "labels", "shown")) for event in events]
    assert told == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2"), ("ADDED", "9")]
    versions = [int(text_at(event["object"], "metadata", "resourceVersion")) for event in events]
    assert versions == sorted(set(versions))


async def test_with_many_watchers_each_sees_every_change_once_and_in_order(client: Client) -> None:
    async def watched() -> list[str]:
        async with client.session.get(f"{MAPS}?watch=true&resourceVersion=1") as response:
            return [json.loads(await response.content.readline())["object"]["metadata"]["name"] for _ in range(40)]

    watchers = [asyncio.create_task(watched()) for _ in range(60)]
    names = [f"c{number}" for number in range(40)]
    for name in names:
        await client.call("POST", MAPS, named(name))
    assert await asyncio.gather(*watchers) == [names] * 60


async def test_a_collection_is_deleted_as_far_as_it_is_selected(client: Client) -> None:
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "1"}), ("c", {"x": "2"})):
        await client.call("POST", MAPS, {"metadata": {"name": name, "labels": {**labels}}})
    deleted = await client.call("DELETE", f"{MAPS}?labelSelector=x%3D1")
    left = await client.call("GET", MAPS)
    assert [len(list_at(one, "items")) for one in (deleted, left)] == [2, 1]


async def test_an_evicted_pod_gets_its_grace(client: Client) -> None:
    await pod(client, "web")
    eviction: JsonObject = {"deleteOptions": {"gracePeriodSeconds": 7}}
    assert (await client.call("POST", f"{PODS}/web/eviction", named("web") | eviction))["code"] == 201
    found = await client.call("GET", f"{PODS}/web")
    assert object_at(found, "metadata")["deletionGracePeriodSeconds"] == 7


async def test_a_version_of_the_future_is_waited_for(client: Client) -> None:
    revision = client.app.core.storage.store.revision
    reading = asyncio.create_task(client.call("GET", f"{MAPS}?resourceVersion={revision + 1}"))
    await client.call("POST", MAPS, named("late"))
    assert len(list_at(await reading, "items")) == 1


async def test_a_list_continued_or_a_watch_begun_before_the_history_is_expired(tmp_path: Path) -> None:
    async with running(tmp_path) as client:
        for number in range(3):
            await client.call("POST", MAPS, named(f"c{number}"))
        first = await client.call("GET", f"{MAPS}?limit=1")
        await client.call("POST", MAPS, named("c3"))
        await client.app.core.storage.store.compact(older_than=-1)
        rest = await client.call("GET", f"{MAPS}?limit=1&continue={text_at(first, 'metadata', 'continue')}")
        assert (rest["code"], rest["reason"]) == (410, "Expired")
    async with running(tmp_path) as client, client.session.get(f"{MAPS}?watch=true&resourceVersion=2") as response:
        event = json.loads(await response.content.readline())
        assert (response.status, event["type"], event["object"]["reason"]) == (200, "ERROR", "Expired")


async def test_writers_that_race_on_patches_all_get_through(client: Client) -> None:
    await client.call("POST", MAPS, named("shared"))
    patches: list[Json] = [{"data": {f"k{number}": "v"}} for number in range(8)]
    merge = "application/merge-patch+json"
    await asyncio.gather(*(client.call("PATCH", f"{MAPS}/shared", patch, merge) for patch in patches))
    assert len(object_at(await client.call("GET", f"{MAPS}/shared"), "data")) == 8


async def pod(client: Client, name: str, *containers: str) -> None:
    listed: list[Json] = [{"name": one, "image": "i:1"} for one in containers or ("main",)]
    await client.call("POST", PODS, named(name, spec={"containers": listed, "nodeName": "n"}))


async def test_logs_come_from_the_node_as_text(client: Client) -> None:
    await pod(client, "web")
    async with client.session.get(f"{PODS}/web/log?follow=true&tailLines=3") as response:
        assert response.content_type == "text/plain"
        assert await response.text() == 'default/web/main {"follow": "true", "tailLines": "3"}'


@pytest.mark.parametrize(
    ("name", "query", "code", "words"),
    [
        ("none", "", 404, 'pods "none" not found'),
        ("quiet", "", 400, "is waiting to start"),
        ("lost", "", 500, "the node does not answer"),
        ("two", "", 400, "a container name must be specified for pod two, choose one of: [a b]"),
        ("two", "?container=c", 400, "container c is not valid for pod two"),
    ],
)
async def test_a_log_that_can_t_be_had_says_why(client: Client, name: str, query: str, code: int, words: str) -> None:
    for one, containers in (("quiet", ["main"]), ("lost", ["main"]), ("two", ["a", "b"])):
        await pod(client, one, *containers)
    answer = await client.call("GET", f"{PODS}/{name}/log{query}")
    assert answer["code"] == code
    assert words in text_at(answer, "message")


async def test_a_service_keeps_its_address_and_no_other_gets_it_after_a_restart(tmp_path: Path) -> None:
    services = "/api/v1/namespaces/default/services"
    spec: Json = {"ports": [{"port": 80}]}
    async with running(tmp_path) as client:
        first = await client.call("POST", services, named("iris", spec=spec))
    address = text_at(first, "spec", "clusterIP")
    async with running(tmp_path) as client:
        taken = client.app.core.addresses._addresses
        assert address in taken
        await client.call("DELETE", f"{services}/iris")
        assert address not in taken


def thing_definition(**schema: Json) -> JsonObject:
    version: Json = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", **schema}}}},
    }
    names: Json = {"plural": "things", "kind": "Thing"}
    spec: Json = {"group": "x.io", "scope": "Namespaced", "names": names, "versions": [version]}
    return named("things.x.io", spec=spec)


async def test_defined_kinds_and_a_deletion_under_way_go_on_after_a_restart(tmp_path: Path) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    things = "/apis/x.io/v1/namespaces/default/things"
    held: JsonObject = {"metadata": {"name": "a", "finalizers": ["x.io/hold"]}, "spec": {}}
    async with running(tmp_path) as client:
        await client.call("POST", definitions, thing_definition())
        await client.call("POST", things, held)
        await client.call("DELETE", f"{definitions}/things.x.io")
    async with running(tmp_path) as client:
        assert len(list_at(await client.call("GET", things), "items")) == 1
        watch = await client.session.get(f"{definitions}?watch=true&resourceVersion=0")
        merge = "application/merge-patch+json"
        await client.call("PATCH", f"{things}/a", {"metadata": {"finalizers": None}}, merge)
        async with asyncio.timeout(5):
            async for line in watch.content:
                if json.loads(line)["type"] == "DELETED":
                    break
        watch.close()
        assert (await client.call("GET", f"{definitions}/things.x.io"))["code"] == 404


async def test_nothing_that_was_answered_is_lost_by_kill_9_and_the_next_start_goes_on(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "tests.contract.apiserver.serving", str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    assert stat.S_IMODE((tmp_path / "kubeconfig").stat().st_mode) == 0o600
    answered: list[str] = []
    headers = {"authorization": f"Bearer {(tmp_path / 'pki' / 'token').read_text().strip()}"}
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(tmp_path / "pki" / "ca.crt")))

    async def write(session: aiohttp.ClientSession, worker: int) -> None:
        for number in range(10_000):
            async with session.post(MAPS, json=named(f"w{worker}-{number}")) as response:
                if response.status == 201:
                    answered.append(f"w{worker}-{number}")
            if len(answered) == 100:
                os.kill(child.pid, signal.SIGKILL)

    async with aiohttp.ClientSession(url, connector=connector, headers=headers) as session:
        await asyncio.gather(*(write(session, worker) for worker in range(4)), return_exceptions=True)
    child.wait()
    child.stdout.close()
    assert len(answered) >= 100
    async with running(tmp_path) as client:
        found = list_at(await client.call("GET", MAPS), "items")
        assert set(answered) <= {text_at(item, "metadata", "name") for item in found if isinstance(item, dict)}
        assert (await client.call("POST", MAPS, named("next")))["kind"] == "ConfigMap"


async def test_openapi_is_kept_by_hash_and_made_again_when_a_kind_comes(client: Client) -> None:
    async def paths() -> JsonObject:
        return object_at(await client.call("GET", "/openapi/v3"), "paths")

    before = await paths()
    url = text_at(object_at(before, "api/v1"), "serverRelativeURL")
    async with client.session.get(url) as response:
        assert "immutable" in response.headers["cache-control"]
        etag = response.headers["etag"]
    async with client.session.get(url, headers={"if-none-match": etag}) as response:
        assert response.status == 304
    await client.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", thing_definition())
    after = await paths()
    assert after.keys() - before.keys() == {"apis/x.io/v1"}
    assert after["api/v1"] == before["api/v1"]


async def test_the_server_of_the_session_is_a_real_process(target: Target) -> None:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=target.tls)) as session,
        session.get(f"{target.url}/version") as response,
    ):
        assert "inferplane" in (await response.json())["gitVersion"]
