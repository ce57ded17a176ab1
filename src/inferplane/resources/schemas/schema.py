"""A schema as an object that is asked: what is `spec.template`, is this list a map, which defaults apply.

In: a JSON document of OpenAPI v3 as Kubernetes writes it (CRDs: a structural schema), with `$ref` to named definitions.
Out: `Schema`, whose facets are worked out on first use and kept, so that each write only walks its own object.
The walks are next door: `defaulting`, `pruning`, `validation`; patches and server-side apply ask about lists and maps.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol, TypeAlias

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas.checks import ValueChecks

REF_PREFIXES = ("#/components/schemas/", "#/definitions/")
# What may stand beside `$ref` without making another schema of it.
_ANNOTATIONS = frozenset({"$ref", "description", "default"})

# Our own word in derived documents: a notation that JSON schema has no format for (`quantity`, `microtime`).
FORM = "x-inferplane-form"

Properties: TypeAlias = "Mapping[str, Schema]"


class Definitions(Protocol):
    """Where `$ref` leads. Raises KeyError for a name that isn't known."""

    def schema(self, name: str) -> "Schema": ...


class NoDefinitions:
    """For schemas without references."""

    def schema(self, name: str) -> "Schema":
        raise KeyError(name)


class Schema:
    """One node of a schema. `document` is the JSON it was made of, references in place."""

    def __init__(self, document: JsonObject, definitions: Definitions | None = None) -> None:
        self.document = document
        self.definitions: Definitions = definitions or NoDefinitions()

    def __repr__(self) -> str:
        return f"Schema({self.document.get('$ref') or self.type or sorted(self.document)})"

    @cached_property
    def type(self) -> str:
        """`object`, `array`, `string`, …; "" when the document doesn't say."""
        return _text(self.document, "type")

    @cached_property
    def properties(self) -> Properties:
        """The declared fields."""
        found = self.document.get("properties")
        return {k: self.child(v) for k, v in found.items()} if isinstance(found, dict) else {}

    @cached_property
    def additional(self) -> "Schema | None":
        """The schema of the values of undeclared keys, if those are allowed."""
        found = self.document.get("additionalProperties")
        if isinstance(found, dict):
            return self.child(found)
        return ANYTHING if found is True else None

    @cached_property
    def items(self) -> "Schema":
        found = self.document.get("items")
        return self.child(found) if isinstance(found, dict) else ANYTHING

    @cached_property
    def required(self) -> tuple[str, ...]:
        return _texts(self.document, "required")

    @cached_property
    def preserves_unknown(self) -> bool:
        """Undeclared fields are kept here (`x-kubernetes-preserve-unknown-fields`, or nothing is said at all)."""
        return self.document.get("x-kubernetes-preserve-unknown-fields") is True or self.is_anything

    @cached_property
    def is_anything(self) -> bool:
        """Nothing is known of what is here or below: no walk needs to go there."""
        if self.type or self.properties or self.int_or_string or self.additional is not None:
            return False
        return "oneOf" not in self.document or self.document.get("x-kubernetes-preserve-unknown-fields") is True

    @cached_property
    def int_or_string(self) -> bool:
        return self.document.get("x-kubernetes-int-or-string") is True

    @cached_property
    def is_scalar(self) -> bool:
        return self.type in ("string", "integer", "number", "boolean") or self.is_choice

    @cached_property
    def is_plain_text(self) -> bool:
        """Any string will do: most fields are such, and the walks pass them by."""
        return self.type == "string" and not self.form and "format" not in self.document

    @cached_property
    def is_choice(self) -> bool:
        """One of several plain types (`IntOrString`, `Quantity` among the built-in definitions)."""
        return not self.type and not self.is_anything and not self.properties and "oneOf" in self.document

    @cached_property
    def form(self) -> str:
        """`quantity` or `microtime` where the value is written in that notation."""
        return _text(self.document, FORM)

    @cached_property
    def embedded(self) -> bool:
        """A whole object with apiVersion, kind and metadata of its own."""
        return self.document.get("x-kubernetes-embedded-resource") is True

    @cached_property
    def nullable(self) -> bool:
        return self.document.get("nullable") is True or self.is_anything

    @cached_property
    def has_default(self) -> bool:
        return "default" in self.document

    @cached_property
    def checks(self) -> ValueChecks:
        """What a value must meet apart from its type and its parts."""
        return ValueChecks.of(self.document)

    @cached_property
    def is_checked(self) -> bool:
        """There is anything in `checks`."""
        return bool(self.checks)

    @cached_property
    def defaulting(self) -> "tuple[tuple[str, Schema], ...]":
        """The declared fields that have a default."""
        return tuple((name, one) for name, one in self.properties.items() if one.has_default)

    @cached_property
    def defaults_below(self) -> bool:
        """A part of what is here may get a default. Structural schemas, which have them, hold no circles."""
        if self.is_anything:
            return False
        parts = [*self.properties.values(), self.items, *([self.additional] if self.additional else [])]
        return bool(self.defaulting) or any(one.defaults_below for one in parts)

    @cached_property
    def junctors(self) -> "tuple[tuple[str, tuple[Schema, ...]], ...]":
        """`allOf`, `anyOf`, `oneOf` and `not` with their alternatives, in the order in which they are checked."""
        found = []
        for word in ("anyOf", "oneOf", "allOf", "not"):
            written = self.document.get(word)
            parts = written if isinstance(written, list) else [written] if isinstance(written, dict) else []
            if parts:
                found.append((word, tuple(self.child(part) for part in parts)))
        return tuple(found)

    @cached_property
    def list_type(self) -> str:
        """`atomic`, `set` or `map`. An undeclared list is atomic."""
        return _text(self.document, "x-kubernetes-list-type") or "atomic"

    @cached_property
    def map_keys(self) -> tuple[str, ...]:
        """The fields that name an item of a `map` list."""
        return _texts(self.document, "x-kubernetes-list-map-keys")

    @cached_property
    def key_defaults(self) -> JsonObject:
        """For a `map` list: the values of key fields that an item may leave out."""
        fields = self.items.properties
        return {k: fields[k].document["default"] for k in self.map_keys if k in fields and fields[k].has_default}

    @cached_property
    def atomic_map(self) -> bool:
        return self.document.get("x-kubernetes-map-type") == "atomic"

    @cached_property
    def patch_strategies(self) -> frozenset[str]:
        """`merge`, `replace`, `retainKeys`, as Go's `patchStrategy` tag has them."""
        return frozenset(filter(None, _text(self.document, "x-kubernetes-patch-strategy").split(",")))

    @cached_property
    def patch_merge_key(self) -> str:
        return _text(self.document, "x-kubernetes-patch-merge-key")

    def property(self, name: str) -> "Schema | None":
        """The schema of the field `name`; None when no such field may exist."""
        found = self.properties.get(name)
        if found is not None:
            return found
        if self.additional is not None:
            return self.additional
        if self.embedded:
            return EMBEDDED.properties.get(name) or (ANYTHING if self.preserves_unknown else None)
        return ANYTHING if self.preserves_unknown else None

    def child(self, document: Json) -> "Schema":
        """The schema of a part of this document; references are resolved among the same definitions."""
        if not isinstance(document, dict):
            return ANYTHING
        reference = _reference(document)
        if not reference:
            return Schema(document, self.definitions)
        target = self.definitions.schema(reference)
        if document.keys() <= _ANNOTATIONS and "default" not in document:
            return target
        own = {k: v for k, v in document.items() if k not in ("$ref", "allOf")}
        return Schema({**target.document, **own}, target.definitions)


def reference_name(reference: str) -> str:
    """`#/components/schemas/io.k8s.api.core.v1.Pod` → `io.k8s.api.core.v1.Pod`."""
    for prefix in REF_PREFIXES:
        if reference.startswith(prefix):
            return reference.removeprefix(prefix)
    return reference


def _reference(document: JsonObject) -> str:
    """The name a document refers to: plainly, or in the one-element `allOf` that stands beside other keys."""
    found = document.get("$ref")
    if isinstance(found, str):
        return reference_name(found)
    alternatives = document.get("allOf")
    if isinstance(alternatives, list) and len(alternatives) == 1 and "type" not in document:
        only = alternatives[0]
        if isinstance(only, dict) and only.keys() == {"$ref"}:
            return reference_name(str(only["$ref"]))
    return ""


def _text(document: JsonObject, key: str) -> str:
    found = document.get(key)
    return found if isinstance(found, str) else ""


def _texts(document: JsonObject, key: str) -> tuple[str, ...]:
    found = document.get(key)
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


ANYTHING = Schema({"x-kubernetes-preserve-unknown-fields": True, "nullable": True})
EMBEDDED = Schema(
    {
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
)
