"""What a zygote of the model server does ahead of its forks, a function a format: imports and a first prediction.

What happens at first use then has happened before the fork. Nothing here starts a thread: a fork has only the one that
forks, and libraries that wait for their others would wait for ever.
"""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from inferplane.assembly.model_server import warm
from inferplane.dataplane.runtimes.registry import runtime

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = np.array([0, 1, 0, 1])

# The graph y = Identity(x), float[n, 2], as `onnx` writes it (IR 9, opset 18).
GRAPH = bytes.fromhex(
    "08093a410a100a017812017922084964656e746974791201675a140a0178120f0a0d080112090a0312016e0a02080262140a"
    "0179120f0a0d080112090a0312016e0a02080242040a001012"
)


ESTIMATORS = (
    "cluster",
    "compose",
    "decomposition",
    "ensemble",
    "linear_model",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "pipeline",
    "preprocessing",
    "svm",
    "tree",
)
"""The modules of scikit-learn that models are made of; a pickle imports those of its own."""


def sklearn() -> None:
    import joblib
    from sklearn.svm import SVC

    for name in ESTIMATORS:
        import_module(f"sklearn.{name}")
    with TemporaryDirectory() as directory:
        joblib.dump(SVC().fit(ROWS, CLASSES), Path(directory) / "model.joblib")
        _predict("sklearn", Path(directory))


def xgboost() -> None:
    import xgboost as library

    booster = library.train({"nthread": 1, "verbosity": 0}, library.DMatrix(ROWS, CLASSES, nthread=1), 1)
    with TemporaryDirectory() as directory:
        booster.save_model(Path(directory) / "model.ubj")
        _predict("xgboost", Path(directory))


def lightgbm() -> None:
    import lightgbm as library

    given = {"num_threads": 1, "verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    booster = library.train(given, library.Dataset(ROWS, CLASSES), 1)
    with TemporaryDirectory() as directory:
        booster.save_model(Path(directory) / "model.txt")
        _predict("lightgbm", Path(directory))


def onnx() -> None:
    with TemporaryDirectory() as directory:
        (Path(directory) / "model.onnx").write_bytes(GRAPH)
        _predict("onnx", Path(directory))


def _predict(format: str, directory: Path) -> None:
    warm()
    model = runtime(format)("warm", directory)
    model.load()
    model.predict({"instances": ROWS[:1]}, {})
    model.stop()
