"""What a V2 call is made of, whatever wire it came over. Names, signatures and behaviour are KServe's.

A tensor's values are in one of three forms: what its author gave (`data`), bytes (raw), or an array that a decoder
made. Reading one form from another costs a conversion only when it is asked for: a model that uses `as_numpy` never
pays for the Python list that `data` would be.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeAlias, TypeVar, cast, overload

import msgspec
import numpy as np

from inferplane.inference import binary
from inferplane.inference.binary import Array as Array
from inferplane.inference.binary import Buffer
from inferplane.inference.datatypes import NUMPY, Datatype, datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput
from inferplane.kernel.json import JsonObject

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # optional, and typed only by a stub package

    from inferplane.inference.grpc.grpc_predict_v2_pb2 import ModelInferRequest, ModelInferResponse

Parameters: TypeAlias = Mapping[str, bool | int | float | str]
Data: TypeAlias = Array | Sequence[object]

BINARY_SIZE = "binary_data_size"
"""Parameter of a tensor that travels as bytes: how many."""

T = TypeVar("T")
M = TypeVar("M")


class FromGrpc(Generic[T, M]):
    """KServe has one name for two things: `InferRequest.from_grpc(message)` makes one, `request.from_grpc` tells."""

    def __init__(self, read: Callable[[M], T]) -> None:
        self._read = read

    @overload
    def __get__(self, instance: None, owner: type[T]) -> Callable[[M], T]: ...
    @overload
    def __get__(self, instance: object, owner: type[T]) -> bool: ...
    def __get__(self, instance: object, owner: type[T]) -> Callable[[M], T] | bool:
        return self._read if instance is None else bool(instance._from_grpc)  # type: ignore[attr-defined]  # both have it


class Tensor:
    """A named array. `shape` has one entry a dimension; `data` is an array, or values in row-major order."""

    __slots__ = ("_data", "_decoded", "_nested", "_raw_data", "datatype", "name", "parameters", "shape")

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        datatype: str,
        data: Data | None = None,
        parameters: Parameters | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self.datatype = datatype if type(datatype) is Datatype else datatype.upper()
        self.parameters = parameters
        self._data = data
        self._raw_data: Buffer | None = None
        self._decoded: Array | None = None
        self._nested = False

    @classmethod
    def decoded(
        cls, name: str, datatype: str, values: Array, parameters: Parameters | None = None, *, nested: bool = False
    ) -> Self:
        """A tensor whose values a decoder has read; its shape is theirs. `nested`: they were lists in lists."""
        tensor = cls(name, list(values.shape), datatype, None, parameters)
        tensor._decoded = values
        tensor._nested = nested
        return tensor

    @property
    def data(self) -> Data | None:
        """The values as the author gave them, or as a list (nested as it came) when they were decoded; None when raw.

        BYTES that came in binary form are `str` here when all of them are UTF-8.
        """
        if self._data is None and self._decoded is not None:
            # From now on the list is the tensor's value: a model may change its elements.
            self._data = self._decoded.tolist() if self._nested else _flat_list(self._decoded, self.datatype)
            self._decoded = None
        return self._data

    @data.setter
    def data(self, data: Data | None) -> None:
        self._data = data
        self._decoded = None

    @property
    def raw_data(self) -> Buffer | None:
        """The bytes, when the values were given in that form."""
        return self._raw_data

    @raw_data.setter
    def raw_data(self, data: Buffer | None) -> None:
        self._raw_data = data
        self._decoded = None

    def as_numpy(self) -> Array:
        """The values in the tensor's shape, writable. BYTES that came in binary form or over gRPC are `bytes`."""
        values = self.view()
        return values if values.flags.writeable else values.copy()

    def view(self) -> Array:
        """As `as_numpy` without a copy: read-only where the values are those of the received body."""
        shape = tuple(self.shape)
        try:
            values = self._values()
            return values if values.shape == shape else values.reshape(shape)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidInput(f"tensor {self.name}: {error}") from error

    def _values(self) -> Array:
        if self._decoded is not None:
            return self._decoded
        if self._raw_data is None and isinstance(self._data, np.ndarray):
            return self._data
        if self.datatype not in Datatype.__members__:
            raise InvalidInput(f"invalid datatype {self.datatype} in the input: expected one of {', '.join(Datatype)}")
        if self._raw_data is not None:
            return binary.array(self._raw_data, self.datatype, self.shape, f"tensor {self.name}")
        return np.array(self._data, dtype=NUMPY[Datatype(self.datatype)])

    def set_data_from_numpy(self, input_tensor: Array, binary_data: bool = True) -> None:
        """Takes the values of an array of the tensor's own datatype and shape; InferenceError for any other.

        With `binary_data` they travel as bytes, otherwise as JSON or typed gRPC contents.
        """
        self._check(input_tensor)
        self._decoded = self._data = self._raw_data = None
        kept = {key: value for key, value in (self.parameters or {}).items() if key != BINARY_SIZE}
        if binary_data:
            self._raw_data = bytes(binary.raw(input_tensor, self.datatype))
            self.parameters = {**kept, BINARY_SIZE: len(self._raw_data)}
        else:
            self._data = _text_list(input_tensor) if self.datatype == Datatype.BYTES else input_tensor.ravel().tolist()
            self.parameters = kept or (None if self.parameters is None else {})

    def _check(self, values: Array) -> None:
        if not isinstance(values, np.ndarray):
            raise InferenceError("input_tensor must be a numpy array")
        found = datatype_of(values.dtype)
        if found != self.datatype and not (self.datatype == Datatype.BF16 and found == Datatype.FP32):
            raise InferenceError(f"got unexpected datatype {found} from numpy array, expected {self.datatype}")
        if tuple(self.shape) != values.shape:
            raise InferenceError(
                f"got unexpected numpy array shape [{str(values.shape)[1:-1]}], expected [{str(self.shape)[1:-1]}]"
            )

    @property
    def is_empty(self) -> bool:
        """Whether no values were given, in any form."""
        return self._data is None and self._raw_data is None and self._decoded is None

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name,
            "shape": self.shape,
            "datatype": self.datatype,
            "data": self.data,
            "parameters": self.parameters,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor) or type(other) is not type(self):
            return NotImplemented
        return (self.name, list(self.shape), self.datatype, self.parameters) == (
            other.name,
            list(other.shape),
            other.datatype,
            other.parameters,
        ) and _same(self, other)

    __hash__ = None  # type: ignore[assignment]  # mutable; `object` declares a method

    def __repr__(self) -> str:
        fields = (f'"{key}": {value!r}' for key, value in self.to_dict().items())
        return f"{type(self).__name__}({', '.join(fields)})"


