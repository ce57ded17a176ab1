"""The gRPC port as a grpcio client sees it: calls, status codes, streams, health, reflection, limits."""

import asyncio
import threading
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # published without types
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]  # published without types
from tests.contract.grpc.serving import Echo, Serving, call, infer, message, serving

from inferplane import InferenceError, InferInput, InferOutput, InferRequest, InferResponse
from inferplane.dataplane.server.grpc.port import PortOptions
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb

FOUR = InferInput.decoded("x", "FP32", np.arange(4, dtype=np.float32).reshape(2, 2))


class Failing(Echo):
    def __init__(self, error: Exception) -> None:
        super().__init__("failing")
        self._error = error

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        raise self._error


class Gated(Echo):
    """Answers on its thread once `release` is set; `entered` tells that it waits."""

    def __init__(self) -> None:
        super().__init__("gated")
        self.entered = threading.Event()
        self.release = threading.Event()
        self.calls = 0

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        self.calls += 1
        self.entered.set()
        assert self.release.wait(10)
        return super().predict(payload, headers)


class Counting(Echo):
    """Streams as many answers as the input says."""

    def __init__(self) -> None:
        super().__init__("counting")

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        assert isinstance(payload, InferRequest)
        count = int(payload.inputs[0].view()[0])

        async def answers() -> AsyncIterator[InferResponse]:
            for number in range(count):
                yield InferResponse(None, self.name, [InferOutput.decoded("n", "INT32", np.array([number], np.int32))])

        return answers()


def channel(server: Serving, **options: int) -> grpc.aio.Channel:
    named = [(f"grpc.{name}", value) for name, value in options.items()]
    return grpc.aio.insecure_channel(server.address, options=named)


async def code_of(attempt: "asyncio.Future[object] | object") -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await attempt  # type: ignore[misc]  # a coroutine or a call
    return caught.value.code(), caught.value.details() or ""


async def test_typed_contents_are_answered_typed_and_raw_ones_raw() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        typed = await infer(client, message("echo", [FOUR], "a"))
        raw = await infer(client, message("echo", [FOUR], "b", raw=True))
    assert list(typed.outputs[0].contents.fp32_contents) == [0, 1, 2, 3]
    assert (typed.id, list(typed.raw_output_contents)) == ("a", [])
    assert raw.raw_output_contents[0] == np.arange(4, dtype=np.float32).tobytes()
    assert raw.outputs[0].parameters["binary_data_size"].int64_param == 16
    assert not raw.outputs[0].HasField("contents")


