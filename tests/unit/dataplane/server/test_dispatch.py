"""The way of a call through the server, without a transport."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import orjson
import pytest

from inferplane import InferOutput, InferRequest, InferResponse, Model, ModelRepository
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.reply import Reply
from inferplane.inference import v1
from inferplane.inference.tensors import Array, output

V2_BODY = b'{"id":"7","inputs":[{"name":"x","shape":[2,1],"datatype":"FP64","data":[1,2]}]}'


class Calling(Model):
    """A model whose predict is the function it is given."""

    def __init__(self, call: Callable[[object], object], name: str = "m") -> None:
        super().__init__(name)
        self.ready = True
        self._call = call

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        return self._call(payload)


class Doubling(RowModel):
    """Twice the rows; refuses a batch with a 13 in it. Remembers how many rows came at once."""

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
        if (values == 13).any():
            raise ValueError("unlucky")
        return values[:, 0] * 2

    def result(self, payload: object, predicted: Array) -> object:
        if isinstance(payload, InferRequest):
            return InferResponse(None, self.name, [output("y", predicted)])
        return {"predictions": predicted}


def serving(*models: Model) -> Dispatch:
    repository = ModelRepository()
    for model in models:
        repository.update(model)
    return Dispatch(repository, Metrics())


async def settled(outcome: Outcome) -> Answer:
    return await outcome if isinstance(outcome, Awaitable) else outcome


async def v1_answer(dispatch: Dispatch, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, object]:
    answer = await settled(dispatch.predict("m", body, headers or {}))
    assert isinstance(answer.body, bytes)
    return answer.status, orjson.loads(answer.body)


async def v2_answer(dispatch: Dispatch, body: bytes = V2_BODY) -> tuple[int, object]:
    answer = await settled(dispatch.infer("m", body, {}))
    assert isinstance(answer.body, bytes)
    return answer.status, orjson.loads(answer.body)


async def test_hooks_run_in_order_and_share_the_headers() -> None:
    class Hooked(Model):
        def preprocess(self, payload: object, headers: dict[str, str]) -> object:
            headers["seen"] = "preprocess"
            return payload

        def predict(self, payload: object, headers: dict[str, str]) -> object:
            return [headers["seen"], "predict"]

        def postprocess(self, result: object, headers: dict[str, str]) -> object:
            return {"predictions": result}

    model = Hooked("m")
    model.load()
    assert await v1_answer(serving(model), b'{"instances":[1]}') == (200, {"predictions": ["preprocess", "predict"]})


async def test_async_hooks_run_on_the_event_loop() -> None:
    class Waiting(Model):
        async def predict(self, payload: object, headers: dict[str, str]) -> object:
            await asyncio.sleep(0)
            return {"predictions": [threading.current_thread() is threading.main_thread()]}

    model = Waiting("m")
    model.load()
    assert await v1_answer(serving(model), b'{"instances":[1]}') == (200, {"predictions": [True]})


async def test_a_long_call_leaves_the_loop_free_and_the_first_call_counts_as_long() -> None:
    entered, release = threading.Event(), threading.Event()

    def wait_for_release(payload: object) -> object:
        entered.set()
        release.wait(10)
        return {"predictions": []}

    dispatch = serving(Calling(wait_for_release))
    running = asyncio.ensure_future(v1_answer(dispatch, b'{"instances":[]}'))
    await asyncio.to_thread(entered.wait, 10)
    assert not running.done()
    assert await dispatch.is_ready()
    release.set()
    assert await running == (200, {"predictions": []})
    dispatch.close()


async def test_hooks_of_one_model_never_run_at_the_same_time() -> None:
    inside, most = 0, 0

    def count(payload: object) -> object:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        inside -= 1
        return {"predictions": []}

    dispatch = serving(Calling(count))
    await asyncio.gather(*[v1_answer(dispatch, b'{"instances":[]}') for _ in range(200)])
    assert most == 1
    dispatch.close()


async def test_a_short_call_runs_in_place_once_it_is_known() -> None:
    threads: list[str] = []

    def note_thread(payload: object) -> object:
        threads.append(threading.current_thread().name)
        return {"predictions": []}

    dispatch = serving(Calling(note_thread))
    for _ in range(30):
        await v1_answer(dispatch, b'{"instances":[]}')
    assert threads[0] == "model-m_0"
    assert "MainThread" in threads
    dispatch.close()


async def test_requests_that_wait_together_are_computed_together_and_split_back() -> None:
    model = Doubling()
    dispatch = serving(model)
    bodies = [b'{"instances":[[%d],[%d]]}' % (n, n + 1) for n in range(5)]
    answers = await asyncio.gather(*[v1_answer(dispatch, body) for body in bodies], v2_answer(dispatch))
    assert answers[:5] == [(200, {"predictions": [2.0 * n, 2.0 * n + 2]}) for n in range(5)]
    assert [status for status, _ in answers] == [200] * 6
    assert sorted(model.seen) == [2, 10]  # integers apart from floats
    dispatch.close()


async def test_one_bad_request_fails_alone() -> None:
    dispatch = serving(Doubling())
    bodies = [b'{"instances":[[1]]}', b'{"instances":[[13]]}', b'{"instances":[[2]]}', b"{", b'{"instances":[[3,4]]}']
    answers = await asyncio.gather(*[v1_answer(dispatch, body) for body in bodies])
    assert [status for status, _ in answers] == [200, 500, 200, 400, 200]
    assert answers[1][1] == {"error": "ValueError : unlucky"}
    assert [answers[i][1] for i in (0, 2, 4)] == [
        {"predictions": [2.0]},
        {"predictions": [4.0]},
        {"predictions": [6.0]},
    ]
    dispatch.close()


async def test_a_subclass_with_its_own_predict_is_called_by_it() -> None:
    class Own(Doubling):
        def predict(self, payload: object, headers: dict[str, str]) -> object:
            return {"predictions": ["own"]}

    dispatch = serving(Own())
    answers = await asyncio.gather(*[v1_answer(dispatch, b'{"instances":[[1]]}') for _ in range(3)])
    assert answers == [(200, {"predictions": ["own"]})] * 3
    dispatch.close()


async def test_a_call_whose_client_left_before_its_turn_is_not_computed() -> None:
    model = Doubling()
    dispatch = serving(model)
    gone = dispatch.predict("m", b'{"instances":[[1]]}', {})
    assert isinstance(gone, Reply)
    gone.cancel()
    assert await v1_answer(dispatch, b'{"instances":[[2]]}') == (200, {"predictions": [4.0]})
    assert model.seen == [1]
    dispatch.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (ValueError("boom"), (500, {"error": "ValueError : boom"})),
        (NotImplementedError("later"), (501, {"error": "later"})),
    ],
)
async def test_what_a_model_raises_becomes_an_answer(raised: Exception, expected: tuple[int, object]) -> None:
    def fail(payload: object) -> object:
        raise raised

    dispatch = serving(Calling(fail))
    assert await v1_answer(dispatch, b'{"instances":[]}') == expected
    dispatch.close()


async def test_even_an_exit_inside_a_model_is_answered() -> None:
    def leave(payload: object) -> object:
        raise SystemExit(3)

    dispatch = serving(Calling(leave))
    status, _ = await v1_answer(dispatch, b'{"instances":[]}')
    assert status == 500
    dispatch.close()


async def test_unknown_and_unready_models_are_told_apart() -> None:
    dispatch = serving(Model("m"))
    assert await v1_answer(dispatch, b"{}") == (503, {"error": "Model with name m is not ready."})
    assert await v1_answer(serving(), b"{}") == (404, {"error": "Model with name m does not exist."})


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", "dict"),
        ("application/json; charset=utf-8", "dict"),
        ("application/x-www-form-urlencoded", "dict"),
        ("", "dict"),
        ("text/csv", "bytes"),
    ],
)
async def test_what_a_model_is_given_depends_on_the_media_type(content_type: str, expected: str) -> None:
    dispatch = serving(Calling(lambda payload: {"predictions": [type(payload).__name__]}))
    headers = {"content-type": content_type} if content_type else {}
    assert await v1_answer(dispatch, b'{"instances":[1]}', headers) == (200, {"predictions": [expected]})
    dispatch.close()


async def test_v1_instances_that_are_no_list_are_refused_before_the_model() -> None:
    dispatch = serving(Calling(lambda payload: {"predictions": []}))
    assert await v1_answer(dispatch, b'{"instances":"x"}') == (400, {"error": 'Expected "instances" to be a list'})
    dispatch.close()


async def test_text_and_bytes_are_sent_raw_without_a_content_type() -> None:
    for result in ("text", b"text"):
        dispatch = serving(Calling(lambda payload, result=result: result))  # type: ignore[misc]  # the default binds it
        answer = await settled(dispatch.predict("m", b"{}", {}))
        assert (answer.body, answer.content_type) == (b"text", None)
        dispatch.close()


async def test_a_v2_model_answers_with_a_response_and_gets_the_id_echoed() -> None:
    dispatch = serving(Calling(lambda payload: InferResponse(None, "m", [InferOutput("y", [1], "INT64", [5])])))
    status, body = await v2_answer(dispatch)
    assert status == 200
    assert isinstance(body, dict)
    assert (body["id"], body["outputs"][0]["data"]) == ("7", [5])
    dispatch.close()


async def test_a_v2_model_may_answer_with_a_plain_object_and_nothing_else() -> None:
    dispatch = serving(Calling(lambda payload: {"outputs": []}))
    assert await v2_answer(dispatch) == (200, {"outputs": []})
    dispatch.close()
    other = serving(Calling(lambda payload: 3))
    assert await v2_answer(other) == (500, {"error": "expected an InferResponse or a dict from the model, got int"})
    other.close()


async def test_requests_are_counted_by_model_protocol_and_code() -> None:
    dispatch = serving(Doubling())
    await v1_answer(dispatch, b'{"instances":[[1]]}')
    await v1_answer(dispatch, b"{")
    await v2_answer(dispatch)
    await settled(dispatch.predict("made-up-by-a-client", b"{}", {}))
    text = dispatch.metrics.exposition("")[0].decode()
    assert 'inferplane_requests_total{code="200",model_name="m",protocol="v1"} 1.0' in text
    assert 'inferplane_requests_total{code="400",model_name="m",protocol="v1"} 1.0' in text
    assert 'inferplane_requests_total{code="200",model_name="m",protocol="v2"} 1.0' in text
    assert 'inferplane_requests_total{code="404",model_name="",protocol="v1"} 1.0' in text
    assert 'request_predict_seconds_count{model_name="m"} 2.0' in text
    assert "made-up-by-a-client" not in text
    dispatch.close()