class InferInput(Tensor):
    """A tensor on its way into a model."""

    __slots__ = ()

    def as_string(self) -> list[list[str]]:
        """The elements of a BYTES tensor as text, one list a row."""
        if self.datatype != Datatype.BYTES:
            raise InvalidInput(f"invalid datatype {self.datatype} in the input")
        values = self.view()
        rows = values.reshape(len(values) if values.ndim else 1, -1).tolist()
        return [[item.decode() if isinstance(item, bytes) else str(item) for item in row] for row in rows]


class InferOutput(Tensor):
    """A tensor on its way out of a model."""

    __slots__ = ()

    def set_data_from_numpy(self, output_tensor: Array, binary_data: bool = True) -> None:
        """As an InferInput's; KServe's name for the array is another one."""
        super().set_data_from_numpy(output_tensor, binary_data)


class RequestedOutput:
    """An output that the request asks for, and how it is to travel."""

    __slots__ = ("name", "parameters")

    def __init__(self, name: str, parameters: Parameters | None = None) -> None:
        self.name = name
        self.parameters = parameters

    @property
    def binary_data(self) -> bool | None:
        """Whether the output is wanted as bytes; None when the request says nothing about this one."""
        wanted = (self.parameters or {}).get("binary_data")
        return None if wanted is None else bool(wanted)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RequestedOutput):
            return NotImplemented
        return (self.name, self.parameters) == (other.name, other.parameters)

    __hash__ = None  # type: ignore[assignment]  # mutable; `object` declares a method

    def __repr__(self) -> str:
        return f"RequestedOutput(name={self.name}, parameters={self.parameters})"


