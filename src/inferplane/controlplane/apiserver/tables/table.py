"""Tables and partial objects: the two reduced forms in which a client may ask for objects."""

from collections.abc import Sequence
from datetime import datetime

from inferplane.controlplane.apiserver.kinds import CRD_KEY, Kind
from inferplane.controlplane.apiserver.tables import built_in, custom
from inferplane.controlplane.apiserver.tables.built_in import FALLBACK, Printer
from inferplane.kernel.json import Json, JsonObject, object_at

PARTIAL = "PartialObjectMetadata"


def printer(kind: Kind) -> Printer:
    if kind.definition is not None:
        return custom.printer(kind.definition)
    return built_in.PRINTERS.get(kind.key, FALLBACK)


def partial(obj: JsonObject, version: str = "v1") -> JsonObject:
    """Type and metadata only."""
    return {"kind": PARTIAL, "apiVersion": f"meta.k8s.io/{version}", "metadata": object_at(obj, "metadata")}


def table(
    kind: Kind,
    objects: Sequence[JsonObject],
    metadata: JsonObject,
    now: datetime,
    *,
    include: str = "Metadata",
    version: str = "v1",
    header: bool = True,
) -> JsonObject:
    """Rows of `objects`. `include` says what goes along in each: `Metadata`, `Object` or `None`.

    Without `header` the column definitions are null: a watch sends them once.
    """
    shown = printer(kind)
    rows: Json = [_row(obj, shown, now, include, version) for obj in objects]
    if not objects and kind.key == CRD_KEY:
        rows = None  # a real server's answer, which kubectl takes as "no resources found"
    columns: Json = [column.definition() for column in shown.columns]
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": columns if header else None,
        "rows": rows,
    }


def _row(obj: JsonObject, shown: Printer, now: datetime, include: str, version: str) -> Json:
    row: JsonObject = {"cells": shown.cells(obj, now)}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = partial(obj, version)
    return row
