"""A directory of files → what models are there, and what to say when another format was named."""

from collections.abc import Callable, Iterator, Sequence
from importlib.resources.abc import Traversable

from inferplane.inference.formats import archives, boosters, documents, pickles, protobufs
from inferplane.inference.formats.found import Found, Sample, sample

Recognizer = Callable[[Sample], Found | None]

_FILES: Sequence[Recognizer] = (
    archives.archive,
    archives.hdf5,
    boosters.xgboost,
    boosters.lightgbm,
    documents.pmml,
    documents.paddle,
    pickles.pickle,
    protobufs.onnx,
)
_WEIGHTS = (".safetensors", ".bin", ".h5", ".gguf", ".msgpack")
_MOST_FILES = 200
_GIT_LFS = b"version https://git-lfs.github.com/spec/"
_VOWELS = "aeiouAEIOU"


def found_in(directory: Traversable) -> list[Found]:
    """The models at the top of the directory; where there are none, those in its latest version (a directory named by a
    number), else in its other directories (a repository of models)."""
    entries = _entries(directory)
    here = list(_here(entries))
    if here:
        return here
    inside = [entry for entry in entries if entry.is_dir()]
    versions = sorted((one for one in inside if one.name.isdecimal()), key=lambda one: int(one.name))
    below = versions[-1:] or inside
    return [one.below(entry.name) for entry in below for one in _models_below(entry)]


def _models_below(directory: Traversable) -> list[Found]:
    entries = _entries(directory)
    here = list(_here(entries))
    versions = [entry for entry in entries if entry.is_dir() and entry.name.isdecimal()]
    if here or not versions:
        return here
    latest = max(versions, key=lambda one: int(one.name))
    return [one.below(latest.name) for one in _here(_entries(latest))]


def _here(entries: Sequence[Traversable]) -> Iterator[Found]:
    files = {entry.name: entry for entry in entries if entry.is_file()}
    layout = _layout(files)
    if layout is not None:
        yield layout
        return
    for file in list(files.values())[:_MOST_FILES]:
        found = recognized(file)
        if found is not None and found.format:
            yield found


def _layout(files: dict[str, Traversable]) -> Found | None:
    """What the presence of certain files says about all of them."""

    def read(name: str) -> Sample | None:
        return sample(files[name]) if name in files else None

    if (description := read("MLmodel")) is not None:
        return documents.mlflow(description)
    if (graph := read("saved_model.pb")) is not None:
        version = protobufs.tensorflow_version(graph)
        return Found("tensorflow", "TensorFlow", "SavedModel", version, file="saved_model.pb")
    if (config := read("config.pbtxt")) is not None:
        return documents.triton(config)
    has_weights = any(name.endswith(_WEIGHTS) for name in files)
    if has_weights and (config := read("config.json")) is not None:
        return documents.huggingface(config)
    return None


def recognized(file: Traversable) -> Found | None:
    """What one file is; None where no recognizer knows."""
    taken = sample(file)
    if taken is None or not taken.head:
        return None
    return next((found for known in _FILES if (found := known(taken)) is not None), None)


_BY_NAME = {
    "sklearn": (".joblib", ".pkl", ".pickle"),
    "xgboost": (".bst", ".ubj"),
    "onnx": (".onnx",),
    "pytorch": (".pt2", ".pt", ".pth"),
    "pmml": (".pmml",),
    "paddle": (".pdmodel",),
}


def named(directory: Traversable) -> list[Found]:
    """What the files at the top are by their names alone: those of a damaged file are all that is left to tell."""
    return [
        Found(known, "", "file", file=entry.name)
        for entry in _entries(directory)
        for known, endings in _BY_NAME.items()
        if entry.name.endswith(endings) and entry.is_file()
    ]


def _entries(directory: Traversable) -> list[Traversable]:
    try:
        entries = [entry for entry in directory.iterdir() if not entry.name.startswith(".")]
    except OSError:
        return []
    return sorted(entries, key=lambda one: one.name)


def amiss(format: str, directory: Traversable) -> tuple[str, str] | None:
    """(what is wrong, what to do) with the files of a model that is said to be of `format`, as far as they tell."""
    for entry in _entries(directory):
        taken = sample(entry) if entry.is_file() else None
        if taken is not None and taken.head.startswith(_GIT_LFS):
            return f"{entry.name} is a pointer of Git LFS, not the file itself", "run git lfs pull and copy it again"
    return mismatch(format, found_in(directory))


def mismatch(format: str, found: Sequence[Found]) -> tuple[str, str] | None:
    """(what is wrong, what to do) when the service names another format than the files are in; None when it does not,
    or when nothing is known about the files."""
    if not found or any(one.format == format for one in found):
        return None
    first = found[0]
    said = f"the service says {format}, {first.file} is {_article(first.phrase)} {first.phrase}"
    return said, first.advice or f"modelFormat.name: {first.format}"


def several(found: Sequence[Found]) -> bool:
    """Whether the files are of more than one format."""
    return len({one.format for one in found}) > 1


def _article(phrase: str) -> str:
    return "an" if phrase.startswith((*_VOWELS, "XG", "xg", "MLf", "HDF")) else "a"