class InferRequest:
    """A call of a model."""

    __slots__ = ("_from_grpc", "_raw", "id", "inputs", "model_name", "model_version", "parameters", "request_outputs")

    def __init__(
        self,
        model_name: str,
        infer_inputs: Sequence[InferInput],
        request_id: str | None = None,
        raw_inputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Parameters | None = None,
        request_outputs: Sequence[RequestedOutput] | None = None,
        model_version: str | None = None,
    ) -> None:
        self.model_name = model_name
        self.inputs = infer_inputs
        self.id = request_id
        self.parameters = parameters
        self.request_outputs = request_outputs
        self.model_version = model_version
        self._from_grpc = bool(from_grpc)
        self._raw = bool(raw_inputs)
        for tensor, raw in zip(infer_inputs, raw_inputs or (), strict=False):
            tensor.raw_data = raw

    @property
    def use_binary_outputs(self) -> bool:
        """Whether outputs travel as bytes unless the request says otherwise for one of them.

        REST asks with the parameter `binary_data_output`; a gRPC request with raw inputs gets raw outputs.
        """
        if self._from_grpc:
            return self._raw
        return bool((self.parameters or {}).get("binary_data_output", False))

    @staticmethod
    def _read_grpc(request: "ModelInferRequest") -> "InferRequest":
        from inferplane.inference import grpc_messages

        return grpc_messages.read_request(request)

    from_grpc = FromGrpc["InferRequest", "ModelInferRequest"](_read_grpc)

    @classmethod
    def from_bytes(cls, req_bytes: bytes, json_length: int, model_name: str) -> "InferRequest":
        """A REST body whose first `json_length` bytes are JSON and whose rest are binary tensors."""
        from inferplane.inference import v2

        return v2.read(req_bytes, model_name, json_length)

    def to_rest(self) -> tuple[dict[str, object] | bytes, int | None]:
        """(JSON object, None), or, when an input is raw, (JSON and bytes, length of the JSON)."""
        from inferplane.inference import v2_client

        return v2_client.rest_request(self)

    def to_grpc(self) -> "ModelInferRequest":
        """Raw contents for all inputs as soon as one is an array or bytes, typed contents when all are lists."""
        from inferplane.inference import grpc_messages

        return grpc_messages.write_request(self)

    def as_dataframe(self) -> "DataFrame":
        """One column an input, named after it; BYTES as text. Needs pandas."""
        from pandas import DataFrame

        return DataFrame({tensor.name: _column(tensor) for tensor in self.inputs})

    def get_input_by_name(self, name: str) -> InferInput | None:
        return next((tensor for tensor in self.inputs if tensor.name == name), None)

    def to_dict(self) -> dict[str, object]:
        return {
            "id": self.id,
            "model_name": self.model_name,
            "inputs": [tensor.to_dict() for tensor in self.inputs],
            "parameters": self.parameters,
            "from_grpc": self._from_grpc,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InferRequest):
            return NotImplemented
        return (
            (self.model_name, self.id, self._from_grpc, self.parameters)
            == (other.model_name, other.id, other._from_grpc, other.parameters)
            and list(self.inputs) == list(other.inputs)
            and self.request_outputs == other.request_outputs
        )

    __hash__ = None  # type: ignore[assignment]  # mutable; `object` declares a method

    def __repr__(self) -> str:
        return f"InferRequest({', '.join(f'{key}={value!r}' for key, value in self.to_dict().items())})"


