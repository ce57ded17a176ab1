"""TensorFlow Serving's gRPC services, PredictionService and ModelService, over the dispatch.

An unknown model or version is NOT_FOUND, what does not fit the signature INVALID_ARGUMENT, as there.
"""

from collections.abc import Callable, Mapping
from functools import partial

from google.protobuf.message import Message

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.calls import Codec, Headers
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.grpc import status
from inferplane.inference.errors import InferenceError
from inferplane.inference.tensorflow import messages
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import Answered, Call, Method, Servables, servables

Unary = Callable[[bytes, Headers, float | None], Outcome]


def unary(dispatch: Dispatch, path: str) -> Unary:
    """The call of that path, which is one of `paths.SERVING`."""
    name = path.rpartition("/")[2]
    if name == "GetModelMetadata":
        return partial(_told, dispatch, pb.GetModelMetadataRequest, messages.metadata)
    if name == "GetModelStatus":
        return partial(_told, dispatch, pb.GetModelStatusRequest, messages.model_status)
    return partial(_run, dispatch, Method(name.lower()))


def _run(dispatch: Dispatch, method: Method, body: bytes, headers: Headers, timeout: float | None) -> Outcome:
    try:
        name = messages.model_of(messages.REQUESTS[method], body)
    except Exception as error:
        return status.of_failure(error)
    return dispatch.call(_CODECS[method], name, body, headers, timeout)


def _read(method: Method, body: bytes, headers: Headers, model: Model) -> object:
    servables(model)
    return messages.READERS[method](body)


def _write(result: object, payload: object) -> Answer:
    if not isinstance(result, Answered) or not isinstance(payload, Call):
        raise InferenceError(f"expected the outputs of a signature from the model, got {type(result).__name__}")
    return Answer(200, messages.write(payload, result), status.CONTENT_TYPE)


_CODECS: Mapping[Method, Codec] = {
    method: Codec("grpc", partial(_read, method), _write, status.of_failure) for method in Method
}


def _told(
    dispatch: Dispatch,
    kind: type[Message],
    tell: Callable[[bytes, Servables], Message],
    body: bytes,
    headers: Headers,
    timeout: float | None,
) -> Answer:
    """What needs no model to run."""
    try:
        model = servables(dispatch.repository.ready_model(messages.model_of(kind, body)))
        response = tell(body, model)
    except Exception as error:
        return status.of_failure(error)
    return Answer(200, response.SerializeToString(), status.CONTENT_TYPE)
