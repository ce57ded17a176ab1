"""The columns of custom resources: a CRD's additionalPrinterColumns."""

from datetime import datetime

import msgspec

from inferplane.controlplane.apiserver.kinds import Definition, PrinterColumn
from inferplane.controlplane.apiserver.tables import jsonpath
from inferplane.controlplane.apiserver.tables.ages import age
from inferplane.controlplane.apiserver.tables.built_in import Column, Printer
from inferplane.kernel.json import Json, JsonObject, text_at

AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp")


def printer(definition: Definition) -> Printer:
    """The name, then the CRD's columns; without any, the age."""
    columns = definition.columns or (AGE,)
    shown = (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        *(Column(one.name, one.type, one.format, one.priority, one.description) for one in columns),
    )
    return Printer(shown, lambda obj, now: [text_at(obj, "metadata", "name"), *(_cell(c, obj, now) for c in columns)])


def _cell(column: PrinterColumn, obj: JsonObject, now: datetime) -> Json:
    """None, which prints as `<none>`, when the path leads nowhere or the value doesn't fit the column's type."""
    found = jsonpath.find(column.path, obj)
    if not found:
        return None
    value = found[0]
    match column.type:
        case "integer":
            return _integer(value)
        case "number":
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return age(value, now)
        case _:
            return _text(value)


def _integer(value: Json) -> Json:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value)
    return int(value) if isinstance(value, str) and value.lstrip("-").isdigit() else None


def _text(value: Json) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return msgspec.json.encode(value).decode() if isinstance(value, list | dict) else str(value)
