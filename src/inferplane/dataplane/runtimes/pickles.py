"""Pickles of scikit-learn estimators: what is inside, which version wrote it, and what to do when it cannot be read.

A pickle is opened by joblib's reader with each class and function that it asks for judged first (`pickle_globals`),
those of pickles inside the pickle included: joblib keeps an array of objects as one.
"""

import inspect
import pickle
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import joblib
import numpy as np
import sklearn
from joblib import numpy_pickle, numpy_pickle_utils
from sklearn.exceptions import InconsistentVersionWarning

from inferplane.dataplane.runtimes.pickle_globals import PickleGlobals, refusal
from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import ModelLoadError
from inferplane.inference.recorded_versions import sklearn_version

_STRICT = PickleGlobals()
# The one before 1.5 gives the stream alone.
_opened = getattr(numpy_pickle_utils, "_validate_fileobject_and_memmap", None) or numpy_pickle_utils._read_fileobject
_TAKES = inspect.signature(numpy_pickle.NumpyUnpickler.__init__).parameters
_NATIVE = {"ensure_native_byte_order": True} if "ensure_native_byte_order" in _TAKES else {}
_ARRAY = ("joblib.numpy_pickle", "NumpyArrayWrapper")


def unpickled(file: Path, allowed: PickleGlobals = _STRICT) -> tuple[object, str | None]:
    """(the object, the scikit-learn version that wrote it where that is another than ours).

    Whatever goes wrong inside the pickle becomes one line: file, cause, versions, what to do. PickleRefused names what
    the pickle may not use.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InconsistentVersionWarning)
        try:
            return _read(file, allowed), _saved_with(caught)
        except ModelLoadError:
            raise
        except Exception as error:
            raise ModelLoadError(
                f"{file}: cannot be loaded: {type(error).__name__}: {one_line(error)}",
                fix=advice(error, _saved_with(caught) or recorded_version(file)),
            ) from error


def _read(file: Path, allowed: PickleGlobals) -> object:
    if allowed.any:
        return joblib.load(file)
    with file.open("rb") as stream, _opened(stream, str(file)) as found:
        content = found[0] if isinstance(found, tuple) else found
        if isinstance(content, str):
            raise ModelLoadError(
                f"{file}: arrays in files of their own, as joblib before 0.10 wrote them, are not read",
                fix="load it with that joblib and save it again",
            )
        return _Reader(file, content, allowed).load()


class _Judging:
    """`find_class` of a reader of pickles: what every opcode that names a class or a function comes to."""

    where: Path
    allowed: PickleGlobals
    proto: int

    def judged(self, module: str, name: str, found: Any) -> Any:
        """`found` imports it."""
        named = _modern(module, name) if self.proto < 3 else (module, name)
        if named == ("numpy", "memmap"):
            return np.ndarray  # what an array was before it was saved; opening a memmap would write to files
        if not self.allowed.names(*named):
            raise refusal(self.where, [".".join(named)])
        value = found(module, name)
        if not self.allowed.leads_to(*named, value):
            raise refusal(self.where, [".".join(named)])
        return value


class _Reader(_Judging, numpy_pickle.NumpyUnpickler):  # type: ignore[misc]  # joblib is untyped
    """joblib's own, whose arrays of objects are pickles inside the pickle."""

    def __init__(self, where: Path, stream: IO[bytes], allowed: PickleGlobals) -> None:
        super().__init__(str(where), stream, **_NATIVE)
        self.where, self.allowed = where, allowed
        self._judged: dict[tuple[str, str], Any] = {_ARRAY: _ArrayWrapper}

    def find_class(self, module: str, name: str) -> Any:
        """Forests name a few classes thousands of times."""
        if (found := self._judged.get((module, name))) is None:
            found = self._judged[module, name] = self.judged(module, name, super().find_class)
        return found


class _Inner(_Judging, pickle._Unpickler):
    """The reader in Python: that in C does not tell in which protocol, and so under which names, a pickle is."""

    def __init__(self, stream: IO[bytes], reader: _Reader) -> None:
        super().__init__(stream)
        self.where, self.allowed = reader.where, reader.allowed

    def find_class(self, module: str, name: str) -> Any:
        return self.judged(module, name, super().find_class)


class _ArrayWrapper(numpy_pickle.NumpyArrayWrapper):  # type: ignore[misc]  # joblib is untyped
    """joblib before 1.6 opens an array of objects with a reader that judges nothing."""

    def read_array(self, unpickler: _Reader, *native: bool) -> Any:
        if not self.dtype.hasobject:
            return super().read_array(unpickler, *native)
        return _Inner(unpickler.file_handle, unpickler).load()


def _modern(module: str, name: str) -> tuple[str, str]:
    """The name in Python 3 of what protocols 0 to 2 name as in Python 2."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


def _saved_with(caught: Sequence[warnings.WarningMessage]) -> str | None:
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            return str(warning.message.original_sklearn_version)
    return None


def recorded_version(file: Path) -> str | None:
    """The scikit-learn version that a pickle says it was written with, looked for without loading it."""
    try:
        with file.open("rb") as stream:
            return sklearn_version(stream)
    except OSError:  # the failure itself is already being told
        return None


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
