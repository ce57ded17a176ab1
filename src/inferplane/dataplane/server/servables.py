"""TensorFlow Serving's REST beside V1: calls of a version or a label, classify and regress, what it tells of models.

Imported with the first such request: it needs protobuf, which takes 20 ms.
"""

from functools import partial
from urllib.parse import unquote

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.dataplane.server.protocols import V1
from inferplane.inference import v1
from inferplane.inference.errors import InferenceError
from inferplane.inference.tensorflow import examples, rest, status
from inferplane.inference.tensorflow.calls import Answered, Call, Method, Which, servables
from inferplane.kernel.json import JsonObject


def which(version: str | None, label: str | None) -> Which:
    """Of a path's words."""
    return Which(int(version) if version else None, unquote(label or ""))


def codec(verb: str, asked: Which) -> Codec:
    """For `:verb` of that version."""
    return Codec("v1", partial(_read, Method(verb), asked), _write, answers.of_error)


def _read(method: Method, asked: Which, body: bytes, headers: Headers, model: Model) -> object:
    servables(model)
    if method is Method.PREDICT:
        return rest.call(V1.read(body, headers, model), asked)
    return examples.call(method, v1.read(body), asked)


def _write(result: object, payload: object) -> Answer:
    if not isinstance(result, Answered) or not isinstance(payload, Call):
        raise InferenceError(f"expected the outputs of a signature from the model, got {type(result).__name__}")
    if payload.method is Method.PREDICT:
        return Answer(200, v1.write(rest.answer(payload, result.outputs)))
    return Answer(200, v1.write(examples.answer(payload, result)))


def model_status(model: Model, asked: Which) -> JsonObject:
    """Raises NotServables, UnknownVersion, UnknownLabel."""
    return status.to_json(servables(model), asked)


def model_metadata(model: Model, asked: Which) -> JsonObject:
    """The signatures of a version. Raises as `model_status`."""
    return status.metadata(servables(model), asked)
