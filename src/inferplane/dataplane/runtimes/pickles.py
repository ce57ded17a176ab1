"""Pickles of scikit-learn estimators: what is inside, which version wrote it, and what to do when it cannot be read."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from inferplane.dataplane.runtimes.single_file import one_line
from inferplane.inference.errors import ModelLoadError
from inferplane.inference.recorded_versions import sklearn_version


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
