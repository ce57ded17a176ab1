"""Models without a `predict` of their own, in front of a real predictor in each protocol."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from tests.contract.grpc.serving import Serving, infer, message, serving

from inferplane import InferInput, InferOutput, InferRequest, InferResponse, Model, PredictorConfig
from inferplane.dataplane.model.forwarding import close_clients
from inferplane.dataplane.model.predictor import tell_predictor
from inferplane.errors import InvalidInput

TENSOR = InferInput("x", [2], "FP64", [1.0, 2.0])


class Predictor(Model):
    """Doubles, and remembers the headers it was sent."""

    def __init__(self) -> None:
        super().__init__("m", return_response_headers=True)
        self.ready = True
        self.seen: dict[str, str] = {}

    @property
    def predictor_config(self) -> None:
        """It shares its process, and so what that was told, with the transformer; it asks nobody."""

    def predict(self, payload: Any, headers: dict[str, str], response_headers: dict[str, str]) -> Any:
        self.seen = headers
        response_headers["x-took"] = "1"
        if isinstance(payload, InferRequest):
            [tensor] = payload.inputs
            if (tensor.as_numpy().astype(float) < 0).any():
                raise InvalidInput("not below 0")
            doubled = InferOutput("y", tensor.shape, tensor.datatype, tensor.as_numpy() * 2)
            return InferResponse(payload.id, self.name, [doubled])
        if payload["instances"] == ["bad"]:
            raise InvalidInput("not this one")
        return {"predictions": [2 * row for row in payload["instances"]]}


class Transformer(Model):
    """Adds one before it asks."""

    def __init__(self) -> None:
        super().__init__("m", return_response_headers=True)
        self.ready = True

    async def preprocess(self, payload: Any, headers: dict[str, str]) -> Any:
        if isinstance(payload, dict) and payload["instances"] != ["bad"]:
            return {"instances": [row + 1 for row in payload["instances"]]}
        return payload


@pytest.fixture(autouse=True)
def nobody_to_ask() -> Iterator[None]:
    yield
    tell_predictor(None)


@asynccontextmanager
async def behind(predictor: Model, protocol: str, **settings: Any) -> AsyncIterator[Serving]:
    async with serving(predictor) as back:
        host = back.address if protocol == "grpc-v2" else f"127.0.0.1:{back.http}"
        tell_predictor(PredictorConfig(host, protocol, **settings))
        async with serving(Transformer()) as front:
            try:
                yield front
            finally:
                await close_clients()


async def test_v1_is_asked_with_what_preprocess_made_and_headers_travel_both_ways() -> None:
    predictor = Predictor()
    async with behind(predictor, "v1") as front, httpx.AsyncClient() as client:
        answer = await client.post(
            f"http://127.0.0.1:{front.http}/v1/models/m:predict",
            json={"instances": [1, 2]},
            headers={"X-Request-Id": "7", "Authorization": "me", "Cookie": "secret", "traceparent": "t"},
        )
    assert (answer.json(), answer.headers["x-took"]) == ({"predictions": [4, 6]}, "1")
    passed = {name: predictor.seen.get(name) for name in ("x-request-id", "authorization", "traceparent", "cookie")}
    assert passed == {"x-request-id": "7", "authorization": "me", "traceparent": "t", "cookie": None}


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
async def test_v2_is_asked_with_tensors(protocol: str) -> None:
    async with behind(Predictor(), protocol):
        answer, _ = await Transformer()(InferRequest("m", [TENSOR], "7"))
    assert isinstance(answer, InferResponse)
    assert (answer.id, answer.outputs[0].as_numpy().tolist()) == ("7", [2.0, 4.0])


async def test_the_predictors_refusal_is_handed_on_word_for_word() -> None:
    async with behind(Predictor(), "v1") as front, httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{front.http}/v1/models/m:predict", json={"instances": ["bad"]})
    assert (answer.status_code, answer.json()) == (400, {"error": "not this one"})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])
async def test_a_refusal_has_the_same_code_and_words_over_every_protocol(protocol: str) -> None:
    bad = InferInput("x", [1], "FP64", [-1.0])
    async with behind(Predictor(), protocol) as front:
        async with grpc.aio.insecure_channel(front.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await infer(channel, message("m", [bad]))
        async with httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{front.http}/v2/models/m/infer"
            tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [-1.0]}
            answer = await client.post(url, json={"inputs": [tensor]})
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "not below 0")
    assert (answer.status_code, answer.json()) == (400, {"error": "not below 0"})


async def test_an_author_may_catch_what_the_predictor_refuses() -> None:
    class Forgiving(Transformer):
        async def predict(self, payload: Any, headers: dict[str, str], response_headers: dict[str, str]) -> Any:
            try:
                return await super().predict(payload, headers, response_headers)
            except httpx.HTTPStatusError as error:
                return {"predictions": [error.response.status_code, error.response.json()["error"]]}

    async with behind(Predictor(), "v1"):
        answer, _ = await Forgiving()({"instances": ["bad"]})
    assert answer == {"predictions": [400, "not this one"]}


async def test_an_author_may_catch_that_nobody_answers() -> None:
    tell_predictor(PredictorConfig("127.0.0.1:1"))
    with pytest.raises(httpx.ConnectError, match="cannot connect"):
        await Transformer()({"instances": [1]}, {})
    await close_clients()


async def test_a_predictor_that_is_not_there_is_a_503() -> None:
    async with serving(Transformer()) as front, httpx.AsyncClient() as client:
        tell_predictor(PredictorConfig("127.0.0.1:1"))
        answer = await client.post(f"http://127.0.0.1:{front.http}/v1/models/m:predict", json={"instances": [1]})
        await close_clients()
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("the predictor at http://127.0.0.1:1: cannot connect (")


async def test_a_predictor_that_is_not_ready_says_when_to_come_back() -> None:
    predictor = Predictor()
    predictor.ready = False
    async with behind(predictor, "v1") as front, httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{front.http}/v1/models/m:predict", json={"instances": [1]})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "Model with name m is not ready."}


async def test_large_tensors_go_to_our_predictor_and_come_back_as_bytes() -> None:
    values = np.arange(4096, dtype=np.float32)
    tensor = InferInput("x", [4096], "FP32", values)
    predictor = Predictor()
    async with behind(predictor, "v2"):
        answer, _ = await Transformer()(InferRequest("m", [tensor], "7"))
    assert predictor.seen["content-type"] == "application/octet-stream"
    assert (answer.outputs[0].as_numpy() == values * 2).all()


@pytest.mark.parametrize("protocol", ["v1", "v2", "grpc-v2"])
async def test_a_transformer_may_be_as_ready_as_its_predictor(protocol: str) -> None:
    predictor = Predictor()
    async with behind(predictor, protocol, predictor_health_check=True) as front:
        assert await front.repository.is_model_ready("m")
        predictor.ready = False
        assert not await front.repository.is_model_ready("m")


async def test_nobody_is_asked_for_readiness_unless_told_to() -> None:
    async with serving(Transformer()) as front:
        tell_predictor(PredictorConfig("127.0.0.1:1"))
        assert await front.repository.is_model_ready("m")
        tell_predictor(PredictorConfig("127.0.0.1:1", predictor_health_check=True))
        assert not await front.repository.is_model_ready("m")
        await close_clients()


async def test_an_explainer_is_asked_over_v1() -> None:
    class Explainer(Predictor):
        def explain(self, payload: Any, headers: dict[str, str]) -> Any:
            return {"explanations": payload["instances"]}

    async with serving(Explainer()) as back:
        front = Transformer()
        front.explainer_host = f"127.0.0.1:{back.http}"
        async with serving(front) as served, httpx.AsyncClient() as client:
            answer = await client.post(f"http://127.0.0.1:{served.http}/v1/models/m:explain", json={"instances": [1]})
        await close_clients()
    assert answer.json() == {"explanations": [2]}


async def test_concurrent_requests_share_one_client() -> None:
    async with behind(Predictor(), "v1"):
        answers = await asyncio.gather(*(Transformer()({"instances": [row]}) for row in range(8)))
    assert [answer["predictions"] for answer, _ in answers] == [[2 * (row + 1)] for row in range(8)]
