"""Which file of a model directory is the model, and which directories of a repository hold models."""

from collections.abc import Sequence
from pathlib import Path

from inferplane.dataplane.model.example import NAMES as EXAMPLES
from inferplane.inference.errors import ModelLoadError, ModelMissingError

_LISTED = 10


def only_model_file(directory: Path, suffixes: Sequence[str]) -> Path:
    """The one file at the top of `directory` that ends in one of `suffixes`, or is called so."""
    wanted = ", ".join(suffixes)
    entries = _entries(directory)
    found = _matching(entries, suffixes)
    if not found:
        raise ModelMissingError(
            f"no model file in {directory}: looked for one file ending in {wanted}, found {_listing(entries)}"
        )
    if len(found) > 1:
        raise ModelLoadError(
            f"More than one model file is detected, Only one is allowed within {directory}: "
            f"{', '.join(file.name for file in found)}"
        )
    return found[0]


def find_models(directory: Path, suffixes: Sequence[str]) -> list[tuple[str, Path]]:
    """(name, directory) of each model.

    ("", `directory`) when it holds a model file itself, or no model at all (loading it tells what is wrong); otherwise
    its sub-directories that hold one. Of directories named by a number, Triton's versions, the highest is taken.
    """
    itself = _holder(directory, suffixes)
    if itself is not None:
        return [("", itself)]
    inside = [(entry.name, _holder(entry, suffixes)) for entry in _directories(directory)]
    return [(name, path) for name, path in inside if path is not None] or [("", directory)]


def model_directory(directory: Path, suffixes: Sequence[str]) -> Path:
    """The directory of one model: itself, or its latest version (Triton's, named by a number)."""
    return _holder(directory, suffixes) or directory


def contents(directory: Path) -> str:
    """What is in the directory, in words. Raises ModelMissingError where it is none."""
    return _listing(_entries(directory))


def _holder(directory: Path, suffixes: Sequence[str]) -> Path | None:
    """The directory, or its latest version, when there is a model file in it."""
    if _matching(_entries(directory), suffixes):
        return directory
    versions = [path for path in _directories(directory) if path.name.isdecimal()]
    held = [path for path in versions if _matching(_entries(path), suffixes)]
    return max(held, key=lambda path: int(path.name), default=None)


def _directories(directory: Path) -> list[Path]:
    return [entry for entry in _entries(directory) if entry.is_dir() and not entry.name.startswith(".")]


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        raise ModelMissingError(f"model directory {directory} does not exist", fix="check --model_dir") from None
    except NotADirectoryError:
        raise ModelMissingError(f"{directory} is a file", fix="name the directory that holds it") from None
    except OSError as error:
        raise ModelMissingError(f"model directory {directory} cannot be read: {error.strerror}") from error


def _matching(entries: Sequence[Path], suffixes: Sequence[str]) -> list[Path]:
    """An example of a request is no model, though its name ends as some do."""
    named = [entry for entry in entries if entry.suffix in suffixes or entry.name in suffixes]
    return [entry for entry in named if entry.name not in EXAMPLES and entry.is_file()]


def _listing(entries: Sequence[Path]) -> str:
    if not entries:
        return "nothing"
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
