"""Failures as gRPC words them: a code and a message, carried by an Answer whose HTTP status says the same to proxies.

Codes are KServe's where those are right: a model's InferenceError is INVALID_ARGUMENT there, and clients rely on it.
"""

from enum import IntEnum
from http import HTTPStatus
from urllib.parse import quote

from inferplane.dataplane.server.answers import Answer, of_error
from inferplane.inference.errors import InferenceError, InferenceFailure, Kind, UpstreamFailed

CONTENT_TYPE = b"application/grpc"


class Code(IntEnum):
    """https://grpc.io/docs/guides/status-codes/"""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


CODES: dict[Kind, Code] = {
    Kind.INVALID_INPUT: Code.INVALID_ARGUMENT,
    Kind.MALFORMED: Code.INVALID_ARGUMENT,
    Kind.NOT_FOUND: Code.NOT_FOUND,
    Kind.NOT_READY: Code.UNAVAILABLE,
    Kind.OVERLOADED: Code.UNAVAILABLE,
    Kind.DEADLINE: Code.DEADLINE_EXCEEDED,
    Kind.UNIMPLEMENTED: Code.UNIMPLEMENTED,
    Kind.UNSUPPORTED_MEDIA: Code.INVALID_ARGUMENT,
    Kind.FAILED: Code.INTERNAL,
}

_OF_HTTP: dict[int, Code] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.TOO_MANY_REQUESTS: Code.RESOURCE_EXHAUSTED,
    HTTPStatus.SERVICE_UNAVAILABLE: Code.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: Code.DEADLINE_EXCEEDED,
    HTTPStatus.NOT_IMPLEMENTED: Code.UNIMPLEMENTED,
    HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
    HTTPStatus.BAD_REQUEST: Code.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: Code.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: Code.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: Code.PERMISSION_DENIED,
}


def http_status(code: Code) -> int:
    """What HTTP would say, for logs."""
    return _TO_HTTP.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)


_CLIENT_CLOSED_REQUEST = 499
_TO_HTTP: dict[Code, int] = {
    Code.OK: HTTPStatus.OK,
    Code.CANCELLED: _CLIENT_CLOSED_REQUEST,
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Refusal(Answer, frozen=True, kw_only=True):
    """An answer without a message; its headers say the code and why, for the gateway to make trailers of."""

    code: Code
    message: str


def refused(code: Code, message: str, status: int) -> Refusal:
    """`status` is what HTTP would say."""
    headers = ((b"grpc-status", b"%d" % code), (b"grpc-message", percent_encoded(message)))
    return Refusal(status, b"", CONTENT_TYPE, headers, code=code, message=message)


def of_failure(error: Exception) -> Refusal:
    """Any failure of a call."""
    answer = of_error(error)
    return refused(code_of(error, answer.status), _message(error), answer.status)


def code_of(error: Exception, status: int) -> Code:
    """`status` decides where the error is none of ours, or another server's."""
    if type(error) is InferenceError:
        return Code.INVALID_ARGUMENT
    if isinstance(error, UpstreamFailed):
        if error.code is not None:
            return Code(error.code)
        return _OF_HTTP.get(status, Code.INVALID_ARGUMENT if status < 500 else Code.INTERNAL)
    if isinstance(error, InferenceFailure) and error.kind is not Kind.FAILED:
        return CODES[error.kind]
    return of_http(status)


def of_http(status: int) -> Code:
    """What a failure that HTTP has a status for is in gRPC."""
    return _OF_HTTP.get(status, Code.INTERNAL)


def _message(error: Exception) -> str:
    if isinstance(error, InferenceFailure | NotImplementedError):
        return str(error) or "not implemented"
    return f"{type(error).__name__} : {error}"


def percent_encoded(message: str) -> bytes:
    """A `grpc-message`: printable ASCII but for %, all else as %XX of its UTF-8."""
    return quote(message, safe=_PLAIN).encode("ascii")


_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
