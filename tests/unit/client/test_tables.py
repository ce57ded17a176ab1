"""The command line's requests on the wire, against a server that records them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from inferplane.client.kubernetes.kinds import CONFIG_MAP, POD
from inferplane.client.kubernetes.kubeconfig import Connection
from inferplane.client.kubernetes.tables import CommandLineApi, Table, table_of
from inferplane.kernel.json import JsonObject

TABLE: JsonObject = {
    "kind": "Table",
    "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Ready"}, {"name": "IP", "priority": 1}],
    "rows": [
        {"cells": ["p", True, None], "object": {"metadata": {"namespace": "here"}}},
        {"cells": ["q", 3, "127.0.0.2"], "object": {"metadata": {"namespace": "there"}}},
    ],
}


class Recorder:
    """Answers every request with the same body and keeps the requests."""

    def __init__(self, answer: JsonObject) -> None:
        self.requests: list[tuple[str, str, str, str]] = []
        self._answer = answer

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(
            (request.method, request.raw_path, request.headers["Accept"], request.headers.get("Content-Type", ""))
        )
        return web.json_response(self._answer)


@asynccontextmanager
async def server(recorder: Recorder) -> AsyncIterator[CommandLineApi]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.take)
    async with TestServer(app) as running, CommandLineApi(Connection(str(running.make_url("")).rstrip("/"))) as api:
        yield api


async def test_a_table_is_asked_for_as_kubectl_asks_for_it() -> None:
    recorder = Recorder(TABLE)
    async with server(recorder) as api:
        table = await api.table(POD, "default", labels="app=x")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    assert recorder.requests == [("GET", "/api/v1/namespaces/default/pods?labelSelector=app%3Dx", accept, "")]
    assert table.rows[0][0] == "p"


async def test_a_strict_apply_asks_for_field_validation() -> None:
    recorder = Recorder({"kind": "ConfigMap"})
    async with server(recorder) as api:
        await api.apply_strict(CONFIG_MAP, {"metadata": {"name": "a"}}, "default", manager="m", dry_run=True)
    query = "fieldManager=m&force=true&fieldValidation=Strict&dryRun=All"
    path = f"/api/v1/namespaces/default/configmaps/a?{query}"
    assert recorder.requests == [("PATCH", path, "application/json", "application/apply-patch+yaml")]


def test_a_table_s_cells_become_words() -> None:
    assert table_of(TABLE) == Table(
        columns=("Name", "Ready", "IP"),
        wide=(False, False, True),
        rows=(("p", "true", ""), ("q", "3", "127.0.0.2")),
        namespaces=("here", "there"),
    )


def test_a_server_without_tables_gives_names() -> None:
    items: JsonObject = {"kind": "PodList", "items": [{"metadata": {"name": "p", "namespace": "here"}}]}
    assert table_of(items) == Table(("Name",), (False,), (("p",),), ("here",))
