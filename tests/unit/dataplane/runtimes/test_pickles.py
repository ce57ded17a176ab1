"""What a pickle may use when it is opened, and what is said about the rest."""

import io
import os
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped]  # published without type information
from joblib import numpy_pickle
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler

from inferplane.dataplane.runtimes.pickle_globals import ALL, PickleGlobals, PickleRefused
from inferplane.dataplane.runtimes.pickles import unpickled
from inferplane.inference.errors import ModelLoadError

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]] * 4)
CLASSES = [0, 1, 0, 1] * 4


class Ours:
    """A class of one's own."""


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, (self.command,))


def refused(file: Path, *allowed: str) -> str:
    with pytest.raises(PickleRefused) as caught:
        unpickled(file, PickleGlobals(allowed))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# What may.

FITTED = [
    LogisticRegression().fit(ROWS, CLASSES),
    RandomForestClassifier(n_estimators=3).fit(ROWS, CLASSES),
    HistGradientBoostingClassifier(max_iter=2).fit(ROWS, CLASSES),
    KNeighborsClassifier(algorithm="kd_tree", n_neighbors=2).fit(ROWS, CLASSES),
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, scoring="accuracy").fit(ROWS, CLASSES),
    make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES),
    make_pipeline(FunctionTransformer(np.clip, kw_args={"a_min": 0, "a_max": 1}), StandardScaler()).fit(ROWS),
    TfidfVectorizer(token_pattern="[a-z]+").fit(["to be", "or not"]),
    ColumnTransformer([("one", OneHotEncoder(), [0])]).fit(np.array([["a"], ["b"]], dtype=object)),
    SplineTransformer(n_knots=3).fit(ROWS),
]


@pytest.mark.parametrize("estimator", FITTED, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_fitted_estimators_are_opened(tmp_path: Path, estimator: object, protocol: int) -> None:
    file = tmp_path / "model.joblib"
    joblib.dump(estimator, file, protocol=protocol)
    assert type(unpickled(file)[0]) is type(estimator)
    assert type(unpickled(written(file, pickle.dumps(estimator, protocol)))[0]) is type(estimator)


@pytest.mark.parametrize("compress", [0, 3, "gzip", "bz2", "xz"])
def test_numbers_and_objects_in_arrays_are_what_joblib_reads(tmp_path: Path, compress: int | str) -> None:
    wanted = {
        "rows": ROWS,
        "fortran": np.asfortranarray(ROWS),
        "words": np.array([["a", "b"], ["c", None]], dtype=object),
        "swapped": ROWS.astype(">f8"),
        "empty": np.zeros((0, 3)),
    }
    joblib.dump(wanted, tmp_path / "model.joblib", compress=compress)
    found = unpickled(tmp_path / "model.joblib")[0]
    assert isinstance(found, dict)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_an_array_that_was_mapped_when_it_was_saved_is_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    joblib.dump({"rows": np.load(tmp_path / "rows.npy", mmap_mode="r")}, tmp_path / "model.joblib")
    found = unpickled(tmp_path / "model.joblib")[0]
    assert isinstance(found, dict)
    assert type(found["rows"]) is np.ndarray
    np.testing.assert_array_equal(found["rows"], ROWS)


# What may not.


def test_a_command_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    joblib.dump(Pipeline([("x", Command(f"touch {trace}"))]), tmp_path / "model.pkl")
    said = refused(tmp_path / "model.pkl")
    assert f"{tmp_path / 'model.pkl'}: not opened, because it uses posix.system" in said
    assert "--allow_pickle_globals=posix.system, or the annotation inferplane.dev/allow-pickle-globals" in said
    assert not trace.exists()


def test_a_command_in_an_array_of_objects_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    joblib.dump({"x": np.array([Command(f"touch {trace}")], dtype=object)}, tmp_path / "model.joblib")
    assert "it uses posix.system" in refused(tmp_path / "model.joblib")
    assert not trace.exists()


def stacked(module: str, name: str, *arguments: str) -> bytes:
    """A call by STACK_GLOBAL with a name that is put together from the memo, as those write who hide it."""
    texts = [b"\x8c" + bytes([len(one)]) + one.encode() for one in (module, name, *arguments)]
    called = b"".join(texts[2:])
    return b"\x80\x04" + texts[0] + b"\x94" + texts[1] + b"\x9400h\x00h\x01\x93(" + called + b"tR."


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (stacked("os", "system", "true"), "os.system"),
        (stacked("builtins", "getattr", "a", "upper"), "builtins.getattr"),
        (stacked("builtins", "exec", "1"), "builtins.exec"),
        (stacked("builtins", "__import__", "antigravity"), "builtins.__import__"),
        (stacked("subprocess", "Popen", "true"), "subprocess.Popen"),
        (stacked("operator", "attrgetter", "x"), "operator.attrgetter"),
        (stacked("importlib", "import_module", "antigravity"), "importlib.import_module"),
        # Allowed modules have others in them.
        (stacked("sklearn.base", "os.system", "true"), "sklearn.base.os.system"),
        (stacked("joblib.parallel", "os.system", "true"), "joblib.parallel.os.system"),
        (stacked("sklearn.base", "BaseEstimator.__class__", "x"), "sklearn.base.BaseEstimator.__class__"),
        (stacked("numpy", "ndarray.tofile", "x"), "numpy.ndarray.tofile"),
        (stacked("numpy", "load", "x"), "numpy.load"),
        (stacked("numpy", "fromfile", "x"), "numpy.fromfile"),
        (stacked("numpy", "sys.modules.get", "os"), "numpy.sys.modules.get"),
        (stacked("numpy._core", "_ufunc_reconstruct", "os", "system"), "numpy._core._ufunc_reconstruct"),
        (stacked("numpy.testing._private.utils", "runstring", "1", "x"), "numpy.testing._private.utils.runstring"),
        (stacked("pandas", "read_pickle", "x"), "pandas.read_pickle"),
        (stacked("pandas", "eval", "1"), "pandas.eval"),
        (stacked("joblib", "load", "x"), "joblib.load"),
        (stacked("joblib.memory", "Memory", "x"), "joblib.memory.Memory"),
        (stacked("pandas.api.typing", "StataReader", "x"), "pandas.api.typing.StataReader"),
        (stacked("pandas", "HDFStore", "x"), "pandas.HDFStore"),
        (stacked("numpy", "DataSource", "x"), "numpy.DataSource"),
        (stacked("xgboost.tracker", "RabitTracker", "x"), "xgboost.tracker.RabitTracker"),
        (stacked("sklearn.datasets", "load_svmlight_file", "x"), "sklearn.datasets.load_svmlight_file"),
        (stacked("sklearn.tree", "export_graphviz", "x"), "sklearn.tree.export_graphviz"),
        (stacked("scipy.io", "loadmat", "x"), "scipy.io.loadmat"),
        (stacked("sklearn", "__main__.x", "x"), "sklearn.__main__.x"),
        (stacked("xgboost.__main__", "x", "x"), "xgboost.__main__.x"),
    ],
)
def test_what_runs_reads_or_writes_is_named_and_not_opened(tmp_path: Path, content: bytes, named: str) -> None:
    pickletools.dis(content, out=io.StringIO())  # it is a pickle
    file = written(tmp_path / "model.pkl", content)
    with pytest.raises(ModelLoadError) as caught:
        unpickled(file)
    if not isinstance(caught.value, PickleRefused):  # a name that the library does not have in this version
        assert "AttributeError" in str(caught.value)
    else:
        assert f"it uses {named}" in str(caught.value)


