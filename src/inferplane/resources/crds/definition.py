"""A kind of ours as a CustomResourceDefinition: names and columns as given, the schema from the types themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.crds import rules, structural
from inferplane.resources.crds.rules import Rule
from inferplane.resources.meta import View


@dataclass(frozen=True, slots=True)
class Definition:
    """`beside_spec`: fields at the root other than spec and status. `rules` by the path that they are about."""

    group: str
    version: str
    kind: str
    plural: str
    spec: type[View]
    description: str
    columns: tuple[JsonObject, ...]
    status: type[View] | None = None
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("inferplane",)
    namespaced: bool = True
    beside_spec: Mapping[str, JsonObject] = field(default_factory=dict)
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)


def column(name: str, path: str, type: str = "string") -> JsonObject:
    return {"name": name, "type": type, "jsonPath": path}


AGE = column("Age", ".metadata.creationTimestamp", "date")


def crd(kind: Definition) -> JsonObject:
    """The CustomResourceDefinition, ready to be applied."""
    names: JsonObject = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.kind.lower(),
        "categories": [*kind.categories],
    }
    if kind.short_names:
        names["shortNames"] = [*kind.short_names]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": names,
            "versions": [_version(kind)],
        },
    }


def _version(kind: Definition) -> JsonObject:
    columns: list[Json] = [*kind.columns]
    version: JsonObject = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": _schema(kind)},
    }
    return version | {"subresources": {"status": {}}} if kind.status else version


def _schema(kind: Definition) -> JsonObject:
    properties: JsonObject = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": structural.of(kind.spec),
        **kind.beside_spec,
    }
    if kind.status:
        status = structural.of(kind.status)
        # Clients and other controllers may know fields of the status that we don't.
        properties["status"] = status | structural.ANYTHING
    schema: JsonObject = {
        "type": "object",
        "description": kind.description,
        "properties": properties,
        "required": ["spec"],
    }
    return rules.ruled(schema, kind.rules)
