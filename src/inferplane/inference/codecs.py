"""MLServer's content codecs for BYTES tensors: what the parameter `content_type` says the elements are.

`str` makes them text, `base64` the bytes that their text encodes. `np` is what a tensor is anyway, and `pd`, a column a
tensor, is up to the model, which knows its columns. A tensor's own parameter comes before the request's.
"""

import base64
import binascii

import numpy as np

from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferInput, InferRequest

CONTENT_TYPE = "content_type"


def content_type(tensor: InferInput, request: InferRequest) -> str:
    """Empty when neither says."""
    for parameters in (tensor.parameters, request.parameters):
        if parameters and CONTENT_TYPE in parameters:
            return str(parameters[CONTENT_TYPE])
    return ""


def apply(request: InferRequest) -> None:
    """Decodes the BYTES inputs of a request where they ask for it."""
    request.inputs = [_decoded(tensor, request, f"inputs[{index}]") for index, tensor in enumerate(request.inputs)]


def _decoded(tensor: InferInput, request: InferRequest, where: str) -> InferInput:
    kind = content_type(tensor, request) if tensor.datatype == Datatype.BYTES else ""
    if kind not in ("str", "base64"):
        return tensor
    decode = _text if kind == "str" else _bytes
    values = tensor.view()
    decoded = np.empty(values.size, dtype=np.object_)
    for index, element in enumerate(values.ravel().tolist()):
        try:
            decoded[index] = decode(element)
        except (UnicodeDecodeError, binascii.Error, ValueError) as error:
            raise InvalidInput(f"{where}.data[{index}]: expected {kind}: {error}") from error
    return InferInput.decoded(tensor.name, tensor.datatype, decoded.reshape(values.shape), tensor.parameters)


def _text(element: str | bytes) -> str:
    return element.decode() if isinstance(element, bytes) else element


def _bytes(element: str | bytes) -> bytes:
    return base64.b64decode(element, validate=True)
