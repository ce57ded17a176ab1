"""Directories that hold no model that could be served, each for another reason, and what is said about each."""

import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
from sklearn.svm import SVC

ROWS = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
CLASSES = [0, 1, 0, 1]
INSTALLED = {"inferplane.dev/library-version": "installed"}

Make = Callable[[Path], object]


@dataclass(frozen=True)
class Wrong:
    """`format` is what the service says; `said` a part of the cause's only line, `kind` the kind of cause."""

    name: str
    format: str
    make: Make
    said: str
    kind: str = "ModelNotLoaded"
    annotations: Mapping[str, str] = field(default_factory=dict)


def estimator(file: Path) -> None:
    joblib.dump(SVC().fit(ROWS, CLASSES), file)


def cut(make: Callable[[Path], None], file: Path) -> None:
    make(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def xgboost(file: Path) -> None:
    import xgboost

    xgboost.train({"nthread": 1, "verbosity": 0}, xgboost.DMatrix(ROWS, CLASSES), 2).save_model(file)


def lightgbm(file: Path) -> None:
    import lightgbm

    settings = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    lightgbm.train(settings, lightgbm.Dataset(ROWS, CLASSES), 2).save_model(file)


def onnx(file: Path, *, operator: str = "Identity", domain: str = "", opset: int = 17, ir: int = 8) -> None:
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    made = helper.make_model(helper.make_graph([node], "g", [value], [out]), opset_imports=opsets, ir_version=ir)
    file.write_bytes(made.SerializeToString())


def zipped(file: Path, *members: tuple[str, str]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)


def mlflow(directory: Path) -> None:
    (directory / "MLmodel").write_text("flavors:\n  sklearn:\n    code: null\nmlflow_version: 3.1.0\n")
    estimator(directory / "model.pkl")


def huggingface(directory: Path) -> None:
    (directory / "config.json").write_text(json.dumps({"architectures": ["BertForMaskedLM"]}))
    (directory / "model.safetensors").write_bytes(bytes(64))


def two(directory: Path) -> None:
    for name in ("a.joblib", "b.pkl"):
        estimator(directory / name)


def two_graphs(directory: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        onnx(directory / name)


class Broken:
    """Fails when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("x",))


def newer(directory: Path) -> None:
    """As a scikit-learn to come might write it."""
    (directory / "m.pkl").write_bytes(pickle.dumps({"state": {"_sklearn_version": "9.9.9"}, "last": Broken()}))


def with_example(directory: Path, *rows: object) -> None:
    estimator(directory / "m.joblib")
    (directory / "example.json").write_text(json.dumps({"instances": [*rows]}))


def no_json(directory: Path) -> None:
    with_example(directory)
    (directory / "example.json").write_text("{")


def moved(directory: Path) -> None:
    """As scikit-learn 0.18 wrote it."""
    (directory / "model.pkl").write_bytes(b"csklearn.ensemble.forest\nRandomForestClassifier\n.")


OLD_BOOSTER = bytes(136) + (14).to_bytes(8, "little") + b"binary:logistic" + (6).to_bytes(8, "little") + b"gbtree"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
MANIFEST = json.dumps({"model": {"modelName": "mnist"}})

WRONG = [
    Wrong("empty", "sklearn", lambda d: None, "looked for one file ending in .joblib, .pkl, .pickle, found nothing"),
    Wrong("empty-x", "xgboost", lambda d: None, "looked for one file ending in .bst, .json, .ubj, found nothing"),
    Wrong("two", "sklearn", two, "Only one is allowed within"),
    Wrong("two-graphs", "onnx", two_graphs, "a.onnx, b.onnx"),
    Wrong("ending", "sklearn", lambda d: estimator(d / "model.bin"), ".joblib, .pkl, .pickle, found model.bin"),
    Wrong("below", "sklearn", lambda d: (d / "a").mkdir(), "found a/"),
    Wrong("a-folder", "sklearn", lambda d: (d / "model.joblib").mkdir(), "found model.joblib/"),
    Wrong("no-bytes", "sklearn", lambda d: (d / "m.pkl").touch(), "m.pkl: cannot be loaded: EOFError"),
    Wrong("cut", "sklearn", lambda d: cut(estimator, d / "m.joblib"), "m.joblib: cannot be loaded: "),
    Wrong("cut-json", "xgboost", lambda d: cut(xgboost, d / "m.json"), "m.json: cannot be loaded: "),
    Wrong("cut-ubj", "xgboost", lambda d: cut(xgboost, d / "m.ubj"), "m.ubj: cannot be loaded: "),
    Wrong("cut-lgb", "lightgbm", lambda d: cut(lightgbm, d / "m.txt"), "m.txt: cannot be loaded: it was cut off"),
    Wrong("cut-onnx", "onnx", lambda d: cut(onnx, d / "m.onnx"), "m.onnx: cannot be loaded: "),
    Wrong("a-page", "sklearn", lambda d: (d / "m.pkl").write_text("<html>404</html>"), "m.pkl: cannot be loaded: "),
    Wrong("a-page-x", "xgboost", lambda d: (d / "m.ubj").write_text("<html>"), "not an XGBoost model: JSON or UBJSON"),
    Wrong("pointer", "sklearn", lambda d: (d / "m.pkl").write_bytes(POINTER), "m.pkl is a pointer of Git LFS"),
    Wrong("is-xgb", "sklearn", lambda d: xgboost(d / "model.ubj"), "the service says sklearn, model.ubj is an XGBoost"),
    Wrong("is-onnx", "sklearn", lambda d: onnx(d / "m.onnx"), "m.onnx is an ONNX graph (opset 17): modelFormat"),
    Wrong("is-lgb", "xgboost", lambda d: lightgbm(d / "m.bst"), "says xgboost, m.bst is a LightGBM booster"),
    Wrong("is-xgb-l", "lightgbm", lambda d: xgboost(d / "m.bst"), "the service says lightgbm, m.bst is an XGBoost"),
    Wrong("is-pickle", "xgboost", lambda d: estimator(d / "m.pkl"), "(SVC): modelFormat.name: sklearn"),
    Wrong(
        "is-torch",
        "onnx",
        lambda d: zipped(d / "m.pt", ("m/constants.pkl", "")),
        "m.pt is a TorchScript archive: modelFormat.name: pytorch",
    ),
    Wrong("is-tf", "sklearn", lambda d: (d / "saved_model.pb").write_bytes(b"\x08\1"), "model.pb is a TensorFlow"),
    Wrong("is-hf", "sklearn", huggingface, "a Transformers model (BertForMaskedLM): modelFormat.name: hug"),
    Wrong("is-mlflow", "xgboost", mlflow, "MLmodel is an MLflow 3.1.0 model (sklearn): modelFormat.name: mlflow"),
    Wrong(
        "is-keras",
        "onnx",
        lambda d: zipped(d / "m.keras", ("metadata.json", '{"keras_version": "3.9"}'), ("config.json", "{}")),
        "m.keras is a Keras 3.9 model: model.export(DIRECTORY) makes a SavedModel of it",
    ),
    Wrong("is-mar", "onnx", lambda d: zipped(d / "m.mar", ("MAR-INF/MANIFEST.json", MANIFEST)), "a TorchServe archive"),
    Wrong("is-pmml", "lightgbm", lambda d: (d / "m.xml").write_text('<PMML version="4.4"/>'), "m.xml is a PMML 4.4"),
    Wrong("own-class", "sklearn", lambda d: (d / "m.pkl").write_bytes(b"cmymodule\nScaler\n."), "mymodule.Scaler"),
    Wrong("command", "sklearn", lambda d: (d / "m.pkl").write_bytes(b"cos\nsystem\n(S'x'\ntR."), "it uses os.system"),
    Wrong("script", "sklearn", lambda d: (d / "m.pkl").write_bytes(b"c__main__\nMine\n."), "move it into a module"),
    Wrong(
        "no-module",
        "sklearn",
        lambda d: (d / "m.pkl").write_bytes(b"cmymodule\nScaler\n."),
        "No module named 'mymodule'",
        "MissingLibrary",
        {"inferplane.dev/allow-pickle-globals": "mymodule.*"},
    ),
    Wrong("moved", "sklearn", moved, "No module named 'sklearn.ensemble.forest'", "MissingLibrary", INSTALLED),
    Wrong("newer", "sklearn", newer, "it was saved with scikit-learn 9.9.9 and this is", annotations=INSTALLED),
    Wrong(
        "width", "sklearn", lambda d: with_example(d, [1, 2, 3]), "X has 3 features, but SVC is expecting 2 features"
    ),
    Wrong("names", "sklearn", lambda d: with_example(d, {"x": 1}), "does not answer its own example"),
    Wrong("no-json", "sklearn", no_json, "example.json: not JSON"),
    Wrong("a-dict", "sklearn", lambda d: (d / "m.pkl").write_bytes(pickle.dumps({"a": 1})), "got builtins.dict"),
    Wrong(
        "old-booster",
        "xgboost",
        lambda d: (d / "m.bst").write_bytes(b"binf" + OLD_BOOSTER),
        "old binary format, which 3.1 no longer reads",
        annotations=INSTALLED,
    ),
    Wrong("new-opset", "onnx", lambda d: onnx(d / "m.onnx", opset=999), "export the model for an older opset"),
    Wrong("new-ir", "onnx", lambda d: onnx(d / "m.onnx", ir=60), "export the model for an older opset or IR version"),
    Wrong("operator", "onnx", lambda d: onnx(d / "m.onnx", operator="Fly", domain="birds"), "Fly"),
]
