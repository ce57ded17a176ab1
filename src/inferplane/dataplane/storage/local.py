"""Models that are on this machine already: `file://` URIs and plain paths. Nothing is copied; entries are linked."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from inferplane.kernel.errors import InferplaneError

SUPPORTED = ("file://", "a path on this machine")


class StorageError(InferplaneError):
    """A storage URI that leads to no model."""


def fetch(uri: str, destination: Path | None = None) -> Path:
    """Makes what `uri` names appear at `destination` and returns the directory.

    Without a destination a local directory is used in place. With one, the top-level entries are symlinked into it;
    doing so again is fine, and a link that leads elsewhere is replaced.
    """
    source = _located(uri)
    if destination is None:
        return source if source.is_dir() else source.parent
    destination.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()) if source.is_dir() else [source]:
        _link(entry.resolve(), destination / entry.name)
    return destination


def _located(uri: str) -> Path:
    scheme = urlsplit(uri).scheme
    if scheme not in ("", "file"):
        raise StorageError(f"Cannot recognize storage type for {uri}: supported are {' and '.join(SUPPORTED)}")
    path = Path(unquote(urlsplit(uri).path) if scheme == "file" else uri)
    if scheme == "file" and urlsplit(uri).netloc not in ("", "localhost"):
        raise StorageError(f"Cannot locate source uri {uri}: file URIs name no host", fix="write file:///the/path")
    if not path.exists():
        raise StorageError(f"Cannot locate source uri {uri}", fix=f"there is no {path} on this machine")
    return path.absolute()


def _link(source: Path, target: Path) -> None:
    if target.is_symlink():
        target.unlink()
    elif target.exists():
        raise StorageError(f"{target} is in the way of the model's {source.name}", fix="remove it")
    target.symlink_to(source)
