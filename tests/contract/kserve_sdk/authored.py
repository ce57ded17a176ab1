# ruff: noqa: UP006, UP007, UP035, RUF013  # written as KServe's authors write
# mypy: ignore-errors
"""Models as authors write them for the `kserve` package. The tests run this file there, and here with `kserve` in its
import lines changed to `inferplane` and nothing else.
"""

import argparse
from typing import Any, Dict, Union

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelServer, logging, model_server
from kserve.errors import InferenceError, InvalidInput, ModelNotReady
from kserve.logging import logger
from kserve.model import InferenceVerb
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.utils import generate_uuid, get_predict_input, get_predict_response


class Iris(Model):
    """Sync load, async hooks, both protocols through KServe's helpers."""

    def __init__(self, name: str):
        super().__init__(name)
        self.load()

    def load(self) -> bool:
        self.weights = np.array([1.0, 10.0])
        self.ready = True
        return self.ready

    def get_input_types(self):
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, 2]}]

    def get_output_types(self):
        return [{"name": "output-0", "datatype": "FP64", "shape": [-1]}]

    async def predict(self, payload: Union[Dict, InferRequest], headers: Dict[str, str] = None):
        return get_predict_response(payload, get_predict_input(payload) @ self.weights, self.name)

    async def explain(self, payload: Dict, headers: Dict[str, str] = None) -> Dict:
        return {"explanations": [self.weights.tolist() for _ in payload["instances"]]}


class Hooked(Model):
    """Every hook, sync and async mixed; the base class's hooks are called too."""

    def __init__(self, name: str):
        super().__init__(name, return_response_headers=True)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        payload = await super().preprocess(payload, headers)
        headers["kind"] = "v1" if isinstance(payload, dict) else "v2"
        return payload

    def predict(self, payload, headers=None, response_headers=None):
        response_headers.update({"prediction-time-latency": "1", "X-Kind": headers["kind"]})
        if isinstance(payload, InferRequest):
            first = payload.inputs[0]
            out = InferOutput("doubled", first.shape, first.datatype, parameters=first.parameters)
            out.set_data_from_numpy(first.as_numpy() * 2, binary_data=False)
            return InferResponse(payload.id or generate_uuid(), self.name, [out], parameters=payload.parameters)
        return {"predictions": [2 * row for row in payload["instances"]]}

    async def postprocess(self, result, headers=None, response_headers=None):
        response_headers["x-post"] = headers.get("x-custom", "none")
        return await super().postprocess(result, headers)


class Failing(Model):
    """Fails in the way that the request names."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None):
        kind = payload["instances"][0] if isinstance(payload, dict) else payload.inputs[0].data[0]
        if kind == "invalid":
            raise InvalidInput("the rows are no good")
        if kind == "inference":
            raise InferenceError("cannot compute")
        if kind == "status":
            raise InferenceError("cannot compute", status="42")
        if kind == "key":
            return {"predictions": {}["nothing"]}
        if kind == "value":
            raise ValueError("wrong value")
        if kind == "unready":
            raise ModelNotReady(self.name, "later")
        if kind == "missing":
            raise NotImplementedError("no such thing")
        return {"predictions": kind}


class Answers(Model):
    """Results of many types."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    async def predict(self, payload, headers=None):
        kind = payload["instances"][0] if isinstance(payload, dict) else payload.decode()
        if kind == "stream":
            return self.chunks()
        return {
            "bytes": b"\x00raw",
            "text": "plain",
            "numpy": {"predictions": np.arange(4, dtype=np.float32).reshape(2, 2), "mean": np.float64(1.5)},
            "nan": {"predictions": [float("nan"), float("inf")]},
            "list": [1, 2],
            "csv,row": {"predictions": "csv"},
        }[kind]

    async def chunks(self):
        for part in ("one ", "two ", "three"):
            yield part


class Selecting(Model):
    """Two outputs, of which the request may ask for one."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    def predict(self, payload: InferRequest, headers=None) -> InferResponse:
        return InferResponse(
            payload.id,
            self.name,
            [
                InferOutput("sum", [1], "FP64", [float(payload.inputs[0].as_numpy().sum())]),
                InferOutput("names", [2], "BYTES", ["a", "ü"]),
            ],
            requested_outputs=payload.request_outputs,
            use_binary_outputs=payload.use_binary_outputs,
        )


class Whole(Model):
    """Replaces the order of hooks."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    async def __call__(self, body, headers=None, verb: InferenceVerb = InferenceVerb.PREDICT) -> Any:
        response, response_headers = await super().__call__(body, headers, verb)
        response["verb"] = verb.name
        return response, {**response_headers, "x-whole": "yes"}

    def predict(self, payload, headers=None):
        return {"predictions": payload["instances"]}

    def explain(self, payload, headers=None):
        return {"explanations": payload["instances"]}


class Unready(Model):
    def load(self):
        return False


class Default(Model):
    """No predict of its own, no predictor to ask."""

    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--greeting", default="hello")
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    logging.configure_logging(args.log_config_file)
    logger.info("%s %s %s", args.greeting, RequestedOutput("x").name, InferInput("x", [1], "INT32", [1]).name)
    ModelServer().start(
        [
            Iris(args.model_name),
            Hooked("hooked"),
            Failing("failing"),
            Answers("answers"),
            Selecting("selecting"),
            Whole("whole"),
            Unready("unready"),
            Default("default"),
        ]
    )
