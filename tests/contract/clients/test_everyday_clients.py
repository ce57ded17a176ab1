"""`Client`, `AsyncClient` and their gRPC twins against our server: arrays and frames in and out, errors in words."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # typed only by a stub package
import pytest
import pytest_asyncio
from tests.contract.clients.test_kserve_clients import Echo
from tests.contract.grpc.serving import Serving, serving

from inferplane import InferInput, InferRequest, InvalidInput
from inferplane.client.inference.aio import AsyncClient
from inferplane.client.inference.errors import (
    NoSuchModel,
    NotReady,
    RequestRefused,
    ServerFailed,
    TimedOut,
    Unreachable,
)
from inferplane.client.inference.grpc_client import AsyncGrpcClient, GrpcClient
from inferplane.client.inference.sync import Client
from inferplane.inference.tensors import Array

T = TypeVar("T")
FLOATS = np.array([[0.1, 2.0], [3.0, -4.5]], dtype=np.float32)
TENSORS: dict[str, Array] = {
    "floats": FLOATS,
    "half": np.array([0.5], dtype=np.float16),
    "none": np.zeros((0, 3), dtype=np.int64),
    "text": np.array(["cat", "grün"], dtype=object),
}


class Slow(Echo):
    async def predict(self, payload: object, headers: dict[str, str]) -> object:
        await asyncio.sleep(30)
        return {}


class Broken(Echo):
    def predict(self, payload: object, headers: dict[str, str]) -> object:
        raise RuntimeError("out of order")


class Picky(Echo):
    def predict(self, payload: object, headers: dict[str, str]) -> object:
        raise InvalidInput(f"token {headers.get('x-token')} is not welcome")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Serving]:
    models = (Echo("echo"), Echo("lazy", ready=False), Slow("slow"), Broken("broken"), Picky("picky"))
    async with serving(*models) as running:
        yield running


async def sync(server: Serving, use: Callable[[Client], T], path: str = "") -> T:
    """`use` on a thread: the server runs in this test's event loop."""

    def work() -> T:
        with Client(f"http://127.0.0.1:{server.http}{path}", headers={"x-token": "t1"}, timeout=10) as client:
            return use(client)

    return await asyncio.to_thread(work)


def aio(server: Serving) -> AsyncClient:
    return AsyncClient(f"http://127.0.0.1:{server.http}", headers={"x-token": "t1"}, timeout=10)


async def test_v1_rows_in_a_list_give_json_values_and_rows_in_an_array_an_array(server: Serving) -> None:
    assert await sync(server, lambda client: client.predict("echo", [[1, None], ["a", 2.5]])) == [[1, None], ["a", 2.5]]
    rows = np.array([[0.1, 2], [3, -4.5]])
    np.testing.assert_array_equal(await sync(server, lambda client: client.predict("echo", rows)), rows)
    np.testing.assert_array_equal(await sync(server, lambda client: client.predict("echo", rows.T)), rows.T)
    async with aio(server) as client:
        assert await client.predict("echo", [[1]]) == [[1]]
        np.testing.assert_array_equal(await client.predict("echo", rows), rows)


async def test_a_frame_is_sent_as_records_over_v1(server: Serving) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    found = await sync(server, lambda client: client.predict("echo", frame))
    assert found.tolist() == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


async def test_every_array_comes_back_as_it_was_over_both_wires_sync_and_async(server: Serving) -> None:
    over_rest = await sync(server, lambda client: client.infer("echo", TENSORS))
    async with aio(server) as client:
        over_async = await client.infer("echo", TENSORS)
    with GrpcClient(f"grpc://{server.address}") as twin:
        over_grpc = await asyncio.to_thread(lambda: twin.infer("echo", TENSORS))
    async with AsyncGrpcClient(server.address) as async_twin:
        over_async_grpc = await async_twin.infer("echo", TENSORS)
    for found in (over_rest, over_async, over_grpc, over_async_grpc):
        assert list(found) == list(TENSORS)
        for name, values in TENSORS.items():
            assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
            np.testing.assert_array_equal(found[name], values)


