"""scikit-learn's estimators below their checks: what `predict` comes to for rows that are known to be good.

Before an estimator computes, scikit-learn asks whether it is fitted, what its rows might be and whether they fit, and a
forest sets up a thread pool: 85 of the 100 µs that an SVC takes for two rows, 2.6 of 3.4 ms of a forest of 100 trees.
Here the rows are a finite table of numbers of the right width, or it is left to the public method, which also words the
errors.

What an estimator comes to is tried on the first rows of each type of numbers, beside its public method. Where the two
differ in a single bit (another version of the library, say), or something is missing, there is no direct way, and
nothing is lost but speed. Subclasses have none. Estimators go by their names here: importing them all takes a second.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from inferplane.inference.tensors import Array

Compute: TypeAlias = Callable[[Array], Array]
"""[rows, features], contiguous and finite → one answer a row; `_Refused` for what `predict` has to judge."""

TRIALS = 3
"""Calls with rows of one type that are computed both ways before the direct one is trusted."""

_TYPES = (np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.int32))


class Direct:
    """One method of one estimator, `public`, and what it comes to."""

    def __init__(self, compute: Compute, public: Callable[[Array], object], width: int) -> None:
        self._compute = compute
        self._public = public
        self._width = width
        self._trials = dict.fromkeys(_TYPES, TRIALS)

    def __call__(self, rows: object) -> object | None:
        """The answers, one a row; None where the public method is to be asked. Raises what that raises."""
        if type(rows) is not np.ndarray or (trials := self._trials.get(rows.dtype)) is None or rows.ndim != 2:
            return None
        if rows.shape[1] != self._width or not len(rows) or not rows.flags.c_contiguous or not _is_finite(rows):
            return None
        try:
            found = self._compute(rows)
        except _Refused:
            return None
        except Exception:
            if not trials:
                raise
            found = None
        return self._tried(rows, found) if trials else found

    def _tried(self, rows: Array, found: Array | None) -> object:
        expected = self._public(rows)
        if found is None or not _is_same(found, expected):
            self._trials.pop(rows.dtype, None)
        elif rows.dtype in self._trials:
            self._trials[rows.dtype] -= 1
        return expected


class _Refused(Exception):
    """What is unusual about an estimator, or about its rows between two steps, and for the public method to judge."""


def direct(estimator: object, method: str) -> Direct | None:
    """The direct way through `method`, if there is one."""
    width = getattr(estimator, "n_features_in_", None)
    if not isinstance(width, int) or width < 1:
        return None
    try:
        compute = _compute(estimator, method)
    except Exception:  # whatever another version of the library does not have: the public method does the work
        return None
    return None if compute is None else Direct(compute, getattr(estimator, method), width)


def _is_same(found: Array, expected: object) -> bool:
    """To the last bit."""
    if not isinstance(expected, np.ndarray):
        return False
    return (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


def _is_finite(rows: Array) -> bool:
    return bool(np.isfinite(rows).all())


def _compute(estimator: Any, method: str) -> Compute | None:
    kind = type(estimator)
    if not kind.__module__.startswith("sklearn."):
        return None
    if kind.__qualname__ == "Pipeline":
        return _pipeline([step for _, step in estimator.steps], method)
    made = _WAYS.get(kind.__qualname__, {}).get(method)
    return None if made is None else made(estimator)


def _pipeline(steps: Sequence[Any], method: str) -> Compute | None:
    last = _compute(steps[-1], method)
    before = [_compute(step, "transform") for step in steps[:-1] if step not in (None, "passthrough")]
    transforms = [step for step in before if step is not None]
    if last is None or len(transforms) < len(before):
        return None
    final = last

    def compute(rows: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            for transform in transforms:
                rows = transform(rows)
        if transforms and not _is_finite(rows):
            raise _Refused
        return final(rows)

    return compute


def _svm_values(svm: Any) -> Compute:
    if svm._sparse or callable(svm.kernel) or svm.kernel == "precomputed":
        raise _Refused
    predict: Compute = svm._dense_predict
    return lambda rows: predict(rows.astype(np.float64, copy=False))


def _svm_labels(svm: Any) -> Compute:
    if svm.break_ties:
        raise _Refused
    values, classes = _svm_values(svm), svm.classes_
    return lambda rows: classes.take(values(rows).astype(np.intp))


def _narrowed(rows: Array) -> Array:
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32, copy=False)
    if not _is_finite(narrow):
        raise _Refused
    return narrow


def _tree(tree: Any) -> Compute:
    """For a classifier the shares of the classes, for a regressor one column."""
    if tree.n_outputs_ != 1:
        raise _Refused
    predict, width = tree.tree_.predict, getattr(tree, "n_classes_", 1)
    return lambda narrow: predict(narrow)[:, :width]


def _tree_shares(tree: Any) -> Compute:
    shares = _tree(tree)
    return lambda rows: shares(_narrowed(rows))


def _labels_of(shares: Callable[[Any], Compute]) -> Callable[[Any], Compute]:
    def made(estimator: Any) -> Compute:
        of_classes, classes = shares(estimator), estimator.classes_
        return lambda rows: classes.take(np.argmax(of_classes(rows), axis=1), axis=0)

    return made


def _tree_values(tree: Any) -> Compute:
    values = _tree_shares(tree)
    return lambda rows: values(rows)[:, 0]


def _forest(forest: Any) -> Compute:
    """The mean over the trees, added up in their order."""
    if forest.n_jobs not in (None, 1):
        raise _Refused
    trees = [_tree(tree) for tree in forest.estimators_]
    width = getattr(forest, "n_classes_", 1)

    def compute(rows: Array) -> Array:
        narrow = _narrowed(rows)
        mean = np.zeros((len(rows), width))
        for tree in trees:
            mean += tree(narrow)
        mean /= len(trees)
        return mean

    return compute


def _forest_values(forest: Any) -> Compute:
    values = _forest(forest)
    return lambda rows: values(rows)[:, 0]


def _linear_values(model: Any) -> Callable[[Array], Any]:
    coefficients, intercept = model.coef_.T, model.intercept_
    return lambda rows: rows @ coefficients + intercept


def _linear_labels(model: Any) -> Compute:
    scores, classes = _linear_values(model), model.classes_
    if len(classes) > 2:
        return lambda rows: classes.take(scores(rows).argmax(axis=1), axis=0)
    return lambda rows: classes.take((scores(rows).ravel() > 0).astype(np.intp), axis=0)


def _copied(rows: Array) -> Any:
    """As the scalers take rows, which then stay in their type."""
    return rows.astype(rows.dtype if rows.dtype.kind == "f" else np.float64)


def _standard_scaled(scaler: Any) -> Compute:
    mean = scaler.mean_ if scaler.with_mean else None
    scale = scaler.scale_ if scaler.with_std else None

    def compute(rows: Array) -> Array:
        scaled = _copied(rows)
        if mean is not None:
            scaled -= mean
        if scale is not None:
            scaled /= scale
        return cast(Array, scaled)

    return compute


def _minmax_scaled(scaler: Any) -> Compute:
    if scaler.clip:
        raise _Refused
    scale, least = scaler.scale_, scaler.min_

    def compute(rows: Array) -> Array:
        scaled = _copied(rows)
        scaled *= scale
        scaled += least
        return cast(Array, scaled)

    return compute


_TREE_CLASSIFIER = {"predict": _labels_of(_tree_shares), "predict_proba": _tree_shares}
_FOREST_CLASSIFIER = {"predict": _labels_of(_forest), "predict_proba": _forest}
_WAYS: dict[str, dict[str, Callable[[Any], Compute]]] = {
    "SVC": {"predict": _svm_labels},
    "NuSVC": {"predict": _svm_labels},
    "SVR": {"predict": _svm_values},
    "NuSVR": {"predict": _svm_values},
    "DecisionTreeClassifier": _TREE_CLASSIFIER,
    "ExtraTreeClassifier": _TREE_CLASSIFIER,
    "DecisionTreeRegressor": {"predict": _tree_values},
    "ExtraTreeRegressor": {"predict": _tree_values},
    "RandomForestClassifier": _FOREST_CLASSIFIER,
    "ExtraTreesClassifier": _FOREST_CLASSIFIER,
    "RandomForestRegressor": {"predict": _forest_values},
    "ExtraTreesRegressor": {"predict": _forest_values},
    "LogisticRegression": {"predict": _linear_labels},
    "LinearSVC": {"predict": _linear_labels},
    "SGDClassifier": {"predict": _linear_labels},
    "Perceptron": {"predict": _linear_labels},
    "LinearRegression": {"predict": _linear_values},
    "Ridge": {"predict": _linear_values},
    "Lasso": {"predict": _linear_values},
    "ElasticNet": {"predict": _linear_values},
    "StandardScaler": {"transform": _standard_scaled},
    "MinMaxScaler": {"transform": _minmax_scaled},
}
