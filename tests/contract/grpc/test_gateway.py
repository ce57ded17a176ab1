"""gRPC through the gateway: a real Envoy speaks HTTP/2 to the server's HTTP port, unary calls and streams alike."""

import asyncio

import aiohttp
import grpc
import numpy as np
import pytest
from tests.contract.grpc.gateway import HOST, behind_envoy, channel
from tests.contract.grpc.serving import Echo, call, infer, message, serving

from inferplane import InferenceError, InferInput
from inferplane.client.kubernetes.kinds import ENDPOINT_SLICE
from inferplane.dataplane.server.http.limits import Limits
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

pytestmark = pytest.mark.e2e

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32).reshape(2, 2))


class Raising(Echo):
    def predict(self, payload: object, headers: dict[str, str]) -> object:
        raise self.error

    error: Exception = RuntimeError("broken: naïve 100 %")


async def refused(attempt: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await attempt  # type: ignore[misc]  # a coroutine
    return caught.value.code(), caught.value.details() or ""


async def test_every_unary_call_is_answered() -> None:
    async with serving(Echo()) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        assert (await call(client, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
        assert (await call(client, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
        assert (await call(client, "ModelReady", pb.ModelReadyRequest(name="echo"), pb.ModelReadyResponse)).ready
        index = await call(client, "RepositoryIndex", pb.RepositoryIndexRequest(), pb.RepositoryIndexResponse)
        model = await call(client, "ModelMetadata", pb.ModelMetadataRequest(name="echo"), pb.ModelMetadataResponse)
        typed = await infer(client, message("echo", [FOUR], "a"))
        raw = await infer(client, message("echo", [FOUR], "b", raw=True))
    assert ([one.name for one in index.models], model.name) == (["echo"], "echo")
    assert list(typed.outputs[0].contents.fp32_contents) == [0, 1, 2, 3]
    assert (raw.id, raw.raw_output_contents[0]) == ("b", np.arange(4, dtype=np.float32).tobytes())


async def test_the_codes_and_messages_of_failures_are_the_servers_own() -> None:
    echo, raising = Echo(), Raising("raising")
    wrong = message("echo", [FOUR])
    wrong.inputs[0].shape[:] = [3, 2]
    async with serving(echo, raising) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        assert await refused(infer(client, message("nobody", [FOUR]))) == (
            grpc.StatusCode.NOT_FOUND,
            "Model with name nobody does not exist.",
        )
        assert await refused(infer(client, wrong)) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "inputs[0].contents: fp32_contents does not fill the shape: expected 6 values for [3, 2], got 4",
        )
        assert await refused(infer(client, message("raising", [FOUR]))) == (
            grpc.StatusCode.INTERNAL,
            "RuntimeError : broken: naïve 100 %",
        )
        raising.error = InferenceError("no")
        assert (await refused(infer(client, message("raising", [FOUR]))))[0] is grpc.StatusCode.INVALID_ARGUMENT
        echo.ready = False
        assert (await refused(infer(client, message("echo", [FOUR]))))[0] is grpc.StatusCode.UNAVAILABLE


async def test_a_service_without_replicas_is_unavailable() -> None:
    async with serving(Echo()) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        await infer(client, message("echo", [FOUR]))
        await platform.api.delete(ENDPOINT_SLICE, "echo-0", "default")
        async with asyncio.timeout(20):
            while True:
                try:
                    await infer(client, message("echo", [FOUR]))
                except grpc.aio.AioRpcError as error:
                    found = error
                    break
    assert found.code() is grpc.StatusCode.UNAVAILABLE
    assert "default/echo has no ready replica" in (found.details() or "")


async def test_large_and_compressed_messages_come_through() -> None:
    large = InferInput.decoded("x", "FP32", np.random.default_rng(1).random((1, 3, 224, 224), np.float32))
    async with serving(Echo()) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        request = message("echo", [large], raw=True)
        plain = await infer(client, request)
        zipped = await infer(client, request, compression=grpc.Compression.Gzip)
    assert plain.raw_output_contents[0] == zipped.raw_output_contents[0] == large.view().tobytes()


async def test_streams_take_the_same_way_and_go_on_for_as_long_as_both_want() -> None:
    async with serving(Echo()) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        stream = client.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )()
        for number in range(100):
            await stream.write(message("echo", [FOUR], str(number)))
            answer = await stream.read()
            assert isinstance(answer, pb.ModelStreamInferResponse)
            assert answer.infer_response.id == str(number)
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF


async def test_rest_and_grpc_share_the_port() -> None:
    async with (
        serving(Echo()) as server,
        behind_envoy(server.http) as platform,
        channel(platform) as client,
        aiohttp.ClientSession() as rest,
    ):
        for _ in range(3):
            assert (await infer(client, message("echo", [FOUR], "a"))).id == "a"
            async with rest.get(f"http://127.0.0.1:{platform.port}/v2/models/echo", headers={"Host": HOST}) as answer:
                assert (await answer.json())["name"] == "echo"


async def test_a_message_past_the_limit_is_refused() -> None:
    large = InferInput.decoded("x", "UINT8", np.zeros(100_000, np.uint8))
    limits = Limits(lame_duck=0.01, body=50_000)
    async with (
        serving(Echo(), limits=limits) as server,
        behind_envoy(server.http) as platform,
        channel(platform) as client,
    ):
        code, text = await refused(infer(client, message("echo", [large], raw=True)))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "50000 bytes" in text


async def test_a_grpc_port_that_is_declared_is_the_one_that_is_called() -> None:
    async with (
        serving(Echo()) as server,
        behind_envoy(server.http, server.grpc, bridge=False) as platform,
        channel(platform) as client,
    ):
        assert (await infer(client, message("echo", [FOUR], "a"))).id == "a"