async def test_lists_travel_as_json_and_outputs_may_be_chosen(server: Serving) -> None:
    found = await sync(server, lambda client: client.infer("echo", {"a": [[1, 2]], "b": ["x"]}, outputs=["b", "a"]))
    assert {name: values.tolist() for name, values in found.items()} == {"b": ["x"], "a": [[1, 2]]}
    assert list(found) == ["b", "a"]


async def test_a_frame_in_is_a_frame_out(server: Serving) -> None:
    frame = pd.DataFrame({"age": [1.5, 2.0], "city": ["Bern", "Zürich"]})
    found = await sync(server, lambda client: client.infer("echo", frame))
    pd.testing.assert_frame_equal(found, frame, check_dtype=False)


async def test_the_whole_answer_is_there_for_who_wants_it(server: Serving) -> None:
    request = InferRequest("echo", [InferInput("x", [2], "INT64", [1, 2])], request_id="mine")
    answer = await sync(server, lambda client: client.infer_request(request))
    assert (answer.id, answer.outputs[0].data) == ("mine", [1, 2])


async def test_readiness_metadata_and_names(server: Serving) -> None:
    def ask(client: Client) -> list[object]:
        return [client.is_live(), client.is_ready(), client.is_ready("echo"), client.is_ready("lazy", protocol="v1")]

    assert await sync(server, ask) == [True, False, True, False]
    assert list(await sync(server, lambda client: client.models())) == ["echo", "lazy", "slow", "broken", "picky"]
    assert (await sync(server, lambda client: client.metadata("echo")))["name"] == "echo"
    with GrpcClient(server.address) as twin:
        asked = [twin.is_live, twin.is_ready, lambda: twin.is_ready("echo"), lambda: twin.is_ready("absent")]
        assert [await asyncio.to_thread(ask) for ask in asked] == [True, False, True, False]


@pytest.mark.parametrize(
    ("model", "kind", "status", "words"),
    [
        ("absent", NoSuchModel, 404, "Model with name absent does not exist."),
        ("lazy", NotReady, 503, "Model with name lazy is not ready."),
        ("broken", ServerFailed, 500, "RuntimeError : out of order"),
        ("picky", RequestRefused, 400, "token t1 is not welcome"),
    ],
)
async def test_a_refusal_has_a_type_a_status_the_servers_words_and_the_url(
    server: Serving, model: str, kind: type[NoSuchModel], status: int, words: str
) -> None:
    with pytest.raises(kind) as caught:
        await sync(server, lambda client: client.infer(model, {"x": FLOATS}))
    assert (caught.value.status, caught.value.reason) == (status, words)
    assert str(caught.value).startswith(f"http://127.0.0.1:{server.http}/v2/models/{model}/infer: {status}: {words}")
    async with aio(server) as client:
        with pytest.raises(kind):
            await client.infer(model, {"x": FLOATS})
    async with AsyncGrpcClient(server.address, headers={"x-token": "t1"}) as twin:
        with pytest.raises(kind):
            await twin.infer(model, {"x": FLOATS})


async def test_patience_ends_and_says_so(server: Serving) -> None:
    with pytest.raises(TimedOut, match=r"no answer within 0\.05 s"):
        await sync(server, lambda client: client.infer("slow", {"x": FLOATS}, timeout=0.05))
    async with aio(server) as client:
        with pytest.raises(TimedOut, match=r"no answer within 0.05 s: raise timeout="):
            await client.infer("slow", {"x": FLOATS}, timeout=0.05)
    async with AsyncGrpcClient(server.address) as twin:
        with pytest.raises(TimedOut):
            await twin.infer("slow", {"x": FLOATS}, timeout=0.05)


async def test_a_grpc_server_that_is_not_there_is_unreachable(unused_tcp_port: int) -> None:
    async with AsyncGrpcClient(f"127.0.0.1:{unused_tcp_port}") as twin:
        assert not await twin.is_ready()
        with pytest.raises(Unreachable, match="cannot connect"):
            await twin.infer("echo", {"x": FLOATS})
