"""KServe's batcher inside the server: the form of answers, and models that say nothing of themselves."""

import asyncio
from collections.abc import Awaitable

import numpy as np
import orjson
import pytest

from inferplane import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelRepository
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc.protocol import GRPC
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.settings import Execution
from inferplane.inference import v1
from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferResponse
from inferplane.inference.tensors import Array
from inferplane.kernel.json import JsonObject

ASKED = Execution(max_batch_size=32, max_latency=0.02, batcher=True)
V2 = b'{"id":"7","inputs":[{"name":"x","shape":[2,1],"datatype":"FP64","data":[1,2]}]}'


class Sums(RowModel):
    """As built-in formats are: rows of numbers."""

    takes_arrays = True

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True
        self.seen: list[int] = []

    def rows(self, payload: object) -> object:
        return payload.inputs[0].as_numpy() if isinstance(payload, InferRequest) else v1.rows_of(payload)

    def predict_rows(self, rows: object) -> Array:
        values = np.asarray(rows, dtype=np.float64)
        self.seen.append(len(values))
        summed: Array = values.sum(axis=1)
        return summed

    def result(self, payload: object, predicted: Array) -> object:
        if isinstance(payload, InferRequest):
            return InferResponse(None, self.name, [InferOutput.decoded("y", "FP64", predicted)])
        return {"predictions": predicted}


class Own(Model):
    """An author's: a dict in, a dict out. Refuses 13."""

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True
        self.seen: list[int] = []

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        assert isinstance(payload, dict)
        rows = payload["instances"]
        self.seen.append(len(rows))
        if any(13 in row for row in rows):
            raise ValueError("unlucky")
        return {"predictions": [sum(row) for row in rows]}


class Async(Own):
    """The same on the event loop."""

    async def predict(self, payload: object, headers: dict[str, str]) -> object:
        return Own.predict(self, payload, headers)


class Preparing(Own):
    """The same with work of its own before."""

    def preprocess(self, payload: object, headers: dict[str, str]) -> object:
        return payload


def serving(model: Model, execution: Execution = ASKED) -> Dispatch:
    repository = ModelRepository()
    repository.update(model)
    return Dispatch(repository, Metrics(), execution)


async def settled(outcome: Outcome) -> Answer:
    return await outcome if isinstance(outcome, Awaitable) else outcome


async def predicted(dispatch: Dispatch, *requests: list[list[float]]) -> list[tuple[int, JsonObject]]:
    asking = [dispatch.predict("m", orjson.dumps({"instances": rows}), {}) for rows in requests]
    found = await asyncio.wait_for(asyncio.gather(*map(settled, asking)), 30)
    return [(one.status, orjson.loads(one.body)) for one in found if isinstance(one.body, bytes)]


@pytest.mark.parametrize("made", [Sums, Own, Async, Preparing])
async def test_requests_run_together_and_v1_answers_have_kserves_form(made: type[Sums] | type[Own]) -> None:
    model = made()
    found = await predicted(serving(model), [[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]])
    assert model.seen == [3]
    assert [status for status, _ in found] == [200, 200]
    assert [list(body) for _, body in found] == [["message", "batchId", "predictions"]] * 2
    assert [body["predictions"] for _, body in found] == [[3.0], [7.0, 11.0]]
    assert len({str(body["batchId"]) for _, body in found}) == 1
    assert {body["message"] for _, body in found} == {""}


@pytest.mark.parametrize("made", [Own, Async, Preparing])
async def test_a_bad_request_fails_alone_with_its_own_status(made: type[Own]) -> None:
    found = await predicted(serving(made()), [[1.0, 2.0]], [[13.0, 0.0]])
    assert [status for status, _ in found] == [200, 500]
    assert found[0][1]["predictions"] == [3.0]
    assert "unlucky" in str(found[1][1]["error"])


@pytest.mark.parametrize("made", [Sums, Own, Async])
async def test_rows_of_another_form_are_not_joined(made: type[Sums] | type[Own]) -> None:
    model = made()
    found = await predicted(serving(model), [[1.0, 2.0]], [[1.0, 2.0, 3.0]])
    assert sorted(model.seen) == [1, 1]
    assert [body["predictions"] for _, body in found] == [[3.0], [6.0]]


async def test_a_batch_holds_no_more_rows_than_it_may() -> None:
    model = Own()
    await predicted(serving(model, Execution(max_batch_size=2, max_latency=0.02, batcher=True)), *[[[1.0]]] * 5)
    assert sum(model.seen) == 5
    assert max(model.seen) == 2


async def test_v2_answers_stay_v2s() -> None:
    model = Sums()
    dispatch = serving(model)
    found = await asyncio.gather(*(settled(dispatch.infer("m", V2, {})) for _ in range(2)))
    bodies = [orjson.loads(one.body) for one in found if isinstance(one.body, bytes)]
    assert model.seen == [4]
    assert [body["id"] for body in bodies] == ["7", "7"]
    assert [body["outputs"][0]["data"] for body in bodies] == [[1.0, 2.0]] * 2
    assert all("batchId" not in body for body in bodies)


async def test_calls_over_grpc_run_together_too() -> None:
    model = Sums()
    dispatch = serving(model)
    tensor = InferInput.decoded("x", "FP64", np.array([[1.0, 2.0], [3.0, 4.0]]))
    body = InferRequest("m", [tensor]).to_grpc().SerializeToString()
    found = await asyncio.gather(*(settled(dispatch.call(GRPC, "m", body, {})) for _ in range(2)))
    answers = [ModelInferResponse.FromString(one.body) for one in found if isinstance(one.body, bytes)]
    assert model.seen == [4]
    assert [InferResponse.from_grpc(one).outputs[0].as_numpy().tolist() for one in answers] == [[3.0, 7.0]] * 2


@pytest.mark.parametrize("made", [Sums, Own])
async def test_without_the_batcher_nothing_of_it_is_in_the_answer(made: type[Sums] | type[Own]) -> None:
    (found,) = await predicted(serving(made(), Execution()), [[1.0, 2.0]])
    assert found == (200, {"predictions": [3.0]})
