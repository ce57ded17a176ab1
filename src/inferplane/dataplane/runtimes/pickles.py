"""Pickles of scikit-learn estimators: what is inside, which version wrote it, and what to do when it cannot be read."""

import bz2
import gzip
import lzma
import re
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import ModelLoadError


def unpickled(file: Path) -> tuple[object, str | None]:
    """(the object, the scikit-learn version that wrote it where that is another than ours).

    Whatever goes wrong inside the pickle becomes one line: file, cause, versions, what to do.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            return joblib.load(file), _saved_with(caught)
        except Exception as error:
            raise ModelLoadError(
                f"{file}: cannot be loaded: {type(error).__name__}: {one_line(error)}",
                fix=advice(error, _saved_with(caught) or recorded_version(file)),
            ) from error


def _saved_with(caught: Sequence[warnings.WarningMessage]) -> str | None:
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            return str(warning.message.original_sklearn_version)
    return None


# Key and value as pickle protocols 2 to 5 write them: opcode, length, text, memo marks between.
_RECORDED = re.compile(
    rb"_sklearn_version[\x94qr][^X\x8c]{0,4}?(?:X.\0\0\0|\x8c.)(\d[\w.+-]{1,30}?)[\x94qrsuh]", re.DOTALL
)
_SEARCHED = 64 * 1024 * 1024
_UNPACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x78": zlib.decompress,
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x5d\x00": lzma.decompress,
}


def recorded_version(file: Path) -> str | None:
    """The scikit-learn version that a pickle says it was written with, looked for without loading it."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_SEARCHED)
        for magic, unpack in _UNPACKED.items():
            if data.startswith(magic):
                data = unpack(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):  # the failure itself is already being told
        return None
    found = _RECORDED.search(data)
    return found[1].decode() if found else None


def advice(error: Exception, saved: str | None) -> str:
    """What to do about an error of a pickle that scikit-learn `saved` wrote."""
    if isinstance(error, OSError):
        return "check that the file is readable"
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in ("sklearn", "numpy"):
        return f"install the module {error.name} where the model is served"
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            "the class was defined in the script that saved the model; move it into a module, save the model again, "
            "and install that module where the model is served"
        )
    if saved is not None and saved != sklearn.__version__:
        return (
            f"it was saved with scikit-learn {saved} and this is {sklearn.__version__}; serve it with that version "
            f'(runtimeVersion: "{saved}", or pip install scikit-learn=={saved}) or save it again'
        )
    if isinstance(error, ModuleNotFoundError):
        return f"install the module {error.name} where the model is served"
    return f"save the model again with joblib.dump (this is scikit-learn {sklearn.__version__})"
