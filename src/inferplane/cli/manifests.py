"""YAML files as objects that remember where each field is written.

Files go in; `Manifest`s come out, each with the line of every field, so that an error that the server reports for
`spec.predictor.model.modelFormt` can be shown at the line that caused it. YAML is read as Kubernetes reads it: a date
is a string, keys are strings, and a key given twice is an error.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, list_at, text_at

SUFFIXES = (".yaml", ".yml", ".json")
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class ManifestError(InferplaneError):
    """A file that can't be read as objects. The message begins with file and line."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object. `lines` maps a field's path (`spec.containers[0].image`) to its line, counted from 1."""

    file: str
    line: int
    body: JsonObject
    lines: Mapping[str, int]

    @property
    def api_version(self) -> str:
        return text_at(self.body, "apiVersion")

    @property
    def kind(self) -> str:
        return text_at(self.body, "kind")

    @property
    def name(self) -> str:
        return text_at(self.body, "metadata", "name")

    @property
    def namespace(self) -> str:
        return text_at(self.body, "metadata", "namespace")

    def where(self, path: str = "") -> str:
        """`isvc.yaml:9` for a field, or for the nearest part of its path that is written in the file."""
        return f"{self.file}:{self.line_of(path)}"

    def line_of(self, path: str) -> int:
        here = path.lstrip(".")
        while here and here not in self.lines:
            here = _parent(here)
        return self.lines.get(here, self.line)


def read_manifests(source: str) -> list[Manifest]:
    """Objects of a file, of standard input (`-`) or of a directory's YAML and JSON files, in order of their names.

    Raises ManifestError; also for a source that holds no object at all.
    """
    found = [manifest for name, text in _texts(source) for manifest in parse(text, name)]
    if not found:
        raise ManifestError(f"{source}: holds no object", fix="expected apiVersion, kind and metadata")
    return found


def parse(text: str, file: str) -> list[Manifest]:
    """All objects of one text, lists (`kind: List`) taken apart."""
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
        return [one for node in nodes for one in _manifests(node, file)]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ManifestError(f"{file}:{line}: not YAML: {error.problem or error}") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"{file}: not YAML: {' '.join(str(error).split())}") from error


class _Loader(yaml.CSafeLoader):
    """Composes with the C parser; timestamps stay strings, as in Kubernetes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _texts(source: str) -> Iterator[tuple[str, str]]:
    if source == "-":
        yield "standard input", sys.stdin.read()
        return
    path = Path(source)
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES)
        if not files:
            raise ManifestError(f"{source}: the directory has no {', '.join(SUFFIXES)} file")
    else:
        files = [path]
    for file in files:
        yield str(file), _read(file)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ManifestError(f"{file}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file}: cannot be read: {error}") from error


def _manifests(node: yaml.Node, file: str) -> Iterator[Manifest]:
    line = node.start_mark.line + 1
    lines: dict[str, int] = {}
    body = _json(node, "", file, lines)
    if body is None:
        return
    if not isinstance(body, dict):
        raise ManifestError(f"{file}:{line}: expected an object with apiVersion and kind, got {_kind_of(body)}")
    if text_at(body, "kind") == "List":
        for index, item in enumerate(list_at(body, "items")):
            prefix = f"items[{index}]"
            inner = {path[len(prefix) + 1 :]: at for path, at in lines.items() if path.startswith(f"{prefix}.")}
            yield _checked(Manifest(file, lines[prefix], item if isinstance(item, dict) else {}, inner))
        return
    yield _checked(Manifest(file, line, body, lines))


def _checked(manifest: Manifest) -> Manifest:
    for field, given in (("apiVersion", manifest.api_version), ("kind", manifest.kind)):
        if not given:
            raise ManifestError(f"{manifest.where()}: {field} is missing, so this is no Kubernetes object")
    if not manifest.name and not text_at(manifest.body, "metadata", "generateName"):
        raise ManifestError(f"{manifest.where('metadata')}: metadata.name is missing")
    return manifest


def _json(node: yaml.Node, path: str, file: str, lines: dict[str, int]) -> Json:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, file, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_json(item, f"{path}[{index}]", file, lines) for index, item in enumerate(node.value)]
    return _scalar(node, file)


def _mapping(node: yaml.MappingNode, path: str, file: str, lines: dict[str, int]) -> JsonObject:
    _check_keys(node, path, file)
    # After the check: a key that overrides a merged one is no duplicate.
    _MERGER.flatten_mapping(node)
    found: JsonObject = {}
    for key_node, value_node in node.value:
        inner = f"{path}.{key_node.value}" if path else key_node.value
        lines[inner] = key_node.start_mark.line + 1
        found[key_node.value] = _json(value_node, inner, file, lines)
    return found


def _check_keys(node: yaml.MappingNode, path: str, file: str) -> None:
    first: dict[str, int] = {}
    for key_node, _ in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise ManifestError(f"{file}:{line}: a key must be a word, got {key_node.tag}")
        inner = f"{path}.{key_node.value}" if path else key_node.value
        if inner in first:
            raise ManifestError(f"{file}:{line}: {inner} is given twice, first on line {first[inner]}: remove one")
        first[inner] = line


# Resolves `<<: *anchor` in composed nodes; it needs a constructor, and no stream.
_MERGER = yaml.SafeLoader("")


def _scalar(node: yaml.Node, file: str) -> Json:
    value: object = _MERGER.construct_object(node, deep=True)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ManifestError(f"{file}:{node.start_mark.line + 1}: {node.tag} has no meaning in JSON: quote the value")


def _kind_of(value: object) -> str:
    names: Iterable[tuple[type, str]] = ((list, "a list"), (dict, "a mapping"), (str, "a text"))
    return next((name for kind, name in names if isinstance(value, kind)), f"{value!r}")


def _parent(path: str) -> str:
    """`a.b[0].c` → `a.b[0]` → `a.b` → `a` → ``."""
    return re.sub(r"(\.[^.\[\]]+|\[[^\]]*\]|^[^.\[\]]+)$", "", path)
