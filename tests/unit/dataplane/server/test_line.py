"""Where and when calls run: beside each other, in a bounded queue, within their time, only while somebody waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import cast

import numpy as np
import orjson
import pytest

from inferplane import InferRequest, Model, ModelRepository
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.batching.decide import Queue
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.reply import Reply
from inferplane.dataplane.server.settings import Execution
from inferplane.inference.tensors import Array

PATIENCE = 10.0


class Held(Model):
    """Its predict is held until released; remembers what it was given."""

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()
        self.seen: list[object] = []

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        self.seen.append(payload)
        self.entered.release()
        self.release.wait(PATIENCE)
        return {"predictions": [len(self.seen)]}

    async def has_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.acquire, timeout=PATIENCE)


@asynccontextmanager
async def serving(model: Model, execution: Execution) -> AsyncIterator[Dispatch]:
    repository = ModelRepository()
    repository.update(model)
    dispatch = Dispatch(repository, Metrics(), execution)
    try:
        yield dispatch
    finally:
        if isinstance(model, Held):
            model.release.set()
        dispatch.close()


def ask(dispatch: Dispatch, body: bytes = b'{"instances":[1]}', **headers: str) -> "asyncio.Future[Answer]":
    outcome: Outcome = dispatch.predict("m", body, {name.replace("_", "-"): value for name, value in headers.items()})
    return asyncio.ensure_future(_settled(outcome))


async def _settled(outcome: Outcome) -> Answer:
    return await outcome if isinstance(outcome, Awaitable) else outcome


def text(answer: Answer) -> object:
    assert isinstance(answer.body, bytes)
    return orjson.loads(answer.body)


async def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    model = Held()
    async with serving(model, Execution(max_queue=2)) as dispatch:
        running = ask(dispatch)
        await model.has_entered()
        waiting = [ask(dispatch), ask(dispatch)]
        refused = await ask(dispatch)
        assert (refused.status, dict(refused.headers)) == (503, {b"retry-after": b"1"})
        assert text(refused) == {"error": "Model with name m is overloaded: 2 requests wait already."}
        model.release.set()
        assert [answer.status for answer in await asyncio.gather(running, *waiting)] == [200] * 3
        assert (await ask(dispatch)).status == 200


async def test_those_who_left_the_queue_make_room_and_are_not_computed() -> None:
    model = Held()
    async with serving(model, Execution(max_queue=2)) as dispatch:
        running = ask(dispatch)
        await model.has_entered()
        gone = [dispatch.predict("m", b'{"instances":["gone"]}', {}) for _ in range(2)]
        for outcome in gone:
            assert isinstance(outcome, Reply)
            outcome.cancel()
        staying = ask(dispatch)
        model.release.set()
        assert (await running).status == (await staying).status == 200
        assert model.seen == [{"instances": [1]}] * 2


async def test_a_refusal_costs_the_same_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(Queue, "drop_left", lambda queue: looked.append(len(queue)))
    model = Held()
    async with serving(model, Execution(max_queue=100)) as dispatch:
        running = ask(dispatch)
        await model.has_entered()
        for _ in range(100):
            dispatch.predict("m", b'{"instances":[1]}', {})
        refused = [dispatch.predict("m", b'{"instances":[1]}', {}) for _ in range(1000)]
        assert {answer.status for answer in refused if isinstance(answer, Answer)} == {503}
        assert len(looked) <= 4
        model.release.set()
        assert (await running).status == 200


@pytest.mark.parametrize("where", ["header", "parameter", "server", "protocol"])
async def test_a_request_whose_time_is_over_gets_504_and_is_not_computed(where: str) -> None:
    model = Held()
    async with serving(model, Execution()) as dispatch:
        running = ask(dispatch, x_request_timeout_ms="60000")
        await model.has_entered()
        if where == "server":
            dispatch.execution = Execution(request_timeout=0.02)  # for those that come from now on
        if where == "parameter":
            body = b'{"parameters":{"timeout":20000},"inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[1]}]}'
            late: Outcome = dispatch.infer("m", body, {})
        elif where == "protocol":
            from inferplane.dataplane.server.protocols import V1

            late = dispatch.call(V1, "m", b'{"instances":[2]}', {}, timeout=0.02)
        else:
            late = dispatch.predict(
                "m", b'{"instances":[2]}', {"x-request-timeout-ms": "20"} if where == "header" else {}
            )
        answer = await asyncio.wait_for(_settled(late), PATIENCE)
        assert (answer.status, text(answer)) == (504, {"error": "Model with name m did not answer in time."})
        model.release.set()
        await running
        assert len(model.seen) == 1


async def test_a_run_that_takes_too_long_is_answered_for_while_it_goes_on() -> None:
    model = Held()
    async with serving(model, Execution()) as dispatch:
        asked = ask(dispatch, x_request_timeout_ms="500")  # its thread starts before that on a busy machine too
        await model.has_entered()
        assert (await asked).status == 504
        assert len(model.seen) == 1


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "inf"])
async def test_a_time_that_is_none_is_the_clients_mistake(given: str) -> None:
    async with serving(Held(), Execution()) as dispatch:
        answer = await ask(dispatch, x_request_timeout_ms=given)
        assert answer.status == 400
        assert text(answer) == {"error": f"x-request-timeout-ms: expected milliseconds above 0, got {given!r}"}


async def test_as_many_runs_as_allowed_are_under_way_at_once() -> None:
    model = Held()
    async with serving(model, Execution(max_concurrency=3)) as dispatch:
        asked = [ask(dispatch) for _ in range(4)]
        for _ in range(3):
            await model.has_entered()
        assert len(model.seen) == 3
        metrics = dispatch.metrics.of_model("m")
        assert (metrics.queue_length.value, metrics.in_flight.value) == (1.0, 4.0)
        model.release.set()
        assert [answer.status for answer in await asyncio.gather(*asked)] == [200] * 4
        assert (metrics.queue_length.value, metrics.in_flight.value) == (0.0, 0.0)


class Adding(Model):
    """Opts in to being given several requests at once."""

    max_batch_size = 4

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True
        self.seen: list[int] = []

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        assert isinstance(payload, dict)
        rows = payload["instances"]
        self.seen.append(len(rows))
        if "bad" in rows:
            raise ValueError("bad row")
        return {"predictions": [row + 1 for row in rows]}


async def test_an_authors_model_may_take_several_requests_as_one() -> None:
    model = Adding()
    async with serving(model, Execution()) as dispatch:
        asked = [ask(dispatch, b'{"instances":[%d]}' % number) for number in range(6)]
        answers = await asyncio.gather(*asked)
    assert [text(answer) for answer in answers] == [{"predictions": [number + 1]} for number in range(6)]
    assert model.seen == [4, 2]


async def test_a_bad_request_fails_alone_in_an_authors_model_too() -> None:
    async with serving(Adding(), Execution()) as dispatch:
        asked = [ask(dispatch, body) for body in (b'{"instances":[1]}', b'{"instances":["bad"]}', b'{"instances":[3]}')]
        assert [answer.status for answer in await asyncio.gather(*asked)] == [200, 500, 200]


async def test_a_flag_bounds_what_a_model_allows() -> None:
    model = Adding()
    async with serving(model, Execution(max_batch_size=2)) as dispatch:
        await asyncio.gather(*[ask(dispatch) for _ in range(5)])
    assert model.seen == [2, 2, 1]


class Waiting(Model):
    """With an async predict, held until released."""

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True
        self.inside = 0
        self.release = asyncio.Event()
        self.entered = asyncio.Event()

    async def predict(self, payload: object, headers: dict[str, str]) -> object:
        self.inside += 1
        self.entered.set()
        await self.release.wait()
        self.inside -= 1
        return {"predictions": []}


async def test_an_async_model_is_bounded_too() -> None:
    model = Waiting()
    async with serving(model, Execution(async_concurrency=1, max_queue=1)) as dispatch:
        running = ask(dispatch)
        await model.entered.wait()
        waiting = ask(dispatch)
        await asyncio.sleep(0)
        refused = await ask(dispatch)
        assert (refused.status, dict(refused.headers)) == (503, {b"retry-after": b"1"})
        assert model.inside == 1
        model.release.set()
        assert [(await running).status, (await waiting).status] == [200, 200]


async def test_an_async_call_whose_time_is_over_is_cancelled() -> None:
    model = Waiting()
    async with serving(model, Execution()) as dispatch:
        assert (await ask(dispatch, x_request_timeout_ms="20")).status == 504
        assert dispatch.metrics.of_model("m").in_flight.value == 0.0


class Summing(RowModel):
    takes_arrays = True

    def __init__(self) -> None:
        super().__init__("m")
        self.ready = True

    def rows(self, payload: object) -> object:
        assert not isinstance(payload, InferRequest)
        assert isinstance(payload, dict)
        return payload["instances"]

    def predict_rows(self, rows: object) -> Array:
        return cast(Array, np.asarray(rows, dtype=np.float64).sum(axis=1))

    def result(self, payload: object, predicted: object) -> object:
        return {"predictions": predicted}


async def test_batches_and_waits_are_counted() -> None:
    async with serving(Summing(), Execution()) as dispatch:
        await asyncio.gather(*[ask(dispatch, b'{"instances":[[1.5],[2.5]]}') for _ in range(3)])
        metrics = dispatch.metrics.of_model("m")
        assert (metrics.batch_requests.count, metrics.batch_requests.sum) == (1, 3)
        assert (metrics.batch_rows.count, metrics.batch_rows.sum) == (1, 6)
        assert metrics.queue_wait.count == 3
        assert metrics.predict.count == metrics.preprocess.count == metrics.postprocess.count == 3
        exposed = dispatch.metrics.exposition("")[0].decode()
    assert 'inferplane_batch_rows_bucket{le="8.0",model_name="m"} 1.0' in exposed
    assert 'inferplane_batch_rows_bucket{le="4.0",model_name="m"} 0.0' in exposed
    assert 'inferplane_requests_total{code="200",model_name="m",protocol="v1"} 3.0' in exposed


async def test_max_latency_has_a_lone_request_wait_for_others() -> None:
    async with serving(Summing(), Execution(max_latency=0.05)) as dispatch:
        start = asyncio.get_running_loop().time()
        first = ask(dispatch, b'{"instances":[[1.5]]}')
        await asyncio.sleep(0.01)
        second = ask(dispatch, b'{"instances":[[2.5]]}')
        await asyncio.gather(first, second)
        assert asyncio.get_running_loop().time() - start >= 0.05
        assert dispatch.metrics.of_model("m").batch_requests.count == 1
