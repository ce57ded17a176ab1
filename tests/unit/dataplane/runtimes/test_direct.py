"""The direct way through an estimator gives its public method's answers to the last bit, or leaves rows to it."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from inferplane.dataplane.runtimes.direct import TRIALS, Direct, direct
from inferplane.inference.tensors import Array

ROWS, CLASSES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[CLASSES]
TWO = CLASSES > 0

KNOWN = {
    "svc": (SVC(), CLASSES, "predict"),
    "svc of names": (SVC(kernel="poly"), NAMES, "predict"),
    "nu-svc of two": (NuSVC(), TWO, "predict"),
    "svr": (SVR(), ROWS[:, 0] * 2, "predict"),
    "tree": (DecisionTreeClassifier(), NAMES, "predict"),
    "tree, shares": (DecisionTreeClassifier(max_depth=2), CLASSES, "predict_proba"),
    "tree of values": (DecisionTreeRegressor(), ROWS[:, 0], "predict"),
    "extra tree": (ExtraTreeRegressor(), ROWS[:, 0], "predict"),
    "forest": (RandomForestClassifier(7), NAMES, "predict"),
    "forest, shares": (RandomForestClassifier(7), CLASSES, "predict_proba"),
    "extra trees": (ExtraTreesClassifier(5), CLASSES, "predict"),
    "forest of values": (RandomForestRegressor(7), ROWS[:, 0], "predict"),
    "logistic": (LogisticRegression(max_iter=300), NAMES, "predict"),
    "logistic of two": (LogisticRegression(max_iter=300), TWO, "predict"),
    "linear svm": (LinearSVC(), CLASSES, "predict"),
    "gradient descent": (SGDClassifier(), CLASSES, "predict"),
    "linear": (LinearRegression(), ROWS[:, 0], "predict"),
    "ridge of two targets": (Ridge(), ROWS[:, :2], "predict"),
    "pipeline": (make_pipeline(StandardScaler(), SVC()), CLASSES, "predict"),
    "scalers": (make_pipeline(MinMaxScaler(), "passthrough", StandardScaler(with_mean=False), SVC()), TWO, "predict"),
}  # fmt: skip
UNKNOWN = {
    "break ties": (SVC(break_ties=True, decision_function_shape="ovr"), CLASSES, "predict"),
    "own kernel": (SVC(kernel=lambda a, b: a @ b.T), CLASSES, "predict"),
    "several targets": (DecisionTreeRegressor(), ROWS[:, :2], "predict"),
    "threads": (RandomForestClassifier(3, n_jobs=2), CLASSES, "predict"),
    "unknown step": (make_pipeline(PolynomialFeatures(), SVC()), CLASSES, "predict"),
    "unknown method": (LogisticRegression(max_iter=300), CLASSES, "predict_proba"),
}


class Own(SVC):  # type: ignore[misc]  # scikit-learn has no types
    """A subclass may do anything."""


def fitted(case: tuple[Any, Array, str]) -> tuple[Any, str]:
    estimator, targets, method = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(ROWS, targets), method


FITTED = {name: fitted(case) for name, case in KNOWN.items()}
NUMBERS: dict[type, st.SearchStrategy[Any]] = {
    np.float64: st.floats(-1e6, 1e6),
    np.float32: st.floats(-1e6, 1e6, width=32),
    np.int64: st.integers(-1000, 1000),
}
TABLES = st.sampled_from(list(NUMBERS)).flatmap(
    lambda kind: st.integers(1, 9).flatmap(lambda count: arrays(kind, (count, 4), elements=NUMBERS[kind]))
)


def trusted(estimator: Any, method: str, dtype: np.dtype[Any] = ROWS.dtype) -> Direct:
    """The direct way, after its trials."""
    way = direct(estimator, method)
    assert way is not None
    for _ in range(TRIALS):
        assert way(ROWS[:2].astype(dtype)) is not None
    way._public = refusing
    return way


def refusing(rows: Array) -> object:
    raise AssertionError("the public method was asked")


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=20, deadline=None)
@given(rows=TABLES)
def test_answers_have_the_bits_of_the_public_method(name: str, rows: Array) -> None:
    estimator, method = FITTED[name]
    way, expected = trusted(estimator, method, rows.dtype), getattr(estimator, method)(rows)
    found = way(rows)
    assert isinstance(found, np.ndarray)
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["svc", "forest", "linear", "pipeline"])
@pytest.mark.parametrize(
    "rows",
    [
        np.array([[1.0, np.nan, 1.0, 1.0]]),
        np.array([[1.0, np.inf, 1.0, 1.0]]),
        np.zeros((1, 3)),
        np.zeros(4),
        np.zeros((0, 4)),
        np.zeros((1, 4), dtype=np.float16),
        np.zeros((1, 4), dtype=object),
        np.zeros((4, 2)).T,
        [[0.0] * 4],
    ],
    ids=["nan", "infinity", "width", "one dimension", "no rows", "float16", "objects", "order", "a list"],
)
def test_rows_that_have_to_be_judged_are_left_to_the_public_method(name: str, rows: object) -> None:
    assert trusted(*FITTED[name])(rows) is None


def test_what_no_float32_holds_is_for_a_tree_to_refuse() -> None:
    assert trusted(*FITTED["tree"])(np.array([[1e39, 0.0, 0.0, 0.0]])) is None


def test_a_step_that_overflows_leaves_the_rows_to_the_public_method() -> None:
    scaler = StandardScaler().fit(ROWS * 1e-150)
    way = direct(make_pipeline(scaler, SVC()).fit(ROWS * 1e-150, CLASSES), "predict")
    assert way is not None
    assert way(np.full((1, 4), 1e300)) is None


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_has_no_direct_way(name: str) -> None:
    estimator, method = fitted(UNKNOWN[name])
    assert direct(estimator, method) is None


def test_a_subclass_has_no_direct_way() -> None:
    assert direct(Own().fit(ROWS, CLASSES), "predict") is None


def test_an_estimator_that_is_not_fitted_has_no_direct_way() -> None:
    assert direct(SVC(), "predict") is None


class Counting:
    """The public method of an estimator, and how often it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, rows: Array) -> object:
        self.asked += 1
        return self.answer


def test_the_public_method_is_asked_until_the_direct_way_is_trusted() -> None:
    public = Counting(np.array([2.0]))
    way = Direct(lambda rows: np.array([2.0]), public, 1)
    answers = [way(np.array([[1.0]])) for _ in range(TRIALS + 2)]
    assert answers == [np.array([2.0])] * (TRIALS + 2)
    assert public.asked == TRIALS


@pytest.mark.parametrize("other", [np.array([np.nextafter(2.0, 3)]), np.array([2]), np.array([[2.0]]), [2.0]])
def test_a_way_that_differs_in_a_bit_is_given_up(other: object) -> None:
    way = Direct(lambda rows: np.array([2.0]), Counting(other), 1)
    assert way(np.array([[1.0]])) is other
    assert way(np.array([[1.0]])) is None
    assert way(np.array([[1]])) is other, "another type of numbers has trials of its own"


def test_a_way_that_fails_is_given_up() -> None:
    def broken(rows: Array) -> Array:
        raise AttributeError("_dense_predict")

    way = Direct(broken, Counting(np.array([2.0])), 1)
    assert way(np.array([[1.0]])) == np.array([2.0])
    assert way(np.array([[1.0]])) is None
