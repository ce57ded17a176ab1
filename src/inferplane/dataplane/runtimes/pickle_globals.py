"""Which classes and functions a pickle may use. Opening a pickle calls what it names: `os.system` as well as an SVC.

A name is judged twice. As the pickle has it, before its module is imported, since that runs code too; then as what it
turned out to be, because a name may lead elsewhere (`joblib.parallel`, `os.system`). What is let through can build a
model and cannot run a command, open a file or import a module:

- classes of the libraries in `LIBRARIES`, except where one does more than keep values (`_NEVER`);
- functions that rebuild arrays and frames, and plain computations that transformers refer to;
- of Python's own, `_PLAIN`.

Anything else has to be allowed by whoever serves the model: `mymodule.*`, or ALL. Decision 0042 has the reasons.
"""

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from inferplane.inference.errors import ModelLoadError

ALL = "ALL"
LIBRARIES = ("sklearn", "numpy", "scipy", "pandas", "xgboost", "lightgbm", "catboost", "imblearn")

_PLAIN = frozenset(
    {f"builtins.{name}" for name in ("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int")}
    | {f"builtins.{name}" for name in ("list", "object", "range", "set", "slice", "str", "tuple")}
    | {f"builtins.{name}" for name in ("Ellipsis", "NotImplemented")}
    | {f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")}
    | {f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")}
    | {
        "_codecs.encode",
        "array._array_reconstructor",
        "array.array",
        "copyreg.__newobj__",
        "copyreg._reconstructor",
        "decimal.Decimal",
        "fractions.Fraction",
        "functools.partial",
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "operator.itemgetter",
        "pandas._libs.missing.NA",
        # Texts of pandas 3.
        "pyarrow.lib._restore_array",
        "pyarrow.lib.chunked_array",
        "pyarrow.lib.py_buffer",
        "pyarrow.lib.type_for_alias",
        "random.Random",
        "re._compile",
        "types.SimpleNamespace",
        "uuid.UUID",
    }
)

# Parts of the libraries that open files, start programs or evaluate text. scipy.stats: a distribution runs the text
# that it was pickled with, as code, when it is unpickled.
_NEVER = (
    "catboost.datasets",
    "catboost.utils",
    "imblearn.datasets",
    "imblearn.keras",
    "imblearn.tensorflow",
    "imblearn.utils",
    "lightgbm.dask",
    "numpy.DataSource",
    "numpy.compat",
    "numpy.ctypeslib",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.lib",
    "numpy.testing",
    "pandas.api",
    "pandas.compat",
    "pandas.core.computation",
    "pandas.io",
    "pandas.plotting",
    "pandas.testing",
    "pandas.util",
    "scipy.LowLevelCallable",
    "scipy._lib._ccallback",
    "scipy._lib._docscrape",
    "scipy._lib._testutils",
    "scipy._lib._tmpdirs",
    "scipy._lib._uarray",
    "scipy._lib.uarray",
    "scipy.datasets",
    "scipy.io",
    "scipy.stats",
    "sklearn.conftest",
    "sklearn.datasets",
    "sklearn.externals",
    "sklearn.utils._mocking",
    "sklearn.utils._testing",
    "sklearn.utils.estimator_checks",
    "xgboost.collective",
    "xgboost.dask",
    "xgboost.federated",
    "xgboost.spark",
    "xgboost.testing",
    "xgboost.tracker",
)

# Modules that do something when they are imported.
_PROGRAMS = frozenset({"__main__", "conftest", "setup", "tests"})

# Functions are let through by where they are defined: these compute from what they are given.
_COMPUTING = (
    "numpy.linalg",
    "scipy._lib.array_api_compat.numpy",
    "scipy.spatial.distance",
    "scipy.special",
    "sklearn._loss",
    "sklearn.cluster",
    "sklearn.feature_extraction",
    "sklearn.feature_selection",
    "sklearn.gaussian_process",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.neighbors",
    "sklearn.preprocessing",
)
_REBUILDING = ("newObj", "__pyx_unpickle_", "_unpickle_", "_new_", "_timedelta_unpickle", "_nat_unpickle", "new_block")
_NUMPY = frozenset(
    {
        "_frombuffer",
        "_reconstruct",
        "scalar",
        "__bit_generator_ctor",
        "__generator_ctor",
        "__randomstate_ctor",
        "_mareconstruct",
    }
    | {"all", "amax", "amin", "any", "argmax", "argmin", "argsort", "around", "array", "asarray", "ascontiguousarray"}
    | {"clip", "concatenate", "cumprod", "cumsum", "diff", "dot", "expand_dims", "flip", "hstack", "max", "mean"}
    | {"median", "min", "nan_to_num", "nanmax", "nanmean", "nanmedian", "nanmin", "nanstd", "nansum", "nanvar"}
    | {"ones_like", "percentile", "prod", "quantile", "ravel", "reshape", "round", "sort", "squeeze", "stack", "std"}
    | {"sum", "transpose", "unique", "var", "vstack", "where", "zeros_like"}
)


class PickleRefused(ModelLoadError):
    """A pickle names what it may not use."""


class PickleGlobals:
    """What is allowed beside the libraries: patterns of `module.name` (`mymodule.*`, or `mymodule`), or ALL."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self.any = ALL in allowed
        self._patterns = tuple(allowed)

    def names(self, module: str, name: str) -> bool:
        """May a pickle name this? Judged before anything is imported."""
        full = f"{module}.{name}"
        if self.any or full in _PLAIN or self.allows(full):
            return True
        return _root(module) in LIBRARIES and not _within(full, _NEVER) and _PROGRAMS.isdisjoint(module.split("."))

    def leads_to(self, module: str, name: str, found: object) -> bool:
        """May it have what that name led to?"""
        full = f"{module}.{name}"
        return self.any or full in _PLAIN or self.allows(full) or _is_harmless(found)

    def allows(self, full: str) -> bool:
        """Whether whoever serves the model allows it."""
        return any(fnmatchcase(full, one) or full.startswith(f"{one}.") for one in self._patterns)


def refusal(where: object, names: Sequence[str]) -> PickleRefused:
    """`names`: what was refused, as `module.name`, the first first."""
    what = ", ".join(names)
    uses = f"{where}: not opened, because it uses {what}"
    allowing = (
        f"--allow_pickle_globals={','.join(_patterns(names))}, or the annotation inferplane.dev/allow-pickle-globals"
    )
    first = names[0].partition(".")[0]
    if first == "__main__":
        return PickleRefused(
            uses,
            fix="the class was defined in the script that saved the model; move it into a module, save the model "
            "again, install that module where the model is served, and allow it: --allow_pickle_globals=MODULE.*",
        )
    if first in sys.stdlib_module_names:
        return PickleRefused(
            f"{uses}, which no model has to and which can run any program",
            fix=f"do not serve it unless you know why it is there; {allowing}",
        )
    return PickleRefused(
        f"{uses}, which is not of the libraries that a pickle may use ({', '.join(LIBRARIES)})",
        fix=f"if you trust the file: {allowing}",
    )


def _patterns(names: Sequence[str]) -> list[str]:
    """The narrowest that are still short: a module of one's own as a whole, of a known library the very name."""
    known = {*LIBRARIES, *sys.stdlib_module_names}
    return list(dict.fromkeys(one if _root(one) in known else f"{_root(one)}.*" for one in names))


def _root(dotted: str) -> str:
    return dotted.partition(".")[0]


def _within(full: str, parts: Sequence[str]) -> bool:
    return any(full == part or full.startswith(f"{part}.") for part in parts)


def _is_harmless(found: object) -> bool:
    module, name = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    if isinstance(found, type):
        full = f"{module}.{name}"
        return full in _PLAIN or (_root(full) in LIBRARIES and not _within(full, _NEVER) and _keeps_values(full))
    if type(found).__module__ == "numpy" and type(found).__qualname__ == "ufunc":
        return True
    # A module, or a method that was reached through its class, has no such two names.
    if not callable(found) or not isinstance(module, str) or not isinstance(name, str) or "." in name:
        return False
    if _root(module) == "numpy" and name in _NUMPY:
        return True
    if _root(module) not in LIBRARIES or _within(f"{module}.{name}", _NEVER):
        return False
    return _within(module, _COMPUTING) or name.startswith(_REBUILDING)


def _keeps_values(full: str) -> bool:
    """pandas gives its readers and writers of files the module `pandas` too."""
    return not full.startswith(("pandas.HDF", "pandas.Excel", "numpy.memmap"))
