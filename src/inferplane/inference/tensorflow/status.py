"""What TensorFlow Serving tells about a model: the state of its versions, and their signatures, as JSON."""

from inferplane.inference.tensorflow import tensorflow_serving_pb2 as pb
from inferplane.inference.tensorflow.calls import Servables, State, Which
from inferplane.inference.tensorflow.signatures import type_name
from inferplane.kernel.json import Json, JsonObject

_NUMBERS = {State.START: 10, State.LOADING: 20, State.AVAILABLE: 30, State.UNLOADING: 40, State.END: 50}


def _states(model: Servables, which: Which) -> dict[int, State]:
    """Raises UnknownVersion, UnknownLabel."""
    states = dict(model.states)
    if which == Which():
        return states
    version = model.version_of(which)
    return {version: states[version]}


def of(model: Servables, which: Which) -> pb.GetModelStatusResponse:
    found = [
        pb.ModelVersionStatus(version=version, state=_NUMBERS[state], status=pb.StatusProto())
        for version, state in _states(model, which).items()
    ]
    return pb.GetModelStatusResponse(model_version_status=found)


def to_json(model: Servables, which: Which) -> JsonObject:
    """`{"model_version_status": […]}`, with numbers of 64 bits as texts, which is protobuf's JSON."""
    return {
        "model_version_status": [
            {"version": str(version), "state": state.value, "status": {"error_code": "OK", "error_message": ""}}
            for version, state in _states(model, which).items()
        ]
    }


def metadata(model: Servables, which: Which) -> JsonObject:
    """The body of `/v1/models/NAME/metadata`."""
    version = model.version_of(which)
    definitions = model.signatures_of(version).definitions.signature_def
    found: JsonObject = {name: _definition(one) for name, one in sorted(definitions.items())}
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": found}},
    }


def _definition(one: pb.SignatureDef) -> Json:
    return {
        "inputs": {name: _info(info) for name, info in sorted(one.inputs.items())},
        "outputs": {name: _info(info) for name, info in sorted(one.outputs.items())},
        "method_name": one.method_name,
        "defaults": {},
    }


def _info(info: pb.TensorInfo) -> Json:
    dims: list[Json] = [{"size": str(dim.size), "name": dim.name} for dim in info.tensor_shape.dim]
    return {
        "dtype": type_name(info.dtype),
        "tensor_shape": {"dim": dims, "unknown_rank": info.tensor_shape.unknown_rank},
        "name": info.name,
    }
