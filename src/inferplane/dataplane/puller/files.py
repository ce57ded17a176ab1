"""Models on disk: `NAME` leads to `.models/NAME/DIGEST`, a directory for each version.

A version is put together beside its place, so a directory of that name is whole; the link changes in one step. A file
`SUCCESS.DIGEST` in it holds the spec, as KServe's puller leaves one: a puller that starts again knows by it what is
there.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from inferplane.dataplane.puller.config import ModelSpec

_VERSIONS = ".models"
_MARK = "SUCCESS."

Fetch = Callable[[str, Path], object]
"""(storage URI, directory) → its files there. Blocks; raises InferplaneError."""


class ModelFiles:
    """Methods block: they are called on threads. Those for one model must not run at the same time."""

    def __init__(self, root: Path, fetch: Fetch) -> None:
        self._root = root
        self._fetch = fetch

    def link(self, name: str) -> Path:
        """Where a server finds the present version of a model."""
        return self._root / name

    def bring(self, name: str, spec: ModelSpec) -> Path:
        """The directory with that version, fetched unless it is there."""
        directory = self.version(name, spec)
        if directory.is_dir():
            return directory
        draft = directory.with_name(f"{spec.digest}.partial")
        draft.mkdir(parents=True, exist_ok=True)
        self._fetch(spec.storage_uri, draft)
        (draft / f"{_MARK}{spec.digest}").write_bytes(msgspec.json.encode(spec))
        draft.replace(directory)
        return directory

    def place(self, name: str, spec: ModelSpec) -> None:
        """Makes `link` lead to that version, and removes the others."""
        directory = self.version(name, spec)
        target, link = directory.relative_to(self._root), self.link(name)
        if not (link.is_symlink() and link.readlink() == target):
            if link.is_dir() and not link.is_symlink():
                shutil.rmtree(link)  # left by a puller of KServe's, which keeps one version
            draft = link.with_name(f".{name}.new")
            draft.unlink(missing_ok=True)
            os.symlink(target, draft)
            draft.replace(link)
        for other in directory.parent.iterdir():
            if other != directory:
                shutil.rmtree(other, ignore_errors=True)

    def remove(self, name: str) -> None:
        self.link(name).unlink(missing_ok=True)
        shutil.rmtree(self._root / _VERSIONS / name, ignore_errors=True)

    def present(self) -> dict[str, ModelSpec]:
        """The versions that the links lead to, of models that were fetched whole."""
        if not self._root.is_dir():
            return {}
        found = {entry.name: _marked(entry) for entry in self._root.iterdir() if not entry.name.startswith(".")}
        return {name: spec for name, spec in found.items() if spec is not None}

    def version(self, name: str, spec: ModelSpec) -> Path:
        """Where that version is, or will be."""
        return self._root / _VERSIONS / name / spec.digest


def _marked(directory: Path) -> ModelSpec | None:
    for mark in directory.glob(f"{_MARK}*"):
        try:
            spec = msgspec.json.decode(mark.read_bytes(), type=ModelSpec)
        except (msgspec.DecodeError, OSError):
            continue
        if mark.name == f"{_MARK}{spec.digest}":
            return spec
    return None
