"""What a zygote of the model server does ahead of its forks, a function a format: imports and a first prediction.

What happens at first use then has happened before the fork. Nothing here starts a thread: a fork has only the one that
forks, and libraries that wait for their others would wait for ever.

A function returns the rehearsal of the zygote's spares (`controlplane.node.spare`): a whole server with that model,
from its flags to an answer and its end. A spare may start threads; they have ended when it is done.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from warnings import catch_warnings, simplefilter

import numpy as np

from inferplane.assembly.model_server import rehearse, tell_libraries, warm
from inferplane.dataplane.runtimes.registry import runtime

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = np.array([0, 1, 0, 1])

BODY = b'{"instances":[[0.0,1.0]]}'

# The graph y = Identity(x), float[n, 2], as `onnx` writes it (IR 9, opset 18).
GRAPH = bytes.fromhex(
    "08093a410a100a017812017922084964656e746974791201675a140a0178120f0a0d080112090a0312016e0a02080262140a"
    "0179120f0a0d080112090a0312016e0a02080242040a001012"
)


Rehearsal = Callable[[], None]


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


def sklearn() -> Rehearsal:
    import joblib
    from sklearn.svm import SVC

    for name in ESTIMATORS:
        import_module(f"sklearn.{name}")
    with TemporaryDirectory() as directory:
        joblib.dump(SVC().fit(ROWS, CLASSES), Path(directory) / "model.joblib")
        return _predicted("sklearn", Path(directory))


def xgboost() -> Rehearsal:
    import xgboost as library

    booster = library.train({"nthread": 1, "verbosity": 0}, library.DMatrix(ROWS, CLASSES, nthread=1), 1)
    with TemporaryDirectory() as directory:
        booster.save_model(Path(directory) / "model.ubj")
        return _predicted("xgboost", Path(directory))


def lightgbm() -> Rehearsal:
    import lightgbm as library

    given = {"num_threads": 1, "verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    booster = library.train(given, library.Dataset(ROWS, CLASSES), 1)
    with TemporaryDirectory() as directory:
        booster.save_model(Path(directory) / "model.txt")
        return _predicted("lightgbm", Path(directory))


def onnx() -> Rehearsal:
    with TemporaryDirectory() as directory:
        (Path(directory) / "model.onnx").write_bytes(GRAPH)
        return _predicted("onnx", Path(directory))


def huggingface() -> Rehearsal:
    """Imports alone: what loads weights starts threads."""
    import torch

    torch.set_num_threads(1)
    for name in ("encoder", "generative"):
        import_module(f"inferplane.dataplane.runtimes.huggingface.{name}")
    for name in TRANSFORMERS:
        import_module(f"transformers.{name}")
    warm()
    return _nothing


TRANSFORMERS = (
    "modeling_utils",
    "tokenization_utils_tokenizers",
    "models.auto.modeling_auto",
    "models.auto.tokenization_auto",
    "models.bert.modeling_bert",
    "models.xlm_roberta.modeling_xlm_roberta",
)
"""What every model of transformers needs, and the classes of which most encoders are."""


def _nothing() -> None:
    """There is no rehearsal."""


def mlflow() -> None:
    """The libraries of models, where they are: which of them a model needs is known when it is there."""
    tell_libraries()
    _imported("mlflow")
    for library in ("sklearn.linear_model", "xgboost", "lightgbm"):
        if find_spec(library.partition(".")[0]) is not None:
            import_module(library)


def pmml() -> None:
    """Without Java, whose threads a fork would not have."""
    _imported("pmml")


def paddle() -> None:
    _imported("paddle")


def _imported(format: str) -> None:
    warm()
    runtime(format)


def pytorch() -> Rehearsal:
    """TorchScript is what is quickest to make; what exported programs need is imported beside it."""
    import torch

    torch.set_num_threads(1)
    import_module("torch.export")
    with TemporaryDirectory() as directory, catch_warnings():
        simplefilter("ignore")  # that TorchScript is deprecated
        torch.jit.script(torch.nn.Linear(2, 1)).save(Path(directory) / "model.pt")
        return _predicted("pytorch", Path(directory))


def _predicted(format: str, directory: Path) -> Rehearsal:
    warm()
    model = runtime(format)("warm", directory)
    model.load()
    model.predict({"instances": ROWS[:1]}, {})
    model.stop()
    [file] = directory.iterdir()
    return partial(_rehearse, format, file.name, file.read_bytes())


def _rehearse(format: str, name: str, content: bytes) -> None:
    with TemporaryDirectory() as directory:
        (Path(directory) / name).write_bytes(content)
        rehearse(format, Path(directory), BODY)