class InferResponse:
    """A model's answer. `response_id` empty means the request's, or a new one when that has none."""

    __slots__ = (
        "_from_grpc",
        "id",
        "model_name",
        "model_version",
        "outputs",
        "parameters",
        "requested_outputs",
        "use_binary_outputs",
    )

    def __init__(
        self,
        response_id: str | None,
        model_name: str,
        infer_outputs: Sequence[InferOutput],
        model_version: str | None = None,
        raw_outputs: Sequence[bytes] | None = None,
        from_grpc: bool | None = False,
        parameters: Parameters | None = None,
        use_binary_outputs: bool | None = False,
        requested_outputs: Sequence[RequestedOutput] | None = None,
    ) -> None:
        self.id = response_id
        self.model_name = model_name
        self.outputs = infer_outputs
        self.model_version = model_version
        self.parameters = parameters
        self.use_binary_outputs = bool(use_binary_outputs)
        self.requested_outputs = requested_outputs
        self._from_grpc = bool(from_grpc)
        for tensor, raw in zip(infer_outputs, raw_outputs or (), strict=False):
            tensor.raw_data = raw

    @staticmethod
    def _read_grpc(response: "ModelInferResponse") -> "InferResponse":
        from inferplane.inference import grpc_messages

        return grpc_messages.read_response(response)

    from_grpc = FromGrpc["InferResponse", "ModelInferResponse"](_read_grpc)

    @classmethod
    def from_rest(cls, response: JsonObject) -> "InferResponse":
        """The answer as a JSON object."""
        from inferplane.inference import v2_client

        return v2_client.response_of(response)

    @classmethod
    def from_bytes(cls, res_bytes: bytes, json_length: int) -> "InferResponse":
        """A REST body whose first `json_length` bytes are JSON and whose rest are binary tensors."""
        from inferplane.inference import v2_client

        return v2_client.read_response(res_bytes, json_length)

    def to_rest(self) -> tuple[dict[str, object] | bytes, int | None]:
        """(JSON object, None), or, when an output is to travel as bytes, (JSON and bytes, length of the JSON)."""
        from inferplane.inference import v2

        return v2.rest_response(self)

    def to_grpc(self) -> "ModelInferResponse":
        """Raw contents for all outputs when asked for or when one has no other form, typed contents otherwise."""
        from inferplane.inference import grpc_messages

        return grpc_messages.write_response(self)

    def get_output_by_name(self, name: str) -> InferOutput | None:
        return next((tensor for tensor in self.outputs if tensor.name == name), None)

    def to_dict(self) -> dict[str, object]:
        return {
            "id": self.id,
            "model_name": self.model_name,
            "outputs": [tensor.to_dict() for tensor in self.outputs],
            "parameters": self.parameters,
            "from_grpc": self._from_grpc,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, InferResponse):
            return NotImplemented
        return (self.model_name, self.model_version, self.id, self._from_grpc, self.parameters) == (
            other.model_name,
            other.model_version,
            other.id,
            other._from_grpc,
            other.parameters,
        ) and list(self.outputs) == list(other.outputs)

    __hash__ = None  # type: ignore[assignment]  # mutable; `object` declares a method

    def __repr__(self) -> str:
        return f"InferResponse({', '.join(f'{key}={value!r}' for key, value in self.to_dict().items())})"


class TensorMetadata(msgspec.Struct, frozen=True):
    """-1 in `shape` stands for any size."""

    name: str
    datatype: str
    shape: Sequence[int]


def output(name: str, values: Array) -> InferOutput:
    """An output that carries `values`; raises InvalidInput for an array that no datatype can carry."""
    datatype = datatype_of(values.dtype)
    if datatype is None:
        raise InvalidInput(f"output {name}: numpy's {values.dtype} has no datatype in the protocol")
    return InferOutput(name, list(values.shape), datatype, values)


def _flat_list(values: Array, datatype: str) -> list[object]:
    return binary.text(values) if datatype == Datatype.BYTES else cast(list[object], values.ravel().tolist())


def _text_list(values: Array) -> list[object]:
    """BYTES elements as JSON can carry them."""
    elements = (values.astype(str) if values.dtype.kind == "M" else values).ravel().tolist()
    try:
        return [element.decode() if isinstance(element, bytes) else str(element) for element in elements]
    except UnicodeDecodeError as error:
        raise InferenceError(
            f'Failed to encode "{error.object!r}" using UTF-8. Please use binary_data=True, if you want to pass a '
            "byte array."
        ) from None


def _column(tensor: Tensor) -> list[object]:
    return _flat_list(tensor.view(), tensor.datatype)


def _same(one: Tensor, other: Tensor) -> bool:
    if one.is_empty or other.is_empty:
        return one.is_empty == other.is_empty
    try:
        return np.array_equal(one.view(), other.view(), equal_nan=one.datatype in ("FP16", "BF16", "FP32", "FP64"))
    except InvalidInput:
        return False
