"""Models without a `predict` of their own, in front of a real predictor in each protocol."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.contract.grpc.serving import Serving, serving

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
            doubled = InferOutput("y", [2], "FP64", payload.inputs[0].as_numpy() * 2)
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


async def test_the_predictors_refusal_keeps_its_status() -> None:
    async with behind(Predictor(), "v1") as front, httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{front.http}/v1/models/m:predict", json={"instances": ["bad"]})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("HTTPStatusError : not this one, '400 Bad Request' for url")


async def test_a_predictor_that_is_not_there_is_a_503() -> None:
    async with serving(Transformer()) as front, httpx.AsyncClient() as client:
        tell_predictor(PredictorConfig("127.0.0.1:1"))
        answer = await client.post(f"http://127.0.0.1:{front.http}/v1/models/m:predict", json={"instances": [1]})
        await close_clients()
    assert (answer.status_code, answer.json()["error"].split(" :")[0]) == (503, "ConnectError")


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
