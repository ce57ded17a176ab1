"""What the command line asks of an API server beyond the verbs of `api.Api`: tables, and an apply that is strict.

A table is the server's own view of a list (columns and cells), so the command line prints what kubectl prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlencode

from inferplane.client.kubernetes.api import Api, Resource
from inferplane.client.kubernetes.http import HttpApi
from inferplane.client.kubernetes.kubeconfig import Connection
from inferplane.client.kubernetes.rest import path_of
from inferplane.kernel.json import JsonObject, list_at, number_at, object_at, text_at

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Table:
    """`wide` columns are those that kubectl shows with `-o wide`. Every row has a cell for every column."""

    columns: tuple[str, ...]
    wide: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    namespaces: tuple[str, ...]


class CommandLine(Api, Protocol):
    """What the commands use; `CommandLineApi` speaks it over the wire."""

    async def raw(self, path: str) -> JsonObject: ...

    async def table(self, resource: Resource, namespace: str = "", name: str = "", *, labels: str = "") -> Table: ...

    async def apply_strict(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, manager: str, dry_run: bool = False
    ) -> JsonObject: ...


class CommandLineApi(HttpApi):
    """Use as `async with CommandLineApi(connection) as api`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, user_agent="inferplane-cli")
        self._tables = _Tables(connection, user_agent="inferplane-cli")

    async def __aexit__(
        self, type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._tables.close()
        await super().__aexit__(type, error, traceback)

    async def __aenter__(self) -> Self:
        return self

    async def table(self, resource: Resource, namespace: str = "", name: str = "", *, labels: str = "") -> Table:
        """The server's table of a collection or of one object. Raises ApiError and ServerUnreachable."""
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        return table_of(await self._tables.raw(path_of(resource, namespace, name) + query))

    async def apply_strict(
        self, resource: Resource, body: JsonObject, namespace: str = "", *, manager: str, dry_run: bool = False
    ) -> JsonObject:
        """Server-side apply that refuses unknown and repeated fields (`fieldValidation=Strict`)."""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        path = path_of(resource, namespace, text_at(body, "metadata", "name"))
        dry = {"dryRun": "All"} if dry_run else {}
        return await self._json("PATCH", path, body, query=query | dry, content_type=APPLY)


class _Tables(HttpApi):
    def _headers(self, content_type: str) -> dict[str, str]:
        return super()._headers(content_type) | {"Accept": f"{TABLE},application/json"}


def table_of(document: JsonObject) -> Table:
    """Reads a `meta.k8s.io/v1` Table; a server that gave a plain object or list instead gets one column of names."""
    if document.get("kind") != "Table":
        items = _objects(document, "items") if "items" in document else [document]
        names = tuple((text_at(one, "metadata", "name"),) for one in items)
        return Table(("Name",), (False,), names, tuple(text_at(one, "metadata", "namespace") for one in items))
    columns = _objects(document, "columnDefinitions")
    rows = _objects(document, "rows")
    return Table(
        columns=tuple(text_at(one, "name") for one in columns),
        wide=tuple(number_at(one, "priority") > 0 for one in columns),
        rows=tuple(tuple(_cell(cell) for cell in list_at(row, "cells")) for row in rows),
        namespaces=tuple(text_at(object_at(row, "object"), "metadata", "namespace") for row in rows),
    )


def _objects(document: Mapping[str, object], key: str) -> list[JsonObject]:
    found = document.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