async def test_server_and_model_calls_answer() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        assert (await call(client, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
        assert (await call(client, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
        assert (await call(client, "ModelReady", pb.ModelReadyRequest(name="echo"), pb.ModelReadyResponse)).ready
        about = await call(client, "ServerMetadata", pb.ServerMetadataRequest(), pb.ServerMetadataResponse)
        model = await call(client, "ModelMetadata", pb.ModelMetadataRequest(name="echo"), pb.ModelMetadataResponse)
        index = await call(client, "RepositoryIndex", pb.RepositoryIndexRequest(), pb.RepositoryIndexResponse)
    assert (about.name, model.name) == ("inferplane", "echo")
    assert [(one.name, one.state) for one in index.models] == [("echo", "READY")]


async def test_statistics_count_what_was_answered() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        await infer(client, message("echo", [FOUR]))
        request = pb.ModelStatisticsRequest(name="echo")
        (found,) = (await call(client, "ModelStatistics", request, pb.ModelStatisticsResponse)).model_stats
    assert (found.name, found.inference_count, found.inference_stats.success.count) == ("echo", 1, 1)


@pytest.mark.parametrize("field", ["model_name", "repository_name"])
async def test_models_are_unloaded_and_loaded_in_kserves_and_in_tritons_form(field: str) -> None:
    async with serving(Echo()) as server, channel(server) as client:
        unload = pb.RepositoryModelUnloadRequest(**{field: "echo"})  # type: ignore[arg-type]  # one of two text fields
        answer = await call(client, "RepositoryModelUnload", unload, pb.RepositoryModelUnloadResponse)
        assert (answer.model_name, answer.isUnloaded) == ("echo", True)
        server.repository.update(Echo())
        load = pb.RepositoryModelLoadRequest(**{field: "echo"})  # type: ignore[arg-type]  # one of two text fields
        loaded = await call(client, "RepositoryModelLoad", load, pb.RepositoryModelLoadResponse)
        assert (loaded.model_name, loaded.isLoaded) == ("echo", True)


async def test_an_unknown_model_is_not_found() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        for attempt in (
            infer(client, message("nobody", [FOUR])),
            call(client, "ModelReady", pb.ModelReadyRequest(name="nobody"), pb.ModelReadyResponse),
            call(client, "ModelMetadata", pb.ModelMetadataRequest(name="nobody"), pb.ModelMetadataResponse),
        ):
            found = await code_of(attempt)
            assert found == (grpc.StatusCode.NOT_FOUND, "Model with name nobody does not exist.")


async def test_a_model_that_is_not_ready_is_unavailable_and_reported_so() -> None:
    model = Echo()
    model.ready = False
    async with serving(model) as server, channel(server) as client:
        assert (await code_of(infer(client, message("echo", [FOUR]))))[0] is grpc.StatusCode.UNAVAILABLE
        assert not (await call(client, "ModelReady", pb.ModelReadyRequest(name="echo"), pb.ModelReadyResponse)).ready
        assert not (await call(client, "ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready


@pytest.mark.parametrize(("version", "served"), [("", True), ("1", True), ("7", False)])
async def test_only_the_served_version_is_found(version: str, served: bool) -> None:
    request = message("echo", [FOUR])
    request.model_version = version
    async with serving(Echo()) as server, channel(server) as client:
        if served:
            assert (await infer(client, request)).model_name == "echo"
        else:
            assert (await code_of(infer(client, request)))[0] is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InferenceError("no"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotImplementedError("no"), grpc.StatusCode.UNIMPLEMENTED),
        (RuntimeError("no"), grpc.StatusCode.INTERNAL),
    ],
)
async def test_what_a_model_raises_has_a_code(error: Exception, code: grpc.StatusCode) -> None:
    async with serving(Failing(error)) as server, channel(server) as client:
        assert (await code_of(infer(client, message("failing", [FOUR]))))[0] is code


async def test_a_call_that_there_is_not_is_unimplemented() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        attempt = call(client, "ModelExplain", pb.ServerLiveRequest(), pb.ServerLiveResponse)
        assert (await code_of(attempt))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_past_the_limit_is_refused() -> None:
    async with serving(Echo(), options=PortOptions(max_receive=1024)) as server, channel(server) as client:
        large = InferInput.decoded("x", "FP64", np.zeros(1000))
        assert (await code_of(infer(client, message("echo", [large]))))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_metadata_reaches_the_model_in_lower_case() -> None:
    model = Echo()
    async with serving(model) as server, channel(server) as client:
        await infer(client, message("echo", [FOUR]), metadata=(("x-team", "blue"),))
    assert model.seen_headers[0]["x-team"] == "blue"


async def test_compressed_messages_are_read_and_answers_compressed_on_demand() -> None:
    async with serving(Echo(), options=PortOptions(compress=True)) as server, channel(server) as client:
        answer = await infer(client, message("echo", [FOUR], raw=True), compression=grpc.Compression.Gzip)
    assert answer.raw_output_contents[0] == np.arange(4, dtype=np.float32).tobytes()


async def test_a_passed_deadline_drops_the_request_from_the_queue() -> None:
    model = Gated()
    async with serving(model) as server, channel(server) as client:
        first = asyncio.ensure_future(infer(client, message("gated", [FOUR])))
        await asyncio.to_thread(model.entered.wait, 10)
        late = await code_of(infer(client, message("gated", [FOUR]), timeout=0.05))
        # The server has heard of it when it answers the next call of the same connection.
        await call(client, "ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)
        model.release.set()
        await first
        await infer(client, message("gated", [FOUR]))
    assert late[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert model.calls == 2


async def test_a_draining_server_answers_what_it_has_begun() -> None:
    model = Gated()
    async with serving(model) as server, channel(server) as client:
        begun = asyncio.ensure_future(infer(client, message("gated", [FOUR], "begun")))
        await asyncio.to_thread(model.entered.wait, 10)
        draining = asyncio.ensure_future(server.server.drain(10))
        model.release.set()
        assert (await begun).id == "begun"
        await draining


async def test_health_follows_the_models() -> None:
    model = Echo()
    check = "/grpc.health.v1.Health/Check"
    async with serving(model) as server, channel(server) as client:
        for service in ("", "inference.GRPCInferenceService"):
            request = health_pb2.HealthCheckRequest(service=service)
            assert (await call(client, check, request, health_pb2.HealthCheckResponse)).status == 1
        model.ready = False
        request = health_pb2.HealthCheckRequest()
        assert (await call(client, check, request, health_pb2.HealthCheckResponse)).status == 2
        attempt = call(client, check, health_pb2.HealthCheckRequest(service="x"), health_pb2.HealthCheckResponse)
        assert (await code_of(attempt))[0] is grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched() -> None:
    model = Echo()
    async with serving(model) as server, channel(server) as client:
        watch = client.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == 1
        model.ready = False
        assert (await watch.read()).status == 2
        watch.cancel()


async def test_reflection_tells_the_services_and_their_messages() -> None:
    async with serving(Echo()) as server, channel(server) as client:
        ask = client.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )()
        await ask.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        services = {one.name for one in (await ask.read()).list_services_response.service}
        for symbol in ("inference.GRPCInferenceService", "grpc.health.v1.Health"):
            await ask.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))
            assert (await ask.read()).file_descriptor_response.file_descriptor_proto
        await ask.done_writing()
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= services


# --- streams ----------------------------------------------------------------------------------------------------------


async def streamed(server: Serving, *requests: pb.ModelInferRequest) -> list[pb.ModelStreamInferResponse]:
    async with channel(server) as client:
        stream = client.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            pb.ModelInferRequest.SerializeToString,
            pb.ModelStreamInferResponse.FromString,
        )(iter(requests))
        return [answer async for answer in stream]


def count(number: int, id: str, *, final: bool = False) -> pb.ModelInferRequest:
    request = message("counting", [InferInput.decoded("x", "INT32", np.array([number], np.int32))], id)
    if final:
        request.parameters["triton_enable_empty_final_response"].bool_param = True
    return request


async def test_a_stream_answers_each_request_by_its_id() -> None:
    async with serving(Echo()) as server:
        answers = await streamed(server, *(message("echo", [FOUR], str(number)) for number in range(200)))
    assert sorted(answer.infer_response.id for answer in answers) == sorted(str(number) for number in range(200))
    assert not any(answer.error_message for answer in answers)


async def test_a_failed_request_is_told_by_id_and_the_stream_goes_on() -> None:
    async with serving(Echo()) as server:
        answers = await streamed(server, message("nobody", [FOUR], "bad"), message("echo", [FOUR], "good"))
    told = {answer.infer_response.id: answer.error_message for answer in answers}
    assert told == {"bad": "Model with name nobody does not exist.", "good": ""}


async def test_a_streaming_model_gives_any_number_of_answers() -> None:
    async with serving(Counting()) as server:
        answers = await streamed(server, count(3, "a"), count(0, "b"))
    numbers = [answer.infer_response.outputs[0].contents.int_contents[0] for answer in answers]
    assert numbers == [0, 1, 2]


async def test_who_asks_for_it_gets_an_empty_final_answer() -> None:
    async with serving(Counting()) as server:
        answers = await streamed(server, count(1, "a", final=True))
    last = answers[-1].infer_response
    assert (len(answers), last.id, len(last.outputs)) == (2, "a", 0)
    assert last.parameters["triton_final_response"].bool_param


async def test_a_streaming_model_is_refused_to_a_unary_call() -> None:
    async with serving(Counting()) as server, channel(server) as client:
        code, text = await code_of(infer(client, count(1, "a")))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "ModelStreamInfer" in text
