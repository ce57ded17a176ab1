"""A request that a model brings along: run before the model is ready, and shown to who asks what it takes.

`example.json` in the model's directory is the body of a V1 or V2 request. MLflow's `input_example.json` is understood
too, a table as columns and data, or plain rows; it was not written for us, so what it is beside that is no mistake.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import Json, JsonObject

OURS, MLFLOWS = "example.json", "input_example.json"
NAMES = (OURS, MLFLOWS)


@dataclass(frozen=True, slots=True)
class Example:
    """`request` is a body of V2 (`tensors`), else of V1. `file` is where it comes from."""

    request: JsonObject
    tensors: bool
    file: Path

    @property
    def has_to_work(self) -> bool:
        """Whether a model that does not answer it is wrong."""
        return self.file.name == OURS

    @property
    def body(self) -> bytes:
        return json.dumps(self.request).encode()


def beside(directory: Path) -> Example | None:
    """The example in a model's directory. ModelLoadError for an `example.json` that is none."""
    if (directory / OURS).is_file():
        return _read(directory / OURS)
    try:
        return _read(directory / MLFLOWS) if (directory / MLFLOWS).is_file() else None
    except ModelLoadError:
        return None  # a conversation, say


def _read(file: Path) -> Example:
    try:
        told: Json = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"{file}: not JSON: {error}", fix=_FORM) from error
    request = _request(told)
    if request is None:
        raise ModelLoadError(f"{file}: not a request of V1 or V2", fix=_FORM)
    return Example(request, _has_tensors(request), file)


_FORM = 'write it as {"instances": [[1, 2]]} or as {"inputs": [{"name": …, "shape": …, "datatype": …, "data": …}]}'


def _request(told: Json) -> JsonObject | None:
    if isinstance(told, list):
        return {"instances": told}
    if not isinstance(told, dict):
        return None
    if "instances" in told or "inputs" in told:
        return told
    columns, data = told.get("columns"), told.get("data")
    if isinstance(data, list) and isinstance(columns, list):
        return {"instances": [dict(zip(map(str, columns), row, strict=False)) for row in data if isinstance(row, list)]}
    return {"instances": data} if isinstance(data, list) else None


def _has_tensors(request: JsonObject) -> bool:
    inputs = request.get("inputs")
    return isinstance(inputs, list) and all(isinstance(one, dict) and "datatype" in one for one in inputs)
