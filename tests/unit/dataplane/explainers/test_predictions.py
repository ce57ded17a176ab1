import asyncio
from typing import Any

import numpy as np
import pytest

from inferplane import InferOutput, InferRequest, InferResponse, PredictorConfig
from inferplane.dataplane.explainers.predictions import ROWS, NobodyWaits, Predictor, predictor_of
from inferplane.dataplane.model import forwarding
from inferplane.inference.errors import UpstreamFailed
from inferplane.inference.tensors import Array

ROWS_OF_TWO = np.arange(6.0).reshape(3, 2)


async def doubled(rows: Array) -> Array:
    found: Array = rows * 2
    return found


async def test_a_library_on_a_thread_asks_through_the_loop() -> None:
    predictor = Predictor(doubled, asyncio.get_running_loop())
    found = await asyncio.to_thread(predictor, ROWS_OF_TWO)
    assert found.tolist() == (ROWS_OF_TWO * 2).tolist()


async def test_many_rows_are_asked_for_in_parts_and_come_back_in_order() -> None:
    sizes: list[int] = []

    async def counted(rows: Array) -> Array:
        sizes.append(len(rows))
        return rows

    rows = np.arange(2.0 * ROWS + 5).reshape(-1, 1)
    found = await asyncio.to_thread(Predictor(counted, asyncio.get_running_loop()), rows)
    assert sizes == [ROWS, ROWS, 5]
    assert (found == rows).all()


async def test_when_nobody_waits_any_more_the_library_is_stopped_at_its_next_question() -> None:
    predictor = Predictor(doubled, asyncio.get_running_loop())
    predictor.leave()
    with pytest.raises(NobodyWaits):
        await asyncio.to_thread(predictor, ROWS_OF_TWO)


async def test_what_the_predictor_refuses_reaches_who_asked() -> None:
    async def refused(rows: Array) -> Array:
        raise UpstreamFailed(429, "not so fast")

    with pytest.raises(UpstreamFailed, match="not so fast"):
        await asyncio.to_thread(Predictor(refused, asyncio.get_running_loop()), ROWS_OF_TWO)


async def test_without_a_predictor_nothing_can_be_explained() -> None:
    with pytest.raises(NotImplementedError, match="Could not find predictor_host"):
        async with predictor_of("m", PredictorConfig(None), {}):
            pass


class Answering:
    """Stands for the forwarding client: notes what it is asked, gives what it was made with."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.payload: object = None

    async def predict(self, model: str, payload: object, config: Any, headers: Any) -> object:
        self.payload = payload
        return self.answer


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("v1", {"predictions": [1, 2, 3]}),
        ("v2", InferResponse("1", "m", [InferOutput("y", [3], "INT64", [1, 2, 3])])),
        ("grpc-v2", InferResponse("1", "m", [InferOutput("y", [3], "INT64", [1, 2, 3])])),
    ],
)
async def test_rows_go_in_the_configured_protocol(
    protocol: str, answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = Answering(answer)
    monkeypatch.setattr(forwarding, "predict", behind.predict)
    async with predictor_of("m", PredictorConfig("p", protocol), {}) as predictor:
        found = await asyncio.to_thread(predictor, ROWS_OF_TWO)
    assert found.tolist() == [1, 2, 3]
    assert isinstance(behind.payload, InferRequest) == (protocol != "v1")


@pytest.mark.parametrize("answer", [{"predictions": [1]}, {"predictions": 7}, {}, {"predictions": [{}, {}, {}]}])
async def test_an_answer_without_a_prediction_a_row_is_the_predictors_fault(
    answer: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "predict", Answering(answer).predict)
    async with predictor_of("m", PredictorConfig("p"), {}) as predictor:
        with pytest.raises(UpstreamFailed, match="one prediction for each of 3 rows") as failed:
            await asyncio.to_thread(predictor, ROWS_OF_TWO)
    assert failed.value.status == 502
