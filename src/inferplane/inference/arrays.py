"""JSON arrays → numpy arrays, through simdjson straight into a typed buffer.

A parser is made for each small body: it costs 0.06 µs and belongs to no thread. For a large one it takes 13 times the
body's size of fresh memory, and the system takes longer to give that than the parser to work (4 ms of 6 for 1.6 MB), so
one is kept. Two rows of four numbers take 0.8 µs (orjson + numpy: 1.5 µs), 150,528 numbers 1.7 ms (6.4 ms).
simdjson flattens nested arrays. The nesting is checked here, list by list and not number by number: a list that hides
among numbers is found because the body has one bracket too many, which costs 0.1 ms for 1.6 MB.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeGuard, cast

import numpy as np
import orjson
import simdjson

from inferplane.inference.datatypes import NUMPY, Datatype
from inferplane.inference.errors import InvalidInput, Malformed
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json

_SHORT = 4096
"""Bytes. Below it bytes.count is faster than numpy."""

_DIMENSIONS = 64
"""numpy's limit since version 2."""


class JsonArray(Protocol):
    """simdjson's view of an array; alive as long as its parser is."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> object: ...
    def __iter__(self) -> Iterator[object]: ...
    def as_list(self) -> list[Json]: ...
    def as_buffer(self, *, of_type: str) -> bytes: ...


class JsonObject(Protocol):
    """simdjson's view of an object."""

    def keys(self) -> list[str]: ...
    def __getitem__(self, key: str) -> object: ...
    def as_dict(self) -> dict[str, Json]: ...


def at(root: JsonObject, key: str) -> object:
    """A member's value. simdjson looks a key up as a C string, which ends at the first NUL."""
    return root.as_dict()[key] if "\0" in key else root[key]


def parse(body: bytes) -> object:
    """The document's root: a JsonObject, a JsonArray or a scalar. Malformed names line and column."""
    try:
        if _LARGE <= len(body) <= _KEPT:
            return _parsed_by_the_spare(body)
        return cast(object, simdjson.Parser().parse(body))
    except (ValueError, RuntimeError) as error:  # RuntimeError: an integer of more than 64 bits
        raise Malformed(f"Unrecognized request format: {_complaint(body)}") from error


_LARGE = 64 * 1024
_KEPT = 4 * 1024 * 1024
"""Bytes. For still larger bodies no memory is kept."""

_spare: list[simdjson.Parser] = []
"""At most one. Whoever takes it out has it alone: popping is atomic."""


def _parsed_by_the_spare(body: bytes) -> object:
    try:
        parser = _spare.pop()
    except IndexError:
        parser = simdjson.Parser()
    try:
        root = parser.parse(body)
    except RuntimeError:
        # Somebody still looks at what it parsed last; or the body is at fault, which a new one says too.
        parser = simdjson.Parser()
        root = parser.parse(body)
    if not _spare:
        _spare.append(parser)
    return cast(object, root)


def _complaint(body: bytes) -> str:
    # simdjson does not say where; orjson does. The two differ only in numbers that no 64-bit type can hold.
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return str(error)
    return "a number does not fit into 64 bits"


def is_array(value: object) -> TypeGuard[JsonArray]:
    return type(value) is simdjson.Array


def is_object(value: object) -> TypeGuard[JsonObject]:
    return type(value) is simdjson.Object


def plain(value: object) -> Json:
    """The value as Python objects."""
    if is_array(value):
        return value.as_list()
    return value.as_dict() if is_object(value) else cast(Json, value)


def brackets(body: bytes, expected: int = _DIMENSIONS) -> int:
    """How many `[` a body has: as many as lists, and those inside strings; counted to one more than few `expected`."""
    if len(body) < _SHORT:
        return body.count(b"[")
    if expected < _FEW:
        return _counted_to(body, expected + 1)
    return int(np.count_nonzero(np.frombuffer(body, dtype=np.uint8) == ord("[")))


_FEW = 8
"""Looking for one takes a fifth of the time that counting all takes, as long as they are far apart."""


def _counted_to(body: bytes, most: int) -> int:
    at = -1
    for found in range(most):
        at = body.find(b"[", at + 1)
        if at < 0:
            return found
    return most


def rows(array: JsonArray, where: str, lists: int = -1) -> "Array | list[Json]":
    """A V1 row list: an int64 or float64 array in the shape of its nesting (null is NaN), else plain Python objects.

    `lists` is how many lists the whole body may have at most (see `brackets`); not known, every value is looked at.
    """
    shape = _nesting(array, where)
    for code, dtype in (("i", np.int64), ("d", np.float64)):
        flat = _buffer(array, code, np.dtype(dtype))
        if flat is not None:
            if lists != lists_of(shape):
                unmixed(array, where)
            return _filled(flat, shape, where)
    values = array.as_list()
    flattened = _flatten(values)
    if any(value is None for value in flattened) and all(value is None or _is_number(value) for value in flattened):
        unmixed(array, where)
        return _filled(np.array(flattened, dtype=np.float64), shape, where)
    return values


def nesting(array: JsonArray, where: str) -> tuple[int, ...]:
    """The shape that V2 `data` spells: of one dimension when it is flat, else as its lists are nested."""
    return _nesting(array, where) if len(array) and is_array(array[0]) else (len(array),)


def tensor(array: JsonArray, datatype: Datatype, shape: list[int], where: str) -> Array:
    """V2 `data`, nested or flat, as an array of `datatype` in `shape` (one -1 stands for what is left)."""
    return _filled(_values(array, datatype, where), shape, where)


def lists_of(shape: tuple[int, ...]) -> int:
    """How many lists spell an array of this shape."""
    count = product = 1
    for size in shape[:-1]:
        product *= size
        count += product
    return count


def unmixed(array: JsonArray, where: str) -> None:
    """InvalidInput when a list stands where values are. Looks at every value."""
    values: list[Json] = array.as_list()
    for _ in range(len(_nesting(array, where)) - 1):
        values = [value for row in values for value in cast(list[Json], row)]
    for index, value in enumerate(values):
        if isinstance(value, list):
            raise InvalidInput(f"{where}: values and lists are mixed: value {index} is {_shown(value)}")


def _values(array: JsonArray, datatype: Datatype, where: str) -> Array:
    dtype = NUMPY[datatype]
    code = {"f": "d", "i": "i", "u": "u"}.get(dtype.kind)
    wide = _buffer(array, code, _WIDE[code]) if code is not None else None
    if wide is None:
        return _converted(_flatten(array.as_list()), datatype, where)
    return wide if wide.dtype == dtype else _narrowed(wide, datatype, where)


_WIDE = {"d": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}


def _buffer(array: JsonArray, code: str, dtype: np.dtype[np.generic]) -> Array | None:
    """None when some element is not of that kind."""
    try:
        return np.frombuffer(array.as_buffer(of_type=code), dtype=dtype)
    except (TypeError, ValueError):
        return None


def _nesting(array: JsonArray, where: str) -> tuple[int, ...]:
    """The shape that the lists spell; InvalidInput when they differ in length or depth."""
    try:
        return _shape(array)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None
    except (TypeError, _Ragged):
        raise InvalidInput(f"{where}: {_unlike(array)}") from None


class _Ragged(Exception):
    pass


def _shape(array: JsonArray, depth: int = 1) -> tuple[int, ...]:
    size = len(array)
    first = array[0] if size else None
    if not is_array(first):
        return (size,)
    if depth == _DIMENSIONS:
        raise InvalidInput(f"lists are nested more than {_DIMENSIONS} deep")
    if len(first) and is_array(first[0]):
        inner = {_shape(cast(JsonArray, row), depth + 1) for row in array}
    else:
        inner = {(length,) for length in set(map(len, cast(list[JsonArray], array)))}
    if len(inner) != 1:
        raise _Ragged
    return (size, *inner.pop())


def _unlike(array: JsonArray) -> str:
    first = cast(JsonArray, array[0])
    for index, row in enumerate(array):
        if not is_array(row):
            return f"row 0 is a list and row {index} is {_shown(plain(row))}"
        if len(row) != len(first):
            return f"rows differ in length: row 0 has {len(first)} values, row {index} has {len(row)}"
    return "lists inside the rows differ in length or depth"


def _flatten(values: list[Json]) -> list[Json]:
    flat = values
    while any(type(value) is list for value in flat):
        flat = [leaf for value in flat for leaf in (value if isinstance(value, list) else [value])]
    return flat


def _filled(flat: Array, shape: Sequence[int], where: str) -> Array:
    if not _fills(flat.size, shape):
        expected = math.prod(size for size in shape if size != -1)
        wanted = f"a multiple of {expected}" if -1 in shape else f"{expected}"
        raise InvalidInput(
            f"{where}: data does not fill the shape: expected {wanted} values for {list(shape)}, got {flat.size}"
        )
    try:
        return flat if len(shape) == 1 else flat.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}: no array has the shape {list(shape)}: {error}") from error


def _fills(count: int, shape: Sequence[int]) -> bool:
    known = math.prod(shape)
    if -1 in shape:
        return known < 0 and count % known == 0
    return count == known


def _narrowed(wide: Array, datatype: Datatype, where: str) -> Array:
    dtype = NUMPY[datatype]
    try:
        with np.errstate(over="raise"):
            narrow = wide.astype(dtype)
    except FloatingPointError:
        with np.errstate(over="ignore"):
            raise _misfit(np.isinf(wide.astype(dtype)), wide, datatype, where) from None
    # Integers that do not fit have wrapped.
    if dtype.kind != "f" and (wrong := narrow != wide).any():
        raise _misfit(wrong, wide, datatype, where)
    return narrow


def _misfit(wrong: Array, wide: Array, datatype: Datatype, where: str) -> InvalidInput:
    at = int(np.argmax(wrong))
    return InvalidInput(f"{where}[{at}]: {wide[at]} does not fit {datatype}")


def _converted(values: list[Json], datatype: Datatype, where: str) -> Array:
    """The slow way, for what no typed buffer takes: text, true and false, null, numbers of mixed kinds, mistakes."""
    kind = NUMPY[datatype].kind
    out: Array = np.empty(len(values), dtype=_WIDEST[kind])
    if _PLAIN.get(kind, set()) >= set(map(type, values)):
        out[:] = cast(list[bool], values)
        return out
    for index, value in enumerate(values):
        try:
            out[index] = _ELEMENT[kind](value)
        except (TypeError, OverflowError):
            raise InvalidInput(
                f"{where}[{index}]: expected {_EXPECTED[kind]} for {datatype}, got {_shown(value)}"
            ) from None
    return out if out.dtype == NUMPY[datatype] else _narrowed(out, datatype, where)


_PLAIN: dict[str, set[type]] = {"b": {bool}, "O": {str}}
_WIDEST = {"f": np.float64, "i": np.int64, "u": np.uint64, "b": np.bool_, "O": np.object_}


def _is_number(value: Json) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: Json) -> float:
    if value is None:
        return math.nan
    if not _is_number(value):
        raise TypeError
    return value


def _as_int(value: Json) -> int:
    if not _is_number(value) or value != int(value):
        raise TypeError
    return int(value)


def _as_bool(value: Json) -> bool:
    if value not in (True, False):
        raise TypeError
    return bool(value)


def _as_text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_ELEMENT: dict[str, Callable[[Json], float | str]] = {
    "f": _as_float,
    "i": _as_int,
    "u": _as_int,
    "b": _as_bool,
    "O": _as_text,
}
_EXPECTED = {"f": "a number", "i": "an integer", "u": "an integer of 0 or more", "b": "true or false", "O": "a string"}


def _shown(value: Json) -> str:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # nested too deeply for it
        return "a list of lists"
    return text if len(text) <= 60 else f"{text[:57]}…"
