"""Makes the model of one format that its servers are compared on; runs in an environment with the format's library.

Tabular ones take the four columns of iris in rows. usage: make_model.py FORMAT DIRECTORY
"""

# mypy: ignore-errors  (the libraries are those of other environments)

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def iris() -> tuple[np.ndarray, np.ndarray]:
    """Three clusters in four columns, alike in every environment: not all of them have scikit-learn's data."""
    random = np.random.default_rng(7)
    kinds = np.repeat(np.arange(3), 50)
    centres = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    return centres[kinds] + random.normal(0, 0.3, (150, 4)), kinds


def sklearn(directory: Path) -> None:
    import joblib
    from sklearn.svm import SVC

    joblib.dump(SVC().fit(*iris()), directory / "model.joblib")


def xgboost(directory: Path) -> None:
    import xgboost as xgb

    rows, kinds = iris()
    parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 4, "nthread": 1}
    xgb.train(parameters, xgb.DMatrix(rows, kinds), 50).save_model(directory / "model.ubj")


def lightgbm(directory: Path) -> None:
    import lightgbm as lgb

    rows, kinds = iris()
    parameters = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
    lgb.train(parameters, lgb.Dataset(rows, kinds), 50).save_model(directory / "model.txt")


def onnx(directory: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(7)
    layers = [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (4, 16)), ("b", (16,)), ("v", (16, 3)))
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "iris",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 3])],
        layers,
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), directory / "model.onnx")


def pytorch(directory: Path) -> None:
    import warnings

    import torch

    torch.manual_seed(7)
    layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3), torch.nn.Softmax(-1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and what TorchServe's archives hold
        torch.jit.trace(layers.eval(), torch.zeros(2, 4)).save(directory / "model.pt")


def tensorflow(directory: Path) -> None:
    import tensorflow as tf

    tf.random.set_seed(7)
    kernel, head = tf.Variable(tf.random.normal([4, 16])), tf.Variable(tf.random.normal([16, 3]))

    class Layers(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, "x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.nn.softmax(tf.nn.relu(x @ kernel) @ head)}

    module = Layers()
    module.kernel, module.head = kernel, head
    tf.saved_model.save(module, str(directory / "1"), signatures={"serving_default": module.serve})


def paddle(directory: Path) -> None:
    import paddle
    from paddle import nn
    from paddle.static import InputSpec

    paddle.seed(7)
    layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax())
    layers.eval()
    paddle.jit.save(layers, str(directory / "model"), input_spec=[InputSpec([None, 4], "float32", "x")])


def mlflow(directory: Path) -> None:
    import mlflow.sklearn
    from sklearn.svm import SVC

    mlflow.sklearn.save_model(SVC().fit(*iris()), str(directory / "model"), serialization_format="cloudpickle")


def pmml(directory: Path) -> None:
    names = ("a", "b", "c", "d")
    fields = "".join(f'<DataField name="{name}" optype="continuous" dataType="double"/>' for name in names)
    used = "".join(f'<MiningField name="{name}"/>' for name in names)
    terms = "".join(f'<NumericPredictor name="{name}" coefficient="{at + 1}.5"/>' for at, name in enumerate(names))
    (directory / "model.pmml").write_text(
        '<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>'
        f'<DataDictionary>{fields}<DataField name="y" optype="continuous" dataType="double"/></DataDictionary>'
        f'<RegressionModel functionName="regression"><MiningSchema>{used}<MiningField name="y" usageType="target"/>'
        f'</MiningSchema><RegressionTable intercept="1">{terms}</RegressionTable></RegressionModel></PMML>'
    )


def huggingface(directory: Path) -> None:
    """A BERT of two layers, that says which of three classes a text is of."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (directory / "vocab.txt").write_text("\n".join(words))
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    torch.manual_seed(7)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, num_labels=3, **shape)
    BertForSequenceClassification(config).eval().save_pretrained(directory)


MAKERS: dict[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (sklearn, xgboost, lightgbm, onnx, pytorch, tensorflow, paddle, mlflow, pmml, huggingface)
}

if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    MAKERS[sys.argv[1]](target)