def test_a_distribution_of_scipy_runs_the_text_that_it_was_saved_with_and_is_refused(tmp_path: Path) -> None:
    joblib.dump(scipy.stats.uniform(0, 1), tmp_path / "model.pkl")
    assert "scipy.stats" in refused(tmp_path / "model.pkl")
    assert unpickled(tmp_path / "model.pkl", PickleGlobals(["scipy.stats"]))[0] is not None


# What whoever serves the model allows.


@pytest.mark.parametrize("pattern", [f"{__name__}.*", __name__, f"{__name__}.Ours", "*.Ours", ALL])
def test_a_class_of_ones_own_is_allowed_by_a_pattern(tmp_path: Path, pattern: str) -> None:
    joblib.dump(Ours(), tmp_path / "model.pkl")
    assert f"--allow_pickle_globals={__name__.partition('.')[0]}.*" in refused(tmp_path / "model.pkl")
    assert type(unpickled(tmp_path / "model.pkl", PickleGlobals([pattern]))[0]) is Ours


def test_a_pattern_allows_nothing_else(tmp_path: Path) -> None:
    joblib.dump([Ours(), Command("true")], tmp_path / "model.pkl")
    assert "it uses posix.system" in refused(tmp_path / "model.pkl", f"{__name__}.*")
    assert f"it uses {__name__}.Ours" in refused(tmp_path / "model.pkl", f"{__name__}.Our", "posix")


def test_a_class_of_the_training_script_is_told_apart(tmp_path: Path) -> None:
    said = refused(written(tmp_path / "model.pkl", b"c__main__\nMyScaler\n."))
    assert "it uses __main__.MyScaler" in said
    assert "move it into a module" in said


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """joblib's reader of arrays before 1.6: a pickle in an array is opened by pickle itself."""

    def read_array(wrapper: object, unpickler: object, *native: bool) -> NDArray[np.object_]:
        opened: NDArray[np.object_] = pickle.load(unpickler.file_handle)  # type: ignore[attr-defined]  # joblib's
        return opened

    monkeypatch.setattr(numpy_pickle.NumpyArrayWrapper, "read_array", read_array)
    return read_array


def test_an_older_joblib_is_not_trusted_with_arrays_of_objects(tmp_path: Path, older: Callable[..., object]) -> None:
    trace = tmp_path / "trace"
    joblib.dump({"x": np.array([Command(f"touch {trace}")], dtype=object)}, tmp_path / "model.joblib")
    assert "it uses posix.system" in refused(tmp_path / "model.joblib")
    assert not trace.exists()


def test_estimators_of_xgboost_and_lightgbm_and_data_frames_are_opened(tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    xgboost = pytest.importorskip("xgboost", reason="the extra xgboost is not installed")
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": pandas.Categorical(["u", "v"])})
    wanted = [
        xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(ROWS, CLASSES),
        lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(ROWS, CLASSES),
        frame.set_index(pandas.DatetimeIndex(["2026-01-01", "2026-01-02"])),
    ]
    joblib.dump(wanted, tmp_path / "model.joblib")
    found = unpickled(tmp_path / "model.joblib")[0]
    assert isinstance(found, list)
    assert [type(one) for one in found] == [type(one) for one in wanted]
