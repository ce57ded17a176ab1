"""Which library version a container's model was saved with, looked for in its files before its server starts."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from packaging.version import InvalidVersion, Version

from inferplane.inference.recorded_versions import sklearn_version

Reader = Callable[[BinaryIO], str | None]

READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {"scikit-learn": (sklearn_version, (".joblib", ".pkl", ".pickle"))}
"""By the image's library: who reads the version, and the endings of files that are models. Libraries that read what
their older versions wrote (XGBoost, LightGBM, ONNX Runtime) need none."""

_MODEL_DIRECTORY = "--model_dir"
# A model may be in the directory itself or, in a repository, in NAME/VERSION/ below it.
_DEPTH, _MOST_FILES = 2, 64


def model_directory(arguments: Iterable[str]) -> Path | None:
    """The value of `--model_dir` among a server's arguments."""
    words = [*arguments]
    for place, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name == _MODEL_DIRECTORY:
            given = value if equals else next(iter(words[place + 1 :]), "")
            return Path(given.removeprefix("file://")) if given else None
    return None


def recorded(library: str, directory: Path) -> str:
    """The version that the models there were saved with, the newest of several patch releases.

    "" when none is recorded, and when models were saved with different minor versions: no one environment fits those.
    """
    if library not in READERS:
        return ""
    read, suffixes = READERS[library]
    found = {version for file in _files(directory, suffixes) if (version := _version(read, file))}
    try:
        versions = sorted(Version(one) for one in found)
    except InvalidVersion:
        return ""
    return str(versions[-1]) if len({one.release[:2] for one in versions}) == 1 else ""


def _files(directory: Path, suffixes: tuple[str, ...]) -> list[Path]:
    found: list[Path] = []
    level = [directory]
    for _ in range(_DEPTH + 1):
        entries = [entry for one in level for entry in _entries(one)]
        found += [entry for entry in entries if entry.suffix in suffixes and entry.is_file()]
        level = [] if found else [entry for entry in entries if entry.is_dir()]
    return found[:_MOST_FILES]


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []  # what is wrong with it is the server's to say


def _version(read: Reader, file: Path) -> str | None:
    try:
        with file.open("rb") as stream:
            return read(stream)
    except OSError:
        return None
