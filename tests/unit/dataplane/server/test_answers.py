import orjson
import pytest

from inferplane.dataplane.server.answers import HTTP_STATUS, of_error, of_v2_error
from inferplane.inference.errors import (
    InvalidInput,
    Kind,
    Malformed,
    ModelNotFound,
    ModelNotReady,
    UnsupportedProtocol,
)


def test_every_reason_has_a_status() -> None:
    assert set(HTTP_STATUS) == set(Kind)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ModelNotFound("x"), 404, "Model with name x does not exist."),
        (ModelNotReady("x"), 503, "Model with name x is not ready."),
        (InvalidInput("no"), 400, "no"),
        (Malformed("no"), 400, "no"),
        (UnsupportedProtocol("v3"), 501, "Unsupported protocol v3."),
        (NotImplementedError("no"), 501, "no"),
        (ValueError("no"), 500, "ValueError : no"),
    ],
)
def test_failures_have_kserves_codes_and_texts(error: Exception, status: int, text: str) -> None:
    answer = of_error(error)
    assert isinstance(answer.body, bytes)
    assert (answer.status, orjson.loads(answer.body)) == (status, {"error": text})


def test_a_v2_body_without_its_form_is_422_with_the_location() -> None:
    answer = of_v2_error(Malformed("expected a string", where="inputs[0].name"))
    assert isinstance(answer.body, bytes)
    assert (answer.status, orjson.loads(answer.body)) == (
        422,
        {
            "error": "inputs[0].name: expected a string",
            "detail": [
                {
                    "type": "value_error",
                    "loc": ["body", "inputs", 0, "name"],
                    "msg": "inputs[0].name: expected a string",
                }
            ],
        },
    )
