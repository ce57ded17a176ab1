"""PredictionService and ModelService: request messages → calls, answers → response messages."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.grpc.wire import read_varint
from inferplane.inference.tensorflow import examples, status, tensors
from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import Answered, Call, Method, Servables, Which

T = TypeVar("T", bound=Message)

_SPEC_TAG = 0x0A
"""Field 1, length-delimited: `model_spec` of all requests, which writers put first."""

_SIGNATURE_DEF = "signature_def"
_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


def model_of(kind: "type[T]", body: bytes) -> str:
    """The model that a request names. InvalidInput without one, Malformed for other than a `kind`."""
    return _named(_spec(kind, body)).name


def _spec(kind: "type[T]", body: bytes) -> pb.ModelSpec:
    """Without the inputs, which may be large."""
    try:
        if body and body[0] == _SPEC_TAG:
            size, start = read_varint(body, 1)
            return pb.ModelSpec.FromString(body[start : start + size])
    except (IndexError, DecodeError):
        pass  # protobuf says what is wrong
    spec: pb.ModelSpec = getattr(parsed(kind, body), "model_spec")  # noqa: B009  # every kind has it
    return spec


def parsed(kind: "type[T]", body: bytes) -> T:
    try:
        return kind.FromString(body)
    except DecodeError as error:
        raise Malformed(f"expected a serialised {kind.DESCRIPTOR.full_name}: {error}") from error


def _named(spec: pb.ModelSpec) -> pb.ModelSpec:
    if not spec.name:
        raise InvalidInput("model_spec.name: missing")
    return spec


def which_of(spec: pb.ModelSpec) -> Which:
    return Which(spec.version.value if spec.HasField("version") else None, spec.version_label)


def predict(body: bytes) -> Call:
    request = parsed(pb.PredictRequest, body)
    given = {name: tensors.read(one, f"inputs[{name}]") for name, one in request.inputs.items()}
    spec = request.model_spec
    return Call(Method.PREDICT, which_of(spec), spec.signature_name, tensors=given, wanted=tuple(request.output_filter))


def classify(body: bytes) -> Call:
    request = parsed(pb.ClassificationRequest, body)
    return examples.of_message(
        Method.CLASSIFY, which_of(request.model_spec), request.model_spec.signature_name, request.input
    )


def regress(body: bytes) -> Call:
    request = parsed(pb.RegressionRequest, body)
    return examples.of_message(
        Method.REGRESS, which_of(request.model_spec), request.model_spec.signature_name, request.input
    )


READERS: Mapping[Method, Callable[[bytes], Call]] = {
    Method.PREDICT: predict,
    Method.CLASSIFY: classify,
    Method.REGRESS: regress,
}

REQUESTS: "Mapping[Method, type[Message]]" = {
    Method.PREDICT: pb.PredictRequest,
    Method.CLASSIFY: pb.ClassificationRequest,
    Method.REGRESS: pb.RegressionRequest,
}


def write(asked: Call, answered: Answered) -> bytes:
    """The response message, serialised."""
    return _response(asked, answered).SerializeToString()


def _response(asked: Call, answered: Answered) -> Message:
    spec = spec_of(answered.model, answered.version, answered.signature)
    count = len(asked.examples)
    if asked.method is Method.CLASSIFY:
        result = pb.ClassificationResult()
        for some in examples.classified(answered, count):
            classes = [pb.Class(label=label, score=score) for label, score in some]
            result.classifications.add(classes=classes)
        return pb.ClassificationResponse(result=result, model_spec=spec)
    if asked.method is Method.REGRESS:
        numbers = [pb.Regression(value=value) for value in examples.regressed(answered, count).tolist()]
        return pb.RegressionResponse(result=pb.RegressionResult(regressions=numbers), model_spec=spec)
    response = pb.PredictResponse(model_spec=spec)
    for name, values in answered.outputs.items():
        response.outputs[name].CopyFrom(tensors.write(values, name))
    return response


def spec_of(model: str, version: int, signature: str = "") -> pb.ModelSpec:
    return pb.ModelSpec(name=model, version=pb.Int64Value(value=version), signature_name=signature)


def metadata(body: bytes, model: Servables) -> pb.GetModelMetadataResponse:
    """The signatures of the version that the request asks for. InvalidInput for other metadata than these."""
    request = parsed(pb.GetModelMetadataRequest, body)
    if list(request.metadata_field) != [_SIGNATURE_DEF]:
        told = ", ".join(request.metadata_field) or "none"
        raise InvalidInput(f"metadata_field: expected {_SIGNATURE_DEF}, got {told}")
    version = model.version_of(which_of(request.model_spec))
    response = pb.GetModelMetadataResponse(model_spec=spec_of(model.name, version))
    found = response.metadata[_SIGNATURE_DEF]
    found.type_url, found.value = _TYPE_URL, model.signatures_of(version).definitions.SerializeToString()
    return response


def model_status(body: bytes, model: Servables) -> pb.GetModelStatusResponse:
    """The states of the version that the request asks for, else of all."""
    spec = parsed(pb.GetModelStatusRequest, body).model_spec
    return status.of(model, which_of(spec))
