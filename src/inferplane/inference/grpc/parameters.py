"""`map<string, InferParameter>` ↔ plain values."""

from collections.abc import Mapping, MutableMapping

from inferplane.inference.errors import InvalidInput, refuse_shared_memory
from inferplane.inference.grpc.grpc_predict_v2_pb2 import InferParameter
from inferplane.inference.tensors import Parameters

_INT64 = 2**63


def read(entries: Mapping[str, InferParameter], where: str) -> Parameters | None:
    """The parameters, None for none. InvalidInput for one without a value (or with one of a kind not known here)."""
    if not entries:
        return None
    refuse_shared_memory(entries, where)
    return {key: _value(entry, f"{where}[{key}]") for key, entry in entries.items()}


def _value(entry: InferParameter, where: str) -> bool | int | float | str:
    field = entry.WhichOneof("parameter_choice")
    if field is None:
        raise InvalidInput(f"{where}: expected a value in one of the parameter_choice fields, got none")
    value: bool | int | float | str = getattr(entry, field)
    return value


def write(parameters: Parameters | None, entries: MutableMapping[str, InferParameter], where: str) -> None:
    """Adds the parameters to the message's map."""
    for key, value in (parameters or {}).items():
        _set(entries[key], value, f"{where}[{key}]")


def _set(entry: InferParameter, value: object, where: str) -> None:
    match value:
        case bool():
            entry.bool_param = value
        case int() if -_INT64 <= value < _INT64:
            entry.int64_param = value
        case int() if 0 <= value < 2 * _INT64:
            entry.uint64_param = value
        case str():
            entry.string_param = value
        case float():
            entry.double_param = value
        case InferParameter():  # of a message that was read as KServe reads it
            entry.CopyFrom(value)
        case _:
            raise InvalidInput(
                f"{where}: expected a boolean, an integer of 64 bits, a number or a string, got {value!r}"
            )
