"""The unary calls of GRPCInferenceService, as functions from message bytes to an answer.

All ways in use these: HTTP/2 on either port, and the HTTP lane for a message that is posted. Inference goes through the
dispatch, like every other protocol.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # published without types

from inferplane import __version__
from inferplane.dataplane.server import administration
from inferplane.dataplane.server.answers import Answer, Handler, Outcome
from inferplane.dataplane.server.calls import Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import status, versions
from inferplane.dataplane.server.grpc.paths import SERVICE
from inferplane.dataplane.server.grpc.protocol import GRPC
from inferplane.dataplane.server.grpc.timeout import seconds
from inferplane.dataplane.server.http.probes import Probes
from inferplane.inference.errors import Malformed
from inferplane.inference.grpc import grpc_predict_v2_pb2 as pb
from inferplane.inference.tensors import TensorMetadata

T = TypeVar("T", bound=Message)
R = TypeVar("R", bound=Message)
Unary: TypeAlias = Callable[[T], Awaitable[Message]]


class Service:
    """`methods` has a handler for each unary call, by its name in the service."""

    def __init__(self, dispatch: Dispatch, probes: Probes) -> None:
        self._dispatch = dispatch
        self._probes = probes
        self.methods: dict[str, Handler] = {
            "ModelInfer": self.infer,
            "ServerLive": _handler(pb.ServerLiveRequest, self._server_live),
            "ServerReady": _handler(pb.ServerReadyRequest, self._server_ready),
            "ServerMetadata": _handler(pb.ServerMetadataRequest, self._server_metadata),
            "ModelReady": _handler(pb.ModelReadyRequest, self._model_ready),
            "ModelMetadata": _handler(pb.ModelMetadataRequest, self._model_metadata),
            "ModelConfig": _handler(pb.ModelConfigRequest, self._model_config),
            "ModelStatistics": _handler(pb.ModelStatisticsRequest, self._model_statistics),
            "RepositoryIndex": _handler(pb.RepositoryIndexRequest, self._index),
            "RepositoryModelLoad": _handler(pb.RepositoryModelLoadRequest, self._load),
            "RepositoryModelUnload": _handler(pb.RepositoryModelUnloadRequest, self._unload),
        }

    def infer(self, body: bytes, headers: Headers, timeout: float | None = None) -> Outcome:
        """ModelInfer. The body is decoded when the model's turn has come; here it is only asked for the model.

        `timeout` in seconds; without one the header `grpc-timeout` counts, which a bridge over HTTP/1.1 hands on.
        """
        if timeout is None and (told := headers.get("grpc-timeout")):
            timeout = seconds(told)
        try:
            return self._dispatch.call(GRPC, requested_model(body), body, headers, timeout)
        except Malformed as error:
            return status.of_failure(error)

    async def health(self, body: bytes, headers: Headers) -> Answer:
        """grpc.health.v1.Health/Check, for the server as a whole and for this service, which are one."""
        try:
            name = _parsed(health_pb2.HealthCheckRequest, body).service
        except Malformed as error:
            return status.of_failure(error)
        if name not in ("", SERVICE):
            return status.refused(status.Code.NOT_FOUND, f"no such service: {name}", 404)
        serving = (await self._probes.server_ready()).status == 200
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        response = health_pb2.HealthCheckResponse(status=state)
        return Answer(200, response.SerializeToString(), status.CONTENT_TYPE)

    # Server and models.

    async def _server_live(self, request: pb.ServerLiveRequest) -> Message:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, request: pb.ServerReadyRequest) -> Message:
        answer = await self._probes.server_ready()
        return pb.ServerReadyResponse(ready=answer.status == 200)

    async def _server_metadata(self, request: pb.ServerMetadataRequest) -> Message:
        return pb.ServerMetadataResponse(name="inferplane", version=__version__, extensions=administration.EXTENSIONS)

    async def _model_ready(self, request: pb.ModelReadyRequest) -> Message:
        repository = self._dispatch.repository
        repository.existing(request.name)
        versions.check(request.name, request.version)
        return pb.ModelReadyResponse(ready=await repository.is_model_ready(request.name))

    async def _model_metadata(self, request: pb.ModelMetadataRequest) -> Message:
        inputs, outputs = await self._dispatch.metadata(request.name)
        versions.check(request.name, request.version)
        return pb.ModelMetadataResponse(name=request.name, inputs=_described(inputs), outputs=_described(outputs))

    async def _model_config(self, request: pb.ModelConfigRequest) -> Message:
        inputs, outputs = await self._dispatch.metadata(request.name)
        versions.check(request.name, request.version)
        config = administration.config(request.name, inputs, outputs)
        return ParseDict({"config": config}, pb.ModelConfigResponse())

    async def _model_statistics(self, request: pb.ModelStatisticsRequest) -> Message:
        """Of all models when the request names none."""
        repository, metrics = self._dispatch.repository, self._dispatch.metrics
        names = [repository.existing(request.name).name] if request.name else list(repository.get_models())
        versions.check(request.name, request.version)
        return ParseDict(
            {"model_stats": [administration.statistics(metrics, name) for name in names]}, pb.ModelStatisticsResponse()
        )

    # The model repository.

    async def _index(self, request: pb.RepositoryIndexRequest) -> Message:
        models = await administration.index(self._dispatch.repository, ready_only=request.ready)
        return ParseDict({"models": models}, pb.RepositoryIndexResponse())

    async def _load(self, request: pb.RepositoryModelLoadRequest) -> Message:
        name = _named(request)
        await administration.load(self._dispatch, name)
        return pb.RepositoryModelLoadResponse(model_name=name, isLoaded=True)

    async def _unload(self, request: pb.RepositoryModelUnloadRequest) -> Message:
        name = _named(request)
        await administration.unload(self._dispatch, name)
        return pb.RepositoryModelUnloadResponse(model_name=name, isUnloaded=True)


def health_state(answer: Answer) -> bytes:
    """What a watcher is told: the answer of `health`, or that the service is not known."""
    if isinstance(answer.body, bytes) and not isinstance(answer, status.Refusal):
        return answer.body
    unknown: bytes = health_pb2.HealthCheckResponse(
        status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    ).SerializeToString()
    return unknown


def _handler(kind: type[T], call: Unary[T]) -> Handler:
    async def handle(body: bytes, headers: Headers) -> Answer:
        try:
            response = await call(_parsed(kind, body))
        except Exception as error:
            return status.of_failure(error)
        return Answer(200, response.SerializeToString(), status.CONTENT_TYPE)

    return handle


def _parsed(kind: type[T], body: bytes) -> T:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise Malformed(f"expected a serialised {kind.DESCRIPTOR.full_name}: {error}") from error


def requested_model(body: bytes) -> str:
    """`model_name` of a serialised ModelInferRequest. It is the first field in what all known writers write."""
    if len(body) > 1 and body[0] == _MODEL_NAME_TAG and (size := body[1]) < 0x80 and size + 2 <= len(body):
        try:
            return body[2 : 2 + size].decode()
        except UnicodeDecodeError:
            pass  # protobuf says what is wrong
    return _parsed(pb.ModelInferRequest, body).model_name


_MODEL_NAME_TAG = 0x0A


def _named(request: "pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest") -> str:
    """Triton sends the model's name in field 2, KServe in field 1, where Triton has the repository's name."""
    return request.model_name or request.repository_name


def _described(tensors: Sequence[TensorMetadata]) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    kind = pb.ModelMetadataResponse.TensorMetadata
    return [kind(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape) for tensor in tensors]
