"""A desk to type commands at: a session whose platform and API server are made up."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.fakes.api import MemoryApi

from inferplane.assembly.home import Home
from inferplane.assembly.record import Platform
from inferplane.cli.main import main
from inferplane.cli.session import Session
from inferplane.cli.terminal import Terminal
from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import NotFound, Resource
from inferplane.client.kubernetes.tables import CommandLine, Table
from inferplane.kernel.json import Json, JsonObject, text_at

SHORT = {"InferenceService": "isvc", "Service": "svc", "Deployment": "deploy", "ConfigMap": "cm"}
KINDS = (
    kinds.INFERENCE_SERVICE,
    kinds.INFERENCE_GRAPH,
    kinds.POD,
    kinds.CONFIG_MAP,
    kinds.DEPLOYMENT,
    kinds.NAMESPACE,
    kinds.CLUSTER_SERVING_RUNTIME,
)


class FakeServer(MemoryApi):
    """`documents` answers `raw` for other paths than discovery's; `strict` is raised by the next apply."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, JsonObject] = {}
        self.strict: Exception | None = None

    async def raw(self, path: str) -> JsonObject:
        found = self._discovery().get(path) or self.documents.get(path)
        if found is None:
            raise NotFound(404, "NotFound", "the server could not find the requested resource")
        return found

    async def table(self, resource: Resource, namespace: str = "", name: str = "", *, labels: str = "") -> Table:
        listed = (await self.list(resource, namespace, labels=labels)).items
        items = [await self.get(resource, name, namespace)] if name else listed
        rows = tuple((text_at(one, "metadata", "name"), _ready(one), "http://x") for one in items)
        spaces = tuple(text_at(one, "metadata", "namespace") for one in items)
        return Table(("Name", "Ready", "URL"), (False, False, True), rows, spaces)

    async def apply_strict(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, manager: str, dry_run: bool = False
    ) -> JsonObject:
        if self.strict is not None:
            raise self.strict
        return body if dry_run else await self.apply(resource, body, namespace, manager=manager)

    def _discovery(self) -> dict[str, JsonObject]:
        versions = dict.fromkeys(one.api_version for one in KINDS)
        documents = {_path(version): _resources(version) for version in versions}
        groups: dict[str, list[Json]] = {}
        for version in versions:
            if "/" in version:
                groups.setdefault(version.partition("/")[0], []).append({"groupVersion": version})
        listed: list[Json] = [{"preferredVersion": one[0], "versions": one} for one in groups.values()]
        return {"/apis": {"groups": listed}, **documents}


def _ready(body: JsonObject) -> str:
    conditions = body.get("status", {})
    listed = conditions.get("conditions", []) if isinstance(conditions, dict) else []
    found = [text_at(one, "status") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return found[0] if found else ""


def _path(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _resources(version: str) -> JsonObject:
    entries: list[Json] = [
        {
            "name": one.plural,
            "singularName": one.kind.lower(),
            "kind": one.kind,
            "namespaced": one.namespaced,
            "shortNames": [SHORT.get(one.kind, one.plural)],
        }
        for one in KINDS
        if one.api_version == version
    ]
    return {"groupVersion": version, "resources": entries}


PLATFORM = Platform(
    gateway="http://localhost:8080",
    api="https://127.0.0.1:6443",
    kubeconfig="/home/ada/inferplane/kubeconfig",
    home="/home/ada/inferplane",
    processes={},
)


@dataclass
class Desk:
    """`said` is what went to standard error through the terminal."""

    home: Home
    server: FakeServer = field(default_factory=FakeServer)
    platform: Platform | None = PLATFORM
    _out: io.StringIO = field(default_factory=io.StringIO)

    @property
    def said(self) -> str:
        return self._out.getvalue()

    def type(self, *args: str) -> int:
        """The exit code of `inferplane ARGS`."""
        with pytest.raises(SystemExit) as ended:
            main(list(args), self.session())
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def session(self) -> Session:
        return Session(
            self.home, Terminal(self._out, live=False), connect=self._connect, find_platform=lambda _: self.platform
        )

    @asynccontextmanager
    async def _connect(self, kubeconfig: Path, context: str) -> AsyncIterator[CommandLine]:
        yield self.server
