"""What a request that the lane does not take is told: a gRPC call in gRPC's words, any other in JSON."""

from inferplane.dataplane.server.answers import Answer, failed
from inferplane.dataplane.server.grpc import paths, status

STREAM = paths.STREAM.encode()
NO_STREAMS = "streams need the gRPC port: declare it on the service (docs/grpc.md)"


def of(target: bytes, http_status: int, message: str) -> Answer:
    """`target` is empty when it could not be read."""
    if paths.is_call(target.decode("latin-1")):
        return status.refused(status.of_http(http_status), message, http_status)
    return failed(http_status, message)
