"""TensorFlow Serving's JSON of predict (its REST API): rows under `instances`, whole tensors under `inputs`.

    {"signature_name": "…", "instances": [value or {"input": value, …}, …]}   → {"predictions": [value or {…}, …]}
    {"signature_name": "…", "inputs": value or {"input": value, …}}           → {"outputs": value or {…}}

A text stands for its UTF-8 bytes, `{"b64": "…"}` for any bytes. Bytes go out as text; those of outputs whose names end
in `_bytes`, and what is no text, in base64.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import TypeGuard, cast

import numpy as np

from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.inference.tensorflow.calls import Call, Method, Which
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json

_BASE64 = {"b64"}
_DEEPEST = 64


def call(payload: object, which: Which) -> Call:
    """What a body asks for; its numbers are still as they came."""
    if not isinstance(payload, Mapping):
        raise InvalidInput('expected a JSON object with "instances" or "inputs"')
    if "instances" in payload and "inputs" in payload:
        raise InvalidInput('expected only one of "instances" and "inputs", got both')
    signature = signature_name(payload)
    if "instances" in payload:
        return Call(Method.PREDICT, which, signature, rows=_rows(payload["instances"]))
    if "inputs" in payload:
        return Call(Method.PREDICT, which, signature, tensors=_tensors(payload["inputs"]))
    raise InvalidInput(f"Missing 'inputs' or 'instances' key; got {', '.join(map(str, payload)) or 'no keys'}")


def signature_name(payload: Mapping[str, object]) -> str:
    name = payload.get("signature_name", "")
    if not isinstance(name, str):
        raise InvalidInput(f"signature_name: expected a text, got {str(name)[:60]}")
    return name


def _rows(rows: object) -> "Array | list[Json]":
    if not isinstance(rows, list | np.ndarray):
        raise InvalidInput('Expecting "instances" to be a list')
    if not len(rows):
        raise InvalidInput('No values in "instances"')
    return rows


def _tensors(inputs: object) -> "Mapping[str, Array | Json]":
    if isinstance(inputs, dict) and not is_base64(inputs):
        return cast("dict[str, Json]", inputs)
    return {"": cast("Array | Json", inputs)}


def named(rows: "Array | Sequence[Json]", inputs: Sequence[str]) -> "dict[str, Array | Json]":
    """Rows as one list an input. InvalidInput names the row."""
    if isinstance(rows, np.ndarray):
        return {_only(inputs): rows}
    if not is_record(rows[0]):
        for index, row in enumerate(rows):
            if is_record(row):
                raise InvalidInput(f"instances[{index}]: expected a value as in the row before, got an object")
        return {_only(inputs): list(rows)}
    records: list[dict[str, Json]] = []
    for index, row in enumerate(rows):
        if not is_record(row):
            raise InvalidInput(f"instances[{index}]: expected an object as in the row before, got a value")
        if row.keys() != set(inputs):
            raise InvalidInput(f"instances[{index}]: expected {', '.join(inputs)}, got {', '.join(row) or 'nothing'}")
        records.append(row)
    return {name: [record[name] for record in records] for name in inputs}


def _only(inputs: Sequence[str]) -> str:
    if len(inputs) == 1:
        return inputs[0]
    raise InvalidInput(
        f"instances: the signature takes {len(inputs)} inputs: {', '.join(inputs)}",
        fix='send one object a row, such as {"NAME": VALUE, …}',
    )


def is_record(row: object) -> TypeGuard[dict[str, Json]]:
    return isinstance(row, dict) and not is_base64(row)


def is_base64(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == _BASE64


def strings(values: "Array | Json", where: str) -> Array:
    """An array of bytes objects. InvalidInput for what is neither text nor base64, and for rows of several lengths."""
    if isinstance(values, np.ndarray):
        flat = [_bytes(value, where) for value in values.ravel().tolist()]
        return _objects(flat).reshape(values.shape)
    plain = _decoded(values, where, _DEEPEST)
    if isinstance(plain, bytes):
        return _objects([plain]).reshape(())
    found = _nested(plain)
    if found is None:
        raise InvalidInput(f"{where}: rows differ in length")
    return found


def _nested(values: object) -> Array | None:
    """None for lists that differ in length or depth, of which numpy makes elements."""
    try:
        found: Array = np.array(values, dtype=object)
    except ValueError:
        return None
    return None if any(isinstance(value, list) for value in found.ravel().tolist()) else found


def _objects(values: "list[bytes]") -> Array:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _decoded(values: object, where: str, depth: int) -> object:
    if isinstance(values, list):
        if not depth:
            raise InvalidInput(f"{where}: lists are nested more than {_DEEPEST} deep")
        return [_decoded(value, where, depth - 1) for value in values]
    return _bytes(values, where)


def _bytes(value: object, where: str) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and is_base64(value):
        return from_base64(value["b64"], where)
    raise InvalidInput(f"{where}: expected a text, got {str(value)[:60]}")


def from_base64(text: object, where: str) -> bytes:
    """InvalidInput, beginning with `where`."""
    try:
        return base64.b64decode(cast(str, text), validate=True)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{where}.b64: expected base64 text: {error}") from error


def answer(asked: Call, outputs: Mapping[str, Array]) -> dict[str, object]:
    """The body, with arrays in it."""
    texts = {name: _texts(name, values) for name, values in outputs.items()}
    if asked.rows is None:
        return {"outputs": texts if len(texts) > 1 else next(iter(texts.values()), {})}
    rows = _count(texts)
    if len(texts) == 1:
        return {"predictions": next(iter(texts.values()))}
    return {"predictions": [{name: values[row] for name, values in texts.items()} for row in range(rows)]}


def _count(outputs: Mapping[str, Array]) -> int:
    """Rows of all outputs, which are one number."""
    sizes = {name: len(values) if values.ndim else None for name, values in outputs.items()}
    if None in sizes.values() or len(set(sizes.values())) != 1:
        told = ", ".join(f"{name} {'has none' if size is None else size}" for name, size in sizes.items())
        raise InvalidInput(f"outputs differ in their number of rows: {told}", fix='send "inputs", not "instances"')
    return cast(int, next(iter(sizes.values())))


def _texts(name: str, values: Array) -> Array:
    """Bytes as JSON can carry them."""
    if values.dtype.kind != "O":
        return values
    flat: list[object] = values.ravel().tolist()
    try:
        made = [to_base64(value) if name.endswith("_bytes") else _text(value) for value in flat]
    except TypeError as error:
        raise InferenceError(f"output {name}: expected bytes: {error}") from error
    found = np.empty(len(made), dtype=object)
    for index, value in enumerate(made):
        found[index] = value
    return found.reshape(values.shape)


def _text(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return to_base64(value)


def to_base64(value: object) -> dict[str, str]:
    """TypeError for other than bytes and text."""
    return {"b64": base64.b64encode(value.encode() if isinstance(value, str) else cast(bytes, value)).decode()}
