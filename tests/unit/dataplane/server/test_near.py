import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from inferplane import InferInput, InferOutput, InferRequest, InferResponse, Model
from inferplane.dataplane.model.predictor import tell_near_predictor
from inferplane.dataplane.server.near import NearPredictor
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.errors import InvalidInput


class Doubling(Model):
    """Gives back the very array that it is given, doubled in place."""

    def __init__(self) -> None:
        super().__init__("doubling")
        self.ready = True
        self.seen: object = None

    def predict(self, payload: Any, headers: Mapping[str, str]) -> Any:
        if isinstance(payload, InferRequest):
            self.seen = payload.inputs[0].data
            return InferResponse(payload.id, self.name, [InferOutput("y", [2], "FP64", payload.inputs[0].data)])
        if not payload["instances"]:
            raise InvalidInput("no rows")
        return {"predictions": np.array(payload["instances"]) * 2}


async def test_tensors_are_neither_encoded_nor_copied() -> None:
    model = Doubling()
    values = np.array([1.0, 2.0])
    request = InferRequest("m", [InferInput("x", [2], "FP64", values)], "7")
    answer = await NearPredictor([model], Execution()).predict("m", request, {})
    assert model.seen is values
    assert np.shares_memory(answer.outputs[0].as_numpy(), values)


async def test_rows_come_back_as_the_lists_that_they_would_be_on_the_wire() -> None:
    answer = await NearPredictor([Doubling()], Execution()).predict("m", {"instances": [1, 2]}, {})
    assert answer == {"predictions": [2, 4]}


async def test_what_the_model_raises_is_raised() -> None:
    with pytest.raises(InvalidInput, match="no rows"):
        await NearPredictor([Doubling()], Execution()).predict("m", {"instances": []}, {})


async def test_a_model_that_is_not_ready_refuses() -> None:
    model = Doubling()
    model.ready = False
    with pytest.raises(Exception, match="is not ready"):
        await NearPredictor([model], Execution()).predict("m", {"instances": [1]}, {})


async def test_a_transformer_asks_the_predictor_of_its_own_process() -> None:
    class Transformer(Model):
        def preprocess(self, payload: Any, headers: Any = None) -> Any:
            return {"instances": [row + 1 for row in payload["instances"]]}

    tell_near_predictor(NearPredictor([Doubling()], Execution()))
    try:
        answers = await asyncio.gather(*(Transformer("m")({"instances": [row]}) for row in range(4)))
    finally:
        tell_near_predictor(None)
    assert [answer["predictions"] for answer, _ in answers] == [[2], [4], [6], [8]]
