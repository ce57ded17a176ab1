"""gRPC messages as filled-in forms (see `inference.forms`): of a message whose form is known only the numbers are read.

A plain message of one input ends with its numbers, typed or raw, and both are memory as they are. All before them but
the id is the form. A request costs 0.7 µs to take in and, among 32, 0.1 µs to decode; by itself 9 µs.
"""

from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.forms import Filled, Kind
from inferplane.inference.grpc import plain, requests
from inferplane.inference.grpc.requests import GrpcInferRequest
from inferplane.inference.grpc.responses import goes_raw
from inferplane.inference.grpc.wire import varint
from inferplane.inference.tensors import Array, InferInput, InferOutput, InferRequest, InferResponse

LARGEST = 8 * 1024
"""Bytes of a message. The numbers of a larger one take longer than all else."""

_NAME, _ID = 0x0A, 0x1A
_SHORT = 0x80
"""Lengths below it are one byte."""

_RAW_CONTENTS = b"\x32"
_TYPED = (Datatype.FP32, Datatype.FP64)
_NUMBERS = "iuf"
_NOT_AS_NUMPY = (Datatype.FP16, Datatype.BF16)
_KEPT = 256
_TRIES = 1000


class MessageForm(NamedTuple):
    """One input of so many rows, whose numbers came `raw` or typed."""

    name: str
    datatype: Datatype
    rows: int
    kind: Kind
    raw: bool

    @property
    def asks(self) -> Hashable:
        return MessageForm, self.name, self.raw

    def payload(self, numbers: Array, model: str) -> object:
        request = GrpcInferRequest(model, [InferInput.decoded(self.name, self.datatype, numbers)], from_grpc=True)
        return request.came_raw() if self.raw else request

    def numbers(self, texts: Sequence[bytes]) -> Array | None:
        # The model may write into its input, and what a message holds may lie at any address.
        whole = bytearray().join(texts)
        return np.frombuffer(whole, NUMPY[self.datatype]).reshape(-1, *self.kind[1])


class MessageForms:
    """The forms that were seen. They are the clients' to make up, so only so many are kept."""

    def __init__(self) -> None:
        self._forms: dict[tuple[bytes, bytes], MessageForm] = {}
        self._sizes: dict[int, int] = {}
        """Bytes after the id → how many of them are numbers: of the form that was seen last."""
        self._tries = _TRIES

    def __len__(self) -> int:
        return len(self._forms)

    def read(self, body: bytes) -> Filled | None:
        found = _after_id(body)
        if found is None:
            return None
        name, own_id, start = found
        numbers = self._sizes.get(len(body) - start)
        if numbers is None:
            return None
        end = len(body) - numbers
        form = self._forms.get((body[:name], body[start:end]))
        return None if form is None else Filled(form, body[end:], own_id)

    def remember(self, body: bytes, request: InferRequest) -> None:
        """`request` is what the decoder read from `body`."""
        if not self._tries or not _is_plain(request) or (found := _after_id(body)) is None:
            return
        self._tries -= 1
        # Only what is written as protobuf writes it is sure to end with the numbers and nothing else.
        if requests.write(request, raw=request.use_binary_outputs) != body:
            return
        if len(self._forms) >= _KEPT:
            self._forms.clear()
            self._sizes.clear()
        only = request.inputs[0]
        values, datatype = only.view(), Datatype(only.datatype)
        name, _, start = found
        end = len(body) - values.nbytes
        kind = (NUMPY[datatype].num, values.shape[1:])
        form = MessageForm(only.name, datatype, len(values), kind, request.use_binary_outputs)
        self._forms[body[:name], body[start:end]] = form
        self._sizes[len(body) - start] = values.nbytes


def _after_id(body: bytes) -> tuple[int, bytes, int] | None:
    """Where the model's name ends, the id, empty for none, and where that ends."""
    if not 2 < len(body) <= LARGEST or body[0] != _NAME or body[1] >= _SHORT:
        return None
    end = 2 + body[1]
    if end + 2 > len(body):
        return None
    if body[end] != _ID:
        return end, b"", end
    start = end + 2
    after = start + body[end + 1]
    own_id = body[start:after]
    return (end, own_id, after) if body[end + 1] < _SHORT and own_id.isascii() else None


def _is_plain(request: InferRequest) -> bool:
    only = request.inputs[0]
    return (
        len(request.inputs) == 1
        and not (request.parameters or request.request_outputs or request.model_version or only.parameters)
        and (only.datatype in _TYPED or (request.use_binary_outputs and _is_memory(only.datatype)))
        and len(only.shape) > 1
        and prod(only.shape) > 0
    )


def _is_memory(datatype: str) -> bool:
    """Whether a number's raw form is that which numpy has in memory."""
    return datatype not in _NOT_AS_NUMPY and NUMPY[Datatype(datatype)].kind in _NUMBERS


# --- answers ----------------------------------------------------------------------------------------------------------


def answers(response: InferResponse, sizes: Sequence[int], ids: Sequence[bytes], *, raw: bool) -> list[bytes] | None:
    """One message for each size in rows, with these ids: the bytes that `responses.pieces` gives each of them.

    None where an output is not plain numbers, one row of them for each row of the requests.
    """
    if response.parameters or response.id or response.model_version:
        return None
    columns: list[_Column] = []
    for output in response.outputs:
        column = _column(output, sum(sizes), raw)
        if column is None:
            return None
        columns.append(column)
    name = plain.head(response.model_name)
    found: list[bytes] = []
    at = 0
    for size, own_id in zip(sizes, ids, strict=True):
        parts = [name, b"%c%b%b" % (_ID, varint(len(own_id)), own_id)]
        tails: list[bytes] = []
        for column in columns:
            data = column.data[at * column.step : (at + size) * column.step]
            start = _start(column.name, column.datatype, (size, *column.shape), len(data), raw)
            parts.append(start)
            if raw:
                tails += (_RAW_CONTENTS, varint(len(data)), data)
            else:
                parts.append(data)
        found.append(b"".join(parts + tails if raw else parts))
        at += size
    return found


class _Column(NamedTuple):
    """An output for all: `data` has `step` bytes a row, whose values have this shape."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: bytes
    step: int


def _column(output: InferOutput, rows: int, raw: bool) -> _Column | None:
    if output.parameters or goes_raw(output) or output.datatype not in Datatype.__members__:
        return None
    values, datatype = output.view(), Datatype(output.datatype)
    if not values.ndim or not values.size or len(values) != rows or values.dtype != NUMPY[datatype]:
        return None
    data = _memory(values) if raw or values.dtype.kind == "f" else _one_byte_each(values)
    return None if data is None else _Column(output.name, datatype, values.shape[1:], data, len(data) // rows)


def _memory(values: Array) -> bytes | None:
    return values.tobytes() if values.dtype.kind in "biuf" else None


def _one_byte_each(values: Array) -> bytes | None:
    """As varints, where none needs more than a byte."""
    if values.dtype.kind not in "biu" or values.min() < 0 or values.max() >= _SHORT:
        return None
    return values.astype(np.uint8).tobytes()


@lru_cache(1024)
def _start(name: str, datatype: Datatype, shape: tuple[int, ...], size: int, raw: bool) -> bytes:
    return (plain.raw_output if raw else plain.typed_output)(name, datatype, shape, size)
