"""Models for the REST contract: what comes in goes out, in the forms that the protocols have."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np

from inferplane import InferOutput, InferRequest, InferResponse, Model
from inferplane.inference import v1
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import TensorMetadata


class Echo(Model):
    """V1: the rows are the predictions. V2: every input comes back as an output, whatever form it came in."""

    def __init__(self, name: str = "m") -> None:
        super().__init__(name)
        self.ready = True
        self.seen: list[object] = []

    def predict(self, payload: Any, headers: dict[str, str]) -> object:
        self.seen.append(payload)
        if isinstance(payload, InferRequest):
            outputs = [
                InferOutput.decoded(tensor.name, tensor.datatype, tensor.view(), tensor.parameters)
                for tensor in payload.inputs
            ]
            return InferResponse(payload.id or "", self.name, outputs, parameters=payload.parameters)
        if isinstance(payload, dict):
            return {"predictions": payload.get("instances", payload.get("inputs"))}
        return {"predictions": repr(payload)}

    def explain(self, payload: Any, headers: dict[str, str]) -> object:
        return {"explanations": v1.rows_of(payload)}


class Shaped(Echo):
    """Tells its one input, and takes arrays as built-in runtimes do."""

    takes_arrays = True

    def __init__(self, datatype: str = "FP32", shape: Sequence[int] = (-1, 2)) -> None:
        super().__init__("shaped")
        self._types = [TensorMetadata("x", datatype, shape)]

    def get_input_types(self) -> list[TensorMetadata]:
        return self._types

    def get_output_types(self) -> list[TensorMetadata]:
        return self._types


class Talking(Model):
    """Says each word of `text_input`, one response a word; "fail" raises."""

    def __init__(self) -> None:
        super().__init__("talking")
        self.ready = True

    def get_input_types(self) -> list[TensorMetadata]:
        return [TensorMetadata("text_input", "BYTES", [1])]

    async def predict(self, payload: InferRequest, headers: dict[str, str]) -> AsyncIterator[InferResponse]:
        if not isinstance(payload, InferRequest):
            raise InvalidInput("this model speaks V2")
        words = str(payload.inputs[0].view()[0]).split()
        for word in words:
            if word == "fail":
                raise ZeroDivisionError("no more words")
            values = np.array([word], dtype=object)
            yield InferResponse(payload.id or "", self.name, [InferOutput.decoded("text_output", "BYTES", values)])


class Answering(Model):
    """Gives what it was made with."""

    def __init__(self, result: object) -> None:
        super().__init__("m")
        self.ready = True
        self.result = result

    def predict(self, payload: Any, headers: dict[str, str]) -> object:
        return self.result
