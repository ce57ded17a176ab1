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

from inferplane.dataplane.runtimes.direct import direct
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
FINITE = st.floats(-1e6, 1e6)


@pytest.mark.parametrize("name", KNOWN)
@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 9).flatmap(lambda count: arrays(np.float64, (count, 4), elements=FINITE)))
def test_answers_have_the_bits_of_the_public_method(name: str, rows: Array) -> None:
    estimator, method = FITTED[name]
    way = direct(estimator, method)
    assert way is not None
    found, expected = way(rows), getattr(estimator, method)(rows)
    assert found is not None
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
        np.zeros((1, 4), dtype=np.float32),
        np.zeros((1, 4), dtype=object),
        np.zeros((4, 2)).T,
        [[0.0] * 4],
    ],
    ids=["nan", "infinity", "width", "one dimension", "no rows", "float32", "objects", "order", "a list"],
)
def test_rows_that_have_to_be_judged_are_left_to_the_public_method(name: str, rows: object) -> None:
    way = direct(*FITTED[name])
    assert way is not None
    assert way(rows) is None


def test_what_no_float32_holds_is_for_a_tree_to_refuse() -> None:
    way = direct(*FITTED["tree"])
    assert way is not None
    assert way(np.array([[1e39, 0.0, 0.0, 0.0]])) is None


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


def test_a_way_that_differs_from_the_public_method_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = SVR().fit(ROWS, CLASSES)
    assert direct(estimator, "predict") is not None
    monkeypatch.setattr(estimator, "_dense_predict", lambda rows: np.nextafter(SVR._dense_predict(estimator, rows), 9))
    monkeypatch.setattr(estimator, "predict", lambda rows: SVR._dense_predict(estimator, rows))
    assert direct(estimator, "predict") is None
