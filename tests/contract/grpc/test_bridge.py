"""gRPC through the gateway: a real Envoy turns unary calls into HTTP/1.1 requests, and the answers back."""

import asyncio

import grpc
import numpy as np
import pytest
from tests.contract.grpc.gateway import behind_envoy, channel
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


async def test_streams_take_the_grpc_port_and_unary_calls_the_bridge() -> None:
    model = Echo()
    async with (
        serving(model) as server,
        behind_envoy(server.http, server.grpc) as platform,
        channel(platform) as client,
    ):
        stream = client.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )(iter([message("echo", [FOUR], "streamed")]))
        answers = [answer.infer_response.id async for answer in stream]
        await infer(client, message("echo", [FOUR]))
    assert answers == ["streamed"]
    # Envoy numbers HTTP/1.1 requests of its own; only those came over the bridge.
    assert ["transfer-encoding" in headers or "content-length" in headers for headers in model.seen_headers] == [
        False,
        True,
    ]


async def test_a_stream_that_no_port_takes_is_refused_at_once() -> None:
    async with serving(Echo()) as server, behind_envoy(server.http) as platform, channel(platform) as client:
        stream = client.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )()
        await stream.write(message("echo", [FOUR]))
        async with asyncio.timeout(10):
            await stream.read()  # gRPC tells the status after the last message, here an empty one
            assert await stream.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "streams need the gRPC port" in await stream.details()


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


async def test_a_server_that_does_not_know_the_bridge_is_spoken_to_in_grpc() -> None:
    model = Echo()
    async with (
        serving(model) as server,
        behind_envoy(server.http, server.grpc, bridge=False) as platform,
        channel(platform) as client,
    ):
        await infer(client, message("echo", [FOUR]))
    assert "transfer-encoding" not in model.seen_headers[0]
