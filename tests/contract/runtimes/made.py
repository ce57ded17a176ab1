"""A model of the iris data in each format, as its own library writes it. Rows 0 and 1 of ROWS are class 1."""

from collections.abc import Callable
from pathlib import Path

import joblib
import pytest
from sklearn.datasets import load_iris
from sklearn.svm import SVC

ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]


def sklearn(directory: Path) -> None:
    iris = load_iris()
    joblib.dump(SVC().fit(iris.data, iris.target), directory / "model.joblib")


def xgboost(directory: Path) -> None:
    library = pytest.importorskip("xgboost", reason="the extra xgboost is not installed")
    iris = load_iris()
    settings = {"objective": "multi:softmax", "num_class": 3, "nthread": 1, "verbosity": 0}
    booster = library.train(settings, library.DMatrix(iris.data, iris.target), 5)
    booster.save_model(directory / "model.json")


def lightgbm(directory: Path) -> None:
    library = pytest.importorskip("lightgbm", reason="the extra lightgbm is not installed")
    iris = load_iris()
    settings = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
    booster = library.train(settings, library.Dataset(iris.data, iris.target), 5)
    booster.save_model(directory / "model.bst")


def onnx(directory: Path) -> None:
    """Chooses the class by two limits on the third column."""
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    pytest.importorskip("onnx", reason="the package onnx, which makes the tests' models, is not installed")
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from tests.unit.dataplane.runtimes import graphs

    weights = np.zeros((4, 3), dtype=np.float32)
    weights[2] = (-1, 0, 1)
    values = {"w": weights, "b": np.array([2.5, 0, -4.95], dtype=np.float32)}
    nodes = [helper.make_node("Constant", [], [n], value=numpy_helper.from_array(v, n)) for n, v in values.items()]
    nodes += [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("ArgMax", ["h"], ["y"], axis=1, keepdims=0),
    ]
    x, y = ("x", TensorProto.FLOAT, ("n", 4)), ("y", TensorProto.INT64, ("n",))
    graphs.save(directory / "model.onnx", [x], [y], nodes)


MAKERS: dict[str, Callable[[Path], None]] = {
    "sklearn": sklearn,
    "xgboost": xgboost,
    "lightgbm": lightgbm,
    "onnx": onnx,
}
