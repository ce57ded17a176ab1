"""A request made up from a model's V2 metadata: names, datatypes and shapes in, a body out. Pure."""

from collections.abc import Sequence

import numpy as np

from inferplane.client.inference import calls, values
from inferplane.client.inference.calls import Call
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.tensors import Array, InferRequest
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject, list_at, text_at

PROTOCOLS = ("v1", "v2", "v2-binary", "grpc")
_SEED = 20240229


def inputs(metadata: JsonObject, batch: int) -> dict[str, Array]:
    """One array an input. The first size that is -1 becomes `batch`, any other 1. The same values every time."""
    generator = np.random.default_rng(_SEED)
    found = {
        text_at(tensor, "name"): _values(
            text_at(tensor, "datatype"), _shape(list_at(tensor, "shape"), batch), generator
        )
        for tensor in list_at(metadata, "inputs")
        if isinstance(tensor, dict)
    }
    if not found:
        raise InferplaneError("the model does not say what its inputs are", fix="give a request with -d")
    return found


def _shape(sizes: Sequence[Json], batch: int) -> list[int]:
    shape = [size if isinstance(size, int) else 1 for size in sizes]
    if -1 in shape:
        shape[shape.index(-1)] = batch
    return [max(size, 1) for size in shape]


def _values(datatype: str, shape: list[int], generator: np.random.Generator) -> Array:
    if datatype not in Datatype.__members__:
        raise InferplaneError(f"the model has an input of datatype {datatype!r}", fix="give a request with -d")
    kind = NUMPY[Datatype(datatype)]
    if kind.kind == "f":
        return generator.random(shape).astype(kind)
    if kind.kind == "O":
        return np.full(shape, "text", dtype=np.object_)
    return generator.integers(0, 2 if kind.kind == "b" else 10, size=shape).astype(kind)


def call(protocol: str, model: str, tensors: dict[str, Array]) -> Call:
    """The request over REST. V1 rows are the first input's rows, or records when there are several."""
    if protocol == "v1":
        return calls.predict(model, {"instances": _rows(tensors)})
    return calls.infer(request(protocol, model, tensors))


def request(protocol: str, model: str, tensors: dict[str, Array]) -> InferRequest:
    return values.request(model, tensors, binary_data=protocol != "v2", request_id="bench")


def _rows(tensors: dict[str, Array]) -> list[object]:
    if len(tensors) == 1:
        (only,) = tensors.values()
        return only.tolist() if only.ndim else [only.item()]
    count = min(len(tensor) for tensor in tensors.values())
    return [{name: tensor[row].tolist() for name, tensor in tensors.items()} for row in range(count)]


def wire(call: Call, path: str, host: str) -> bytes:
    """The request as it goes over the wire."""
    headers = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
    head = f"{call.method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {len(call.body)}\r\n\r\n"
    return head.encode("latin-1") + call.body
