"""Schemas of Kubernetes' own kinds, derived from the source of the package `lightkube-models`.

In: one Python module per API group and version, made of dataclasses whose docstrings describe each field. Importing it
needs the lightkube client, which we don't; so it is read as text. Out: OpenAPI documents by definition name
(`io.k8s.api.core.v1.PodSpec`), each derived when first asked for: a write to a ConfigMap never reads about Pods.

`derived()` gives what has been worked out so far and `know()` takes it back: for a file that the caller keeps.
"""

import ast
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.schemas import metrics
from inferplane.resources.schemas.facts import INT64, field_extensions, is_atomic_map, map_values
from inferplane.resources.schemas.schema import FORM, Schema

_MACHINERY = "io.k8s.apimachinery.pkg."
_APIEXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions."
QUANTITY = f"{_MACHINERY}api.resource.Quantity"
INT_OR_STRING = f"{_MACHINERY}util.intstr.IntOrString"
OBJECT_META = f"{_MACHINERY}apis.meta.v1.ObjectMeta"
# Modules whose definitions aren't named `io.k8s.api.{group}.{version}.{Kind}`.
_PREFIXES = {
    "meta_v1": f"{_MACHINERY}apis.meta.v1.",
    "resource": f"{_MACHINERY}api.resource.",
    "runtime": f"{_MACHINERY}runtime.",
    "util_intstr": f"{_MACHINERY}util.intstr.",
    "version": f"{_MACHINERY}version.",
    "apiextensions_v1": f"{_APIEXTENSIONS}v1.",
    "metrics_v1beta1": "io.k8s.metrics.pkg.apis.metrics.v1beta1.",
    "apiregistration_v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.",
}
_REF = "#/components/schemas/"
_ANYTHING: JsonObject = {"x-kubernetes-preserve-unknown-fields": True}

# Definitions that the package writes as plain Python types.
_ALIASES: dict[str, JsonObject] = {
    f"{_MACHINERY}apis.meta.v1.Time": {"type": "string", "format": "date-time"},
    f"{_MACHINERY}apis.meta.v1.MicroTime": {"type": "string", "format": "date-time", FORM: "microtime"},
    f"{_MACHINERY}apis.meta.v1.FieldsV1": {"type": "object", **_ANYTHING},
    f"{_MACHINERY}apis.meta.v1.Patch": {"type": "object", **_ANYTHING},
    f"{_MACHINERY}runtime.RawExtension": {"type": "object", **_ANYTHING},
    QUANTITY: {
        "oneOf": [{"type": "string"}, {"type": "number"}],
        "description": "A number with a unit: 500m, 1Gi.",
        FORM: "quantity",
    },
    INT_OR_STRING: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    f"{_APIEXTENSIONS}v1.JSON": _ANYTHING,
    f"{_APIEXTENSIONS}v1.JSONSchemaPropsOrArray": _ANYTHING,
    f"{_APIEXTENSIONS}v1.JSONSchemaPropsOrBool": _ANYTHING,
    f"{_APIEXTENSIONS}v1.JSONSchemaPropsOrStringArray": _ANYTHING,
    f"{_APIEXTENSIONS}v1.CustomResourceSubresourceStatus": {"type": "object"},
}
_ALIASES |= metrics.definitions("io.k8s.metrics.pkg.apis.metrics.v1beta1.", _REF, _MACHINERY)
_SCALARS: dict[str, JsonObject] = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "float": {"type": "number", "format": "double"},
    "datetime": {"type": "string", "format": "date-time"},
    "Any": _ANYTHING,
    "dict": {"type": "object", **_ANYTHING},
}
_CLASS = re.compile(r"^@dataclass\nclass (\w+)\(DictMixin\):\n", re.MULTILINE)
_PARAMETER = re.compile(r"^ *\* \*\*(\S+)\*\* ``[^`]*`` - ?", re.MULTILINE)
_LIST = re.compile(r"List\[(.*)\]")


class Models:
    """All definitions, each derived on first use."""

    def __init__(self) -> None:
        self._documents: dict[str, JsonObject] = {}
        self._schemas: dict[str, Schema] = {}

    def schema(self, name: str) -> Schema:
        found = self._schemas.get(name)
        if found is None:
            found = self._schemas[name] = Schema(self.document(name), self)
        return found

    def document(self, name: str) -> JsonObject:
        """The OpenAPI document of one definition; KeyError when the package doesn't have it."""
        found = self._documents.get(name)
        if found is None:
            found = self._documents[name] = _derive(name)
        return found

    def know(self, documents: Mapping[str, JsonObject]) -> None:
        """Takes documents that a cache has, by name; those already derived stay."""
        self._documents = {**documents, **self._documents}

    def derived(self) -> dict[str, JsonObject]:
        """Every document worked out so far: worth keeping in a file between runs."""
        return dict(self._documents)


