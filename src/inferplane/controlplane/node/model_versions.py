"""What a container's model needs, looked for in its files before its server starts.

That is the library version that it was saved with; for MLflow, whose server loads models of many libraries, all that
the model lists.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from packaging.version import InvalidVersion, Version

from inferplane.inference import mlmodel
from inferplane.inference.formats.boosters import needed_version
from inferplane.inference.recorded_versions import sklearn_version

Reader = Callable[[BinaryIO], str | None]

READERS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "scikit-learn": (sklearn_version, (".joblib", ".pkl", ".pickle")),
    "xgboost-cpu": (needed_version, (".bst",)),
}
"""By the image's library: who reads the version, and the endings of files that are models. Libraries that read what
their older versions wrote (LightGBM, ONNX Runtime) need none; of XGBoost's files only the old binary ones do."""

LISTING = frozenset({"mlflow-skinny"})
"""Libraries of images whose models list what they need."""

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


def listed(directory: Path, *, pinned: bool) -> tuple[str, ...]:
    """The requirements of the MLflow models there, as pip takes them. What two models want in different versions is
    wanted in any."""
    found: dict[str, str] = {}
    for place in _places(directory):
        for line in _needed(place, pinned=pinned):
            name = line.partition("=")[0]
            found[name] = line if found.setdefault(name, line) == line else name
    return tuple(found.values())


def _places(directory: Path) -> list[Path]:
    """Those with a model: the directory itself, else directories of its own."""
    if (directory / mlmodel.FILE).is_file():
        return [directory]
    inside = [entry for entry in _entries(directory) if (entry / mlmodel.FILE).is_file()]
    return inside[:_MOST_FILES]


def _needed(directory: Path, *, pinned: bool) -> list[str]:
    try:
        libraries: Mapping[str, str] = mlmodel.read((directory / mlmodel.FILE).read_text()).libraries
        file = directory / mlmodel.REQUIREMENTS
        wanted = mlmodel.requirements(file.read_text()) if file.is_file() else []
    except (OSError, ValueError):
        return []  # what is wrong with it is the server's to say
    return mlmodel.needed(wanted, libraries, pinned=pinned)


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
