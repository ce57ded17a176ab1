"""Generation over V1 and V2: `{"instances": ["text", …]}`, or one BYTES tensor, → as many texts.

What is asked for beside the texts is in `parameters`: OpenAI's names, and transformers' `max_new_tokens` and
`do_sample`. Where nothing is said the likeliest token is taken, as transformers does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from inferplane.dataplane.openai.requests import CompletionRequest
from inferplane.inference import v1
from inferplane.inference.datatypes import Datatype
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferRequest, InferResponse, TensorMetadata, output

INPUT, OUTPUT = "text_input", "text_output"
"""Those of V2's generate extension."""

PLAIN_OUTPUT = "output-0"
"""KServe's, of requests whose input has another name."""

TAKES = (TensorMetadata(INPUT, Datatype.BYTES, [-1]),)
GIVES = (TensorMetadata(OUTPUT, Datatype.BYTES, [-1]),)


@dataclass(frozen=True, slots=True)
class Texts:
    """`stream`: each piece of the one text is to be an answer. `echo`: the answer begins with the prompt."""

    request: CompletionRequest
    stream: bool
    echo: bool
    output: str


def texts_of(payload: object, model: str) -> Texts:
    """InvalidInput for anything but texts, and for parameters that are not understood."""
    if isinstance(payload, InferRequest):
        texts, name = _of_tensor(payload)
        given: Mapping[str, object] = payload.parameters or {}
    else:
        texts, name = _of_rows(payload), OUTPUT
        found = payload.get("parameters") if isinstance(payload, dict) else None
        if found is not None and not isinstance(found, dict):
            raise InvalidInput("parameters: expected an object")
        given = found or {}
    stream = given.get("stream") is True
    if stream and len(texts) != 1:
        raise InvalidInput(f"stream: expected one text, got {len(texts)}")
    return Texts(_request(texts, given, model), stream, given.get("echo") is True, name)


def _of_rows(payload: object) -> list[str]:
    rows = v1.rows_of(payload)
    texts = []
    for index, text in enumerate(rows.tolist() if isinstance(rows, np.ndarray) else rows):
        if not isinstance(text, str):
            raise InvalidInput(f"instances[{index}]: expected a text, got {type(text).__name__}")
        texts.append(text)
    return texts


def _of_tensor(request: InferRequest) -> tuple[list[str], str]:
    if len(request.inputs) != 1 or request.inputs[0].datatype != Datatype.BYTES:
        told = ", ".join(f"{one.name} ({one.datatype})" for one in request.inputs)
        raise InvalidInput(f"inputs: expected one of BYTES with the texts, got {told or 'none'}")
    tensor = request.inputs[0]
    texts = []
    for item in tensor.view().ravel().tolist():
        try:
            texts.append(item.decode() if isinstance(item, bytes) else str(item))
        except UnicodeDecodeError as error:
            raise InvalidInput(f"input {tensor.name}: expected UTF-8: {error}") from error
    return texts, OUTPUT if tensor.name == INPUT else PLAIN_OUTPUT


def _request(texts: Sequence[str], given: Mapping[str, object], model: str) -> CompletionRequest:
    fields = {name: given[name] for name in _FIELDS if name in given}
    if "max_new_tokens" in given:
        fields.setdefault("max_tokens", given["max_new_tokens"])
    if given.get("do_sample") is True:
        fields.setdefault("temperature", 1.0)
    elif given.get("do_sample") is False:
        fields["temperature"] = 0.0
    try:
        return msgspec.convert({**fields, "model": model, "prompt": [*texts]}, CompletionRequest)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"parameters: {str(error).replace('`$.', '`')}") from error


_FIELDS = (
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "ignore_eos",
)


def answer(payload: object, name: str, texts: Sequence[str], output_name: str) -> object:
    if not isinstance(payload, InferRequest):
        return {"predictions": [*texts]}
    found = np.array([text.encode() for text in texts], dtype=object)
    return InferResponse(None, name, [output(output_name, found)])