def definition_name(api_version: str, kind: str) -> str:
    """`apps/v1`, `Deployment` → `io.k8s.api.apps.v1.Deployment`."""
    group, _, version = api_version.rpartition("/")
    return _definition(f"{group.split('.')[0] or 'core'}_{version}", kind)


def _definition(module: str, kind: str) -> str:
    return f"{_PREFIXES.get(module) or _api_prefix(module)}{kind}"


def _api_prefix(module: str) -> str:
    group, _, version = module.rpartition("_")
    return f"io.k8s.api.{group}.{version}."


def _module(prefix: str) -> str:
    for module, known in _PREFIXES.items():
        if known == prefix:
            return module
    parts = prefix.removesuffix(".").split(".")
    return f"{parts[-2]}_{parts[-1]}" if prefix.startswith("io.k8s.api.") and len(parts) == 5 else ""


@cache
def _classes(module: str) -> dict[str, str]:
    """The source of each dataclass of a module, by name; empty when there is no such module."""
    source = files("lightkube.models").joinpath(f"{module}.py")
    if not module or not source.is_file():
        return {}
    pieces = _CLASS.split(source.read_text(encoding="utf-8"))
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _derive(name: str) -> JsonObject:
    if name in _ALIASES:
        return _ALIASES[name]
    prefix, dot, kind = name.rpartition(".")
    module = _module(prefix + dot)
    body = _classes(module).get(kind)
    if body is None:
        raise KeyError(f"no built-in definition {name}")
    return _object(module, kind, body)


def _object(module: str, kind: str, body: str) -> JsonObject:
    """One dataclass as an OpenAPI object."""
    # Only what is indented belongs to the class: aliases follow some of them.
    tree = ast.parse(f"class {kind}:\n" + re.split(r"^(?=\S)", body, maxsplit=1, flags=re.MULTILINE)[0])
    definition = tree.body[0]
    assert isinstance(definition, ast.ClassDef)
    summary, described = _descriptions(ast.get_docstring(definition, clean=False) or "")
    short = f"{module.replace('_', '.')}.{kind}"
    properties: JsonObject = {}
    required: list[Json] = []
    for line in definition.body:
        if isinstance(line, ast.AnnAssign):
            field = _field_name(line)
            properties[field] = _property(module, short, field, _annotation(line), described.get(field, ""))
            if line.value is None:
                required.append(field)
    document: JsonObject = {"type": "object", "description": summary, "properties": properties}
    if required:
        document["required"] = required
    if is_atomic_map(short):
        document["x-kubernetes-map-type"] = "atomic"
    return document


def _field_name(line: ast.AnnAssign) -> str:
    """The name on the wire: that of `field(metadata={"json": …})` where Python's differs."""
    for part in ast.walk(line.value) if isinstance(line.value, ast.Call) else ():
        if isinstance(part, ast.Dict) and isinstance(part.values[0], ast.Constant):
            return str(part.values[0].value)
    assert isinstance(line.target, ast.Name)
    return line.target.id


def _annotation(line: ast.AnnAssign) -> str:
    assert isinstance(line.annotation, ast.Constant)
    written = str(line.annotation.value)
    return written[len("Optional[") : -1] if written.startswith("Optional[") else written


def _property(module: str, short: str, field: str, annotation: str, description: str) -> JsonObject:
    document: JsonObject = {"description": description} if description else {}
    document |= _type(module, short, field, annotation)
    return document | field_extensions(short, field)


def _type(module: str, short: str, field: str, annotation: str) -> JsonObject:
    """`List[EnvVar]` → an array of references; `dict` → a map, whose values the facts know."""
    listed = _LIST.fullmatch(annotation)
    if listed:
        return {"type": "array", "items": _type(module, short, field, listed[1])}
    if annotation == "dict":
        return {"type": "object", "additionalProperties": map_values(short, field)}
    if annotation == "int":
        return {"type": "integer", "format": "int64" if field in INT64 else "int32"}
    if annotation in _SCALARS:
        return dict(_SCALARS[annotation])
    other, _, name = annotation.rpartition(".")
    return {"$ref": _REF + _definition(other or module, name)}


def _descriptions(docstring: str) -> tuple[str, dict[str, str]]:
    """The text about the whole and, by field name, the texts of the `**parameters**` list."""
    summary, _, parameters = docstring.partition("**parameters**")
    pieces = _PARAMETER.split(parameters)
    texts = (_unwrapped(text) for text in pieces[2::2])
    return _unwrapped(summary), dict(zip(pieces[1::2], texts, strict=True))


def _unwrapped(text: str) -> str:
    """Paragraphs as single lines: the source wraps them at a fixed width."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
