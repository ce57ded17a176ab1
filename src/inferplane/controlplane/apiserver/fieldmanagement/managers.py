"""The managers of an object: `metadata.managedFields` as values, and back."""

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from inferplane.controlplane.apiserver.fieldmanagement.paths import Path, PathSet, decoded, encoded
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

APPLY = "Apply"
UPDATE = "Update"

# What belongs to the system or is the same for all: owned by nobody (apimachinery `stripMeta`).
UNOWNED: frozenset[Path] = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "clusterName", "creationTimestamp", "generation", "managedFields", "name", "namespace",
                "resourceVersion", "selfLink", "uid",
            )
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """One writer, as far as ownership tells writers apart: an applier is the same in every API version."""

    name: str
    operation: str
    subresource: str
    api_version: str

    @property
    def key(self) -> "Manager":
        return replace(self, api_version="") if self.operation == APPLY else self

    def __str__(self) -> str:
        """As a conflict names it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one manager. `time` is when it last changed something, RFC 3339.

    `document`: the fields as they were read from an object that this server wrote.
    """

    manager: Manager
    fields: frozenset[Path]
    time: str
    document: JsonObject | None = field(default=None, compare=False)

    def without(self, fields: PathSet) -> "Owned":
        return self if fields.isdisjoint(self.fields) else Owned(self.manager, self.fields - fields, self.time)


Managers: TypeAlias = dict[Manager, Owned]


def read(obj: JsonObject, *, stored: bool = False) -> Managers:
    """The managers that an object's metadata names, by key. Entries of an unknown form are left out.

    `stored`: they are as this server wrote them.
    """
    found: Managers = {}
    for entry in list_at(obj, "metadata", "managedFields"):
        if isinstance(entry, dict) and entry.get("fieldsType") == "FieldsV1":
            owned = _read_entry(entry, stored=stored)
            found[owned.manager.key] = owned
    return found


def _read_entry(entry: JsonObject, *, stored: bool) -> Owned:
    manager = Manager(
        name=text_at(entry, "manager"),
        operation=text_at(entry, "operation"),
        subresource=text_at(entry, "subresource"),
        api_version=text_at(entry, "apiVersion"),
    )
    document = object_at(entry, "fieldsV1")
    return Owned(manager, frozenset(decoded(document)), text_at(entry, "time"), document if stored else None)


def written(obj: JsonObject, managers: Managers) -> JsonObject:
    """`obj` with these managers in its metadata, in Kubernetes' order; those that own nothing are left out."""
    metadata = {k: v for k, v in object_at(obj, "metadata").items() if k != "managedFields"}
    owners = sorted((one for one in managers.values() if one.fields), key=_order)
    if owners:
        metadata["managedFields"] = [_entry(one) for one in owners]
    return {**obj, "metadata": metadata}


def _order(owned: Owned) -> tuple[str, str, str, str, str]:
    manager = owned.manager
    return manager.operation, owned.time, manager.name, manager.api_version, manager.subresource


def _entry(owned: Owned) -> Json:
    manager = owned.manager
    entry: JsonObject = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encoded(owned.fields) if owned.document is None else owned.document,
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry
