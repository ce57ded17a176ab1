"""Requests as filled-in forms: clients send the same text again and again, with other numbers in it.

A form is what surrounds the numbers. Of a known form nothing needs to be read but the numbers, and those of many
requests are read together in one go: a V1 request of two rows costs 1 µs to take in and, among 32, 0.6 µs to decode (3
and 2 µs by itself), a V2 request the same (11 µs by itself). What is not a plain form with plain numbers is None here
and for the decoders of `v1` and `v2` to read or to refuse; both give the same, which is property-tested.

Reading together must not let one request change what another says. Each text has the brackets and commas of its table,
and nothing else but the characters of numbers. So the commas separate as many places as the tables have, an empty place
is a mistake in JSON, and the numbers can be read as one flat list; where that fails each is read by itself.
"""

import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import prod
from typing import NamedTuple, Protocol, TypeAlias

import msgspec
import numpy as np
import orjson

from inferplane.inference import small
from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.small import SMALL
from inferplane.inference.tensors import Array, InferInput, InferRequest

_REST = rb"[-+.,0-9eE\[\] \t\r\n]*\]"
_V1 = re.compile(rb'\s*\{\s*"(instances|inputs)"\s*:\s*(\[\s*\[\s*[-0-9]' + _REST + rb")\s*\}\s*")
_V2 = re.compile(rb'"data"\s*:\s*(\[' + _REST + rb")")
_ID = re.compile(rb'"id"\s*:\s*"([-0-9A-Za-z_]*)"')

_FLOAT = np.dtype(np.float64)
_INT = np.dtype(np.int64)
_LARGEST = float(np.finfo(np.float32).max)
_OF_NUMBERS = b"0123456789.-+eE \t\r\n"
_KEPT = 256

Kind: TypeAlias = tuple[int, tuple[int, ...]]
"""numpy's number of the values' type, and the shape of a row: what of one kind is may be computed together."""


class Form(Protocol):
    """What requests that differ in their numbers alone have in common."""

    @property
    def rows(self) -> int: ...
    @property
    def kind(self) -> Kind: ...

    @property
    def asks(self) -> Hashable:
        """Requests of one kind that ask the same want it of the model alike, each for its rows."""
        ...

    def payload(self, numbers: Array, model: str) -> object:
        """What the decoder makes of a request with these numbers."""
        ...

    def numbers(self, texts: Sequence[bytes]) -> Array | None:
        """The rows of all requests with these texts; None where they cannot be read together."""
        ...


class V1Form(NamedTuple):
    """A table of numbers with a point under `key`."""

    key: str
    rows: int
    kind: Kind

    @property
    def asks(self) -> Hashable:
        return V1Form, self.key

    def payload(self, numbers: Array, model: str) -> object:
        return {self.key: numbers}

    def numbers(self, texts: Sequence[bytes]) -> Array | None:
        numbers = _flat(texts)
        return numbers.reshape(-1, *self.kind[1]) if numbers is not None and numbers.dtype is _FLOAT else None


class V2Form(NamedTuple):
    """One input of so many rows. `skeletons` are those of its data, nested and flat."""

    name: str
    datatype: Datatype
    rows: int
    kind: Kind
    skeletons: tuple[bytes, bytes]

    @property
    def asks(self) -> Hashable:
        return V2Form, self.name

    def payload(self, numbers: Array, model: str) -> object:
        return InferRequest(model, [InferInput.decoded(self.name, self.datatype, numbers)])

    def numbers(self, texts: Sequence[bytes]) -> Array | None:
        numbers = _flat(texts)
        typed = None if numbers is None else _typed(numbers, self.datatype)
        return None if typed is None else typed.reshape(-1, *self.kind[1])


class Filled(msgspec.Struct, frozen=True, gc=False):
    """A request: its form, the text of its numbers (or their bytes), and its id, empty for none."""

    form: Form
    text: bytes
    id: bytes

    @property
    def rows(self) -> int:
        return self.form.rows


def _skeleton(shape: Sequence[int]) -> bytes:
    """The brackets and commas of an array."""
    if not shape:
        return b""
    return b"[%b]" % b",".join([_skeleton(shape[1:])] * shape[0])


def v1(body: bytes) -> Filled | None:
    """Rows of numbers, at least one of them with a point: without any they are integers."""
    if len(body) > SMALL or (found := _V1.fullmatch(body)) is None:
        return None
    key, text = found.groups()
    form = _v1_form(key, text.translate(None, _OF_NUMBERS))
    return Filled(form, text, b"") if form is not None and b"." in text else None


@lru_cache(_KEPT)
def _v1_form(key: bytes, skeleton: bytes) -> V1Form | None:
    rows = skeleton.count(b"[") - 1
    width = (skeleton.count(b",") + 1) // rows
    return V1Form(key.decode(), rows, (_FLOAT.num, (width,))) if skeleton == _skeleton((rows, width)) else None


class V2Forms:
    """The forms that were seen. They are the clients' to make up, so only so many are kept."""

    def __init__(self) -> None:
        self._forms: dict[tuple[bytes, bytes], V2Form] = {}

    def __len__(self) -> int:
        return len(self._forms)

    def read(self, body: bytes) -> Filled | None:
        if len(body) > SMALL or (found := _V2.search(body)) is None:
            return None
        around = body[: found.start(1)], body[found.end(1) :]
        form = self._forms.get(around)
        if form is not None:
            return _filled(form, found[1], b"")
        around, own_id = _without_id(*around)
        form = self._forms.get(around) if own_id else None
        return None if form is None else _filled(form, found[1], own_id)

    def remember(self, body: bytes, request: InferRequest) -> None:
        """`request` is what the decoder read from `body`."""
        found = _V2.search(body) if len(body) <= SMALL and _is_plain(request) else None
        # A member that is there twice, or unknown ones around it, could be taken for another.
        if found is None or body.count(b'"data"') > 1 or body.count(b'"id"') > 1 or small.request(body, "") is None:
            return
        around, own_id = _without_id(body[: found.start(1)], body[found.end(1) :])
        if own_id != (request.id or "").encode():
            return
        if len(self._forms) >= _KEPT:
            self._forms.clear()
        only = request.inputs[0]
        shape, datatype = tuple(only.shape), Datatype(only.datatype)
        skeletons = _skeleton(shape), _skeleton((prod(shape),))
        self._forms[around] = V2Form(only.name, datatype, shape[0], (NUMPY[datatype].num, shape[1:]), skeletons)


def _without_id(before: bytes, after: bytes) -> tuple[tuple[bytes, bytes], bytes]:
    """The surroundings without an id that needs no escapes, and that id."""
    if (found := _ID.search(before)) is not None:
        return (before[: found.start(1)] + before[found.end(1) :], after), found[1]
    if (found := _ID.search(after)) is not None:
        return (before, after[: found.start(1)] + after[found.end(1) :]), found[1]
    return (before, after), b""


def _is_plain(request: InferRequest) -> bool:
    only = request.inputs[0]
    return (
        len(request.inputs) == 1
        and not (request.parameters or request.request_outputs or only.parameters)
        and only.datatype in _READ
        and len(only.shape) > 1
        and prod(only.shape) > 0
    )


_READ = (Datatype.FP64, Datatype.FP32, Datatype.INT64)


def _filled(form: V2Form, text: bytes, own_id: bytes) -> Filled | None:
    # With a point they are floating; an integer that no 64 bits hold would not be told from one.
    if (b"." in text) is (form.datatype is Datatype.INT64) or text.translate(None, _OF_NUMBERS) not in form.skeletons:
        return None
    return Filled(form, text, own_id)


def stacked(filled: Sequence[Filled]) -> Array | None:
    """The rows of all, in one array; None when they cannot be read together, as when they are not alike."""
    form = filled[0].form
    if any(one.form is not form and not _are_alike(one.form, form) for one in filled):
        return None
    return form.numbers([one.text for one in filled])


def _are_alike(one: Form, other: Form) -> bool:
    """Whether the two ask the same of a model, for other rows."""
    return one.kind == other.kind and one.asks == other.asks


def _flat(texts: Sequence[bytes]) -> Array | None:
    """The numbers of all texts, one after the other."""
    text = b",".join(texts)
    try:
        return np.array(orjson.loads(b"[%b]" % text.translate(None, b"[]")))
    except (orjson.JSONDecodeError, OverflowError):  # or integers beyond 64 bits
        return None


def _typed(numbers: Array, datatype: Datatype) -> Array | None:
    if datatype is Datatype.INT64:
        return numbers if numbers.dtype is _INT else None
    if numbers.dtype is not _FLOAT or (datatype is Datatype.FP32 and abs(numbers).max() > _LARGEST):
        return None
    return numbers.astype(NUMPY[datatype], copy=False)
