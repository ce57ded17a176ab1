import pytest

from inferplane.inference.errors import (
    InferenceError,
    InferenceFailure,
    InvalidInput,
    Malformed,
    ModelNotFound,
    ServerNotReady,
)


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        (InvalidInput("no"), "no", "no"),
        (InferenceError("no", "E7"), "no", "[E7] no"),
        (InferenceError("no", fix="try again"), "no", "no: try again"),
        (Malformed("no", where="inputs[0]"), "inputs[0]: no", "inputs[0]: no"),
        (ModelNotFound("m"), "Model with name m does not exist.", "Model with name m does not exist."),
        (ServerNotReady("Why."), "Server is not ready. Why.", "Server is not ready. Why."),
    ],
)
def test_the_reason_is_the_text_as_in_kserve(error: InferenceFailure, reason: str, text: str) -> None:
    assert (error.reason, str(error)) == (reason, text)
