"""Which file of a model directory is the model."""

from collections.abc import Sequence
from pathlib import Path

from inferplane.inference.errors import ModelLoadError, ModelMissingError

_LISTED = 10


def only_model_file(directory: Path, suffixes: Sequence[str]) -> Path:
    """The one file at the top of `directory` that ends in one of `suffixes`."""
    wanted = ", ".join(suffixes)
    try:
        entries = sorted(directory.iterdir())
    except FileNotFoundError:
        raise ModelMissingError(f"model directory {directory} does not exist", fix="check --model_dir") from None
    except NotADirectoryError:
        raise ModelMissingError(f"{directory} is a file", fix="name the directory that holds it") from None
    except OSError as error:
        raise ModelMissingError(f"model directory {directory} cannot be read: {error.strerror}") from error
    found = [entry for entry in entries if entry.suffix in suffixes and entry.is_file()]
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


def _listing(entries: Sequence[Path]) -> str:
    if not entries:
        return "nothing"
    names = [f"{entry.name}/" if entry.is_dir() else entry.name for entry in entries]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
