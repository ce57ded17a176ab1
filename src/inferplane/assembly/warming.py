"""What a zygote of the model server does ahead of its forks, a function a format: imports and a first prediction.

What happens at first use then has happened before the fork. Nothing here starts a thread: a fork has only the one that
forks, and libraries that wait for their others would wait for ever.

A function returns the rehearsal of the zygote's spares (`controlplane.node.spare`): a whole server with that model,
from its flags to an answer and its end. A spare may start threads; they have ended when it is done.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from warnings import catch_warnings, simplefilter

import numpy as np
import orjson

from inferplane.assembly.model_server import rehearse, tell_libraries, warm
from inferplane.dataplane.runtimes.registry import models, runtime

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = np.array([0, 1, 0, 1])

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


TRANSFORMERS = ("models.xlm_roberta.modeling_xlm_roberta", "models.distilbert.modeling_distilbert")
"""Beside BERT, classes that many encoders are of; a directory imports those of its own."""


def huggingface() -> Rehearsal:
    """A tiny BERT is loaded: the library's tables for reading weights take 0.3 s when they are first wanted."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, logging

    torch.set_num_threads(1)
    import_module("inferplane.dataplane.runtimes.huggingface.generative")
    for name in TRANSFORMERS:
        import_module(f"transformers.{name}")
    logging.disable_progress_bar()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    with TemporaryDirectory() as directory:
        BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(directory)
        BertForSequenceClassification(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(directory)
        return _predicted("huggingface", Path(directory), ["a"])


FLAVOURS = {
    "sklearn": ("mlflow.sklearn", "skops.io"),  # which imports most of scikit-learn
    "xgboost": ("mlflow.xgboost", "xgboost"),
    "lightgbm": ("mlflow.lightgbm", "lightgbm"),
}
"""What models of MLflow's most usual flavours import, by the library that has to be there."""


def mlflow() -> None:
    """The libraries of models, where they are: which of them a model needs is known when it is there."""
    tell_libraries()
    _imported("mlflow")
    for library, modules in FLAVOURS.items():
        if find_spec(library) is not None:
            for name in modules:
                import_module(name)


def pmml() -> None:
    """Without Java, whose threads a fork would not have."""
    _imported("pmml")


def paddle() -> None:
    _imported("paddle")


def _imported(format: str) -> None:
    warm()
    runtime(format)


def pytorch() -> Rehearsal:
    """An exported program: opening the first imports as much as PyTorch itself. TorchScript needs no more than that."""
    import torch

    torch.set_num_threads(1)
    rows = torch.from_numpy(ROWS).float()
    with TemporaryDirectory() as directory, catch_warnings():
        simplefilter("ignore")  # of PyTorch's own parts, to PyTorch's authors
        program = torch.export.export(torch.nn.Linear(2, 1), (rows,), dynamic_shapes=({0: torch.export.Dim("rows")},))
        torch.export.save(program, Path(directory) / "model.pt2")
        return _predicted("pytorch", Path(directory))


def _predicted(format: str, directory: Path, rows: object = ROWS[:1]) -> Rehearsal:
    warm()
    [model] = models(format, "warm", directory)
    model.load()
    model.predict({"instances": rows}, {})
    model.stop()
    files = {file.name: file.read_bytes() for file in directory.iterdir()}
    return partial(_rehearse, format, files, orjson.dumps({"instances": rows}, option=orjson.OPT_SERIALIZE_NUMPY))


def _rehearse(format: str, files: Mapping[str, bytes], body: bytes) -> None:
    with TemporaryDirectory() as directory:
        for name, content in files.items():
            (Path(directory) / name).write_bytes(content)
        rehearse(format, Path(directory), body)


def tensorflow() -> None:
    """Imports alone: with its first operation TensorFlow starts threads, which no fork has."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import_module("inferplane.assembly.tensorflow_serving")
    import_module("inferplane.inference.tensorflow.messages")
    runtime("tensorflow")
    warm()
