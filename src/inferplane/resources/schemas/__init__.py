"""Schemas of kinds: what fields there are, what fits in them, what they default to, how they merge.

`builtin` gives those of Kubernetes' own kinds (derived from a maintained package), `custom` that of a CRD's version.
"""

from functools import cache

from inferplane.kernel.json import JsonObject
from inferplane.resources.schemas.decoding import type_errors
from inferplane.resources.schemas.models import OBJECT_META, Models, definition_name
from inferplane.resources.schemas.schema import ANYTHING, Schema
from inferplane.resources.schemas.validation import validate
from inferplane.resources.schemas.values import FieldError
from inferplane.resources.schemas.walks import default, prune, unknown_fields

__all__ = [
    "ANYTHING",
    "FieldError",
    "Models",
    "Schema",
    "builtin",
    "builtin_definition",
    "custom",
    "default",
    "definition_name",
    "models",
    "prune",
    "type_errors",
    "unknown_fields",
    "validate",
]


@cache
def models() -> Models:
    """The built-in definitions, shared by all: they are facts and never change."""
    return Models()


def builtin(api_version: str, kind: str) -> Schema:
    """The schema of a built-in kind: `builtin("apps/v1", "Deployment")`. KeyError when there is none."""
    return models().schema(definition_name(api_version, kind))


def builtin_definition(name: str) -> Schema:
    """By full name: `io.k8s.api.core.v1.PodSpec`. KeyError when there is none."""
    return models().schema(name)


def custom(document: JsonObject) -> Schema:
    """The schema of a custom kind from its CRD's `openAPIV3Schema`, with apiVersion, kind and metadata added."""
    declared = document.get("properties")
    properties: JsonObject = dict(declared) if isinstance(declared, dict) else {}
    properties |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/components/schemas/{OBJECT_META}"},
    }
    return Schema({**document, "properties": properties}, models())
