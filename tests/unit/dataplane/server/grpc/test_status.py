from http import HTTPStatus

import pytest

from inferplane.dataplane.server.grpc.status import CODES, Code, of_failure, percent_encoded, refused
from inferplane.inference.errors import (
    InferenceError,
    InvalidInput,
    Kind,
    ModelLoadError,
    ModelNotFound,
    ModelNotReady,
)


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Kind)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidInput("x"), Code.INVALID_ARGUMENT, 400),
        (InferenceError("x"), Code.INVALID_ARGUMENT, 500),
        (ModelNotFound("m"), Code.NOT_FOUND, 404),
        (ModelNotReady("m"), Code.UNAVAILABLE, 503),
        (ModelLoadError("x"), Code.INTERNAL, 500),
        (NotImplementedError("x"), Code.UNIMPLEMENTED, 501),
        (ValueError("x"), Code.INTERNAL, 500),
    ],
)
def test_a_failure_has_a_code_and_the_http_status_of_rest(error: Exception, code: Code, status: HTTPStatus) -> None:
    found = of_failure(error)
    assert (found.code, found.status) == (code, status)


def test_code_and_message_are_headers_for_the_gateway_to_make_trailers_of() -> None:
    found = refused(Code.NOT_FOUND, "no model", 404)
    assert found.headers == ((b"grpc-status", b"5"), (b"grpc-message", b"no model"))
    assert (found.body, found.content_type) == (b"", b"application/grpc")


@pytest.mark.parametrize(
    ("message", "encoded"),
    [("plain (text), 1 + 1", b"plain (text), 1 + 1"), ("100 %", b"100 %25"), ("é\n", b"%C3%A9%0A")],
)
def test_messages_are_percent_encoded(message: str, encoded: bytes) -> None:
    assert percent_encoded(message) == encoded
