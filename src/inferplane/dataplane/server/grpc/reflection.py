"""Server reflection: which services there are and the files that describe them, for grpcurl and its like.

Versions v1 and v1alpha are the same messages under two names.
"""

from collections.abc import AsyncIterator, Callable, Iterable

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2  # type: ignore[import-untyped]  # published without types
from grpc_reflection.v1alpha import reflection_pb2 as pb  # type: ignore[import-untyped]  # published without types

from inferplane.dataplane.server.grpc.paths import HEALTH_SERVICE, REFLECTION, SERVICE
from inferplane.dataplane.server.grpc.status import Code
from inferplane.inference.grpc.grpc_predict_v2_pb2 import POOL

SERVICES = (SERVICE, HEALTH_SERVICE, REFLECTION[1])
"""Those that can be described."""


async def messages(incoming: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Serialised answers, one a request."""
    async for body in incoming:
        yield answer(pb.ServerReflectionRequest.FromString(body)).SerializeToString()


def answer(request: "pb.ServerReflectionRequest") -> "pb.ServerReflectionResponse":
    response = pb.ServerReflectionResponse(valid_host=request.host, original_request=request)
    kind = request.WhichOneof("message_request")
    try:
        if kind == "list_services":
            response.list_services_response.service.extend(pb.ServiceResponse(name=name) for name in SERVICES)
        elif kind in _FILES:
            files = _with_imports(_FILES[kind](request))
            response.file_descriptor_response.file_descriptor_proto.extend(files)
        else:
            _refuse(response, Code.NOT_FOUND, f"no extensions here: {kind}")
    except KeyError as error:
        _refuse(response, Code.NOT_FOUND, f"not found: {error.args[0] if error.args else kind}")
    return response


_FILES: dict[str, Callable[["pb.ServerReflectionRequest"], FileDescriptor]] = {
    "file_by_filename": lambda request: _pool().FindFileByName(request.file_by_filename),
    "file_containing_symbol": lambda request: _pool().FindFileContainingSymbol(request.file_containing_symbol),
}


def _pool() -> DescriptorPool:
    """Our descriptors and the health service's."""
    POOL.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
    POOL.AddSerializedFile(pb.DESCRIPTOR.serialized_pb)
    return POOL


def _with_imports(file: FileDescriptor) -> Iterable[bytes]:
    """The file and all that it needs, itself first."""
    found: dict[str, bytes] = {}
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one.name not in found:
            proto = descriptor_pb2.FileDescriptorProto()
            one.CopyToProto(proto)
            found[one.name] = proto.SerializeToString()
            waiting.extend(one.dependencies)
    return found.values()


def _refuse(response: "pb.ServerReflectionResponse", code: Code, message: str) -> None:
    response.error_response.error_code = code
    response.error_response.error_message = message
