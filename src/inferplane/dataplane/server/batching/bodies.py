"""JSON bodies of several requests made one, and its answer taken apart, with every number as it was written. Pure.

Nothing is converted: what stands between two commas goes through as text. V1's `instances` and V2's tensors are put one
behind the other; whatever else a request says must be the same in all that are joined, and goes along once. A body that
is not understood, or that means more than its rows, has no `Rows`: it goes on as it is.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TypeAlias, cast

import msgspec
import orjson
from msgspec import Raw

from inferplane.kernel.json import Json

Texts: TypeAlias = Sequence[Raw]
NewId: TypeAlias = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Rows:
    """What one body brings: bodies of one `kind` fit together. `lists` are its rows, a list of texts for each tensor.

    `width` is how many texts make a row, for each list. `id` is the request's own, which its answer has.
    """

    kind: Hashable
    count: int
    lists: Sequence[Texts]
    width: Sequence[int]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """How bodies of one protocol are read, joined, and answered one by one. None: not to be joined, or taken apart.

    `labels`: the answer to a request that was alone has another form than the server gave it.
    """

    labels: bool
    read: Callable[[bytes], Rows | None]
    join: Callable[[Sequence[Rows], str], bytes]
    split: Callable[[bytes, Sequence[Rows], str, NewId], list[bytes] | None]


def _members(body: bytes | Raw) -> dict[str, Raw] | None:
    try:
        return msgspec.json.decode(body, type=dict[str, Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _texts(value: bytes | Raw) -> list[Raw] | None:
    try:
        return msgspec.json.decode(value, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _object(members: Iterable[tuple[str, bytes | Raw]]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(name), text) for name, text in members)


def _list(texts: Iterable[Raw]) -> bytes:
    return b"[%b]" % b",".join(cast(Iterable[bytes], texts))


# --- V1 ---------------------------------------------------------------------------------------------------------------

_V1_KEYS = ("instances", "inputs")


def _read_v1(body: bytes) -> Rows | None:
    members = _members(body)
    keys = [key for key in _V1_KEYS if members is not None and key in members]
    if members is None or len(keys) != 1:
        return None
    (key,) = keys
    texts = _texts(members.pop(key))
    shape = _common_shape(body, key) if texts else None
    if not texts or shape is None:
        return None
    rest = tuple(sorted((name, bytes(text)) for name, text in members.items()))
    return Rows(("v1", key, rest, shape), len(texts), [texts], [1])


def _common_shape(body: bytes, key: str) -> Hashable | None:
    try:
        return common_structure(orjson.loads(body)[key])
    except orjson.JSONDecodeError:
        return None


def common_structure(rows: Sequence[Json]) -> Hashable | None:
    """What all rows have in common: structure, and whether any number is a fraction. None: they differ."""
    shapes = {_structure(row) for row in rows}
    return (shapes.pop(), _has_fraction([*rows])) if len(shapes) == 1 else None


def _structure(value: Json) -> Hashable:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "text"
        case None:
            return "null"
        case dict():
            return tuple(sorted((name, _structure(one)) for name, one in value.items()))
    inside = [_structure(one) for one in value]
    return (len(inside), inside[0]) if inside and len(set(inside)) == 1 else ("mixed", *inside)


def _has_fraction(value: Json) -> bool:
    """Servers that make an array of the rows make it of whole numbers only where all are."""
    if isinstance(value, list):
        return any(map(_has_fraction, value))
    if isinstance(value, dict):
        return any(map(_has_fraction, value.values()))
    return isinstance(value, float)


def _join_v1(all_rows: Sequence[Rows], batch: str) -> bytes:
    _, key, rest, _ = cast(tuple[str, str, tuple[tuple[str, bytes], ...], Hashable], all_rows[0].kind)
    texts = _list(text for rows in all_rows for text in rows.lists[0])
    return _object([(key, texts), *rest])


def _split_v1(body: bytes, all_rows: Sequence[Rows], batch: str, new_id: NewId) -> list[bytes] | None:
    """Each answer in the form of KServe's batcher, which has only predictions."""
    members = _members(body)
    texts = _texts(members["predictions"]) if members is not None and "predictions" in members else None
    if texts is None or len(texts) != sum(rows.count for rows in all_rows):
        return None
    return [labelled(b'{"predictions":%b}' % _list(texts[a:b]), batch) for a, b in _edges(all_rows)]


def labelled(body: bytes, batch: str) -> bytes:
    """An object as KServe's batcher answers it: with an empty `message`, and the id that all of a batch have."""
    rest = body[1:] if body[1:2] == b"}" else b"," + body[1:]
    return b'{"message":"","batchId":"%b"%b' % (batch.encode(), rest)


# --- V2 ---------------------------------------------------------------------------------------------------------------

_NOTHING = Raw(b"")
_MEANS_ONLY_ROWS = {"content_type"}


class _Input(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    shape: list[int]
    datatype: str
    data: Raw
    parameters: Raw = _NOTHING


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    inputs: list[_Input]
    id: str | None = None
    parameters: Raw = _NOTHING
    outputs: Raw = _NOTHING


def _read_v2(body: bytes) -> Rows | None:
    try:
        request = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not _means_only_rows(request) or not request.inputs or not all(one.shape for one in request.inputs):
        return None
    count = request.inputs[0].shape[0]
    lists = [_rows_of(one, count) for one in request.inputs]
    if count < 1 or any(found is None for found in lists):
        return None
    kept = [found for found in lists if found is not None]
    tensors = tuple(
        (one.name, one.datatype, tuple(one.shape[1:]), bytes(one.parameters), width)
        for one, (_, width) in zip(request.inputs, kept, strict=True)
    )
    kind = ("v2", tensors, bytes(request.parameters), bytes(request.outputs))
    return Rows(kind, count, [texts for texts, _ in kept], [width for _, width in kept], request.id or "")


def _means_only_rows(request: _Request) -> bool:
    """Not when it has a parameter that is about the request, or asks for an answer in binary form."""
    said = [one.parameters for one in request.inputs] + [request.outputs, request.parameters]
    if any(b'"binary_data' in bytes(one) for one in said):
        return False
    if not bytes(request.parameters) or bytes(request.parameters) == b"null":
        return True
    own = _members(request.parameters)
    return own is not None and own.keys() <= _MEANS_ONLY_ROWS


def _rows_of(tensor: _Input, count: int) -> tuple[Texts, int] | None:
    """Texts, and how many of them make a row: 1 for data that is nested as its shape."""
    texts = _texts(tensor.data)
    if not texts or tensor.shape[0] != count or any(size < 1 for size in tensor.shape):
        return None
    nested = bytes(texts[0])[:1] == b"["
    width = 1 if nested else math.prod(tensor.shape[1:])
    return (texts, width) if len(texts) == count * width else None


def _join_v2(all_rows: Sequence[Rows], batch: str) -> bytes:
    _, tensors, parameters, outputs = cast(
        tuple[str, tuple[tuple[str, str, tuple[int, ...], bytes, int], ...], bytes, bytes], all_rows[0].kind
    )
    total = sum(rows.count for rows in all_rows)
    inputs = [
        _object(
            [
                ("name", msgspec.json.encode(name)),
                ("shape", msgspec.json.encode([total, *shape])),
                ("datatype", msgspec.json.encode(datatype)),
                *([("parameters", own)] if own else []),
                ("data", _list(text for rows in all_rows for text in rows.lists[place])),
            ]
        )
        for place, (name, datatype, shape, own, _) in enumerate(tensors)
    ]
    said = [("parameters", parameters), ("outputs", outputs)]
    whole = b"[%b]" % b",".join(inputs)
    return _object(
        [("id", msgspec.json.encode(batch)), ("inputs", whole), *((name, text) for name, text in said if text)]
    )


def _split_v2(body: bytes, all_rows: Sequence[Rows], batch: str, new_id: NewId) -> list[bytes] | None:
    members = _members(body)
    listed = _texts(members["outputs"]) if members is not None and "outputs" in members else None
    if members is None or listed is None:
        return None
    total = sum(rows.count for rows in all_rows)
    pieces = [_pieces(output, all_rows, total) for output in listed]
    if any(one is None for one in pieces):
        return None
    found = [one for one in pieces if one is not None]
    rest = [(name, text) for name, text in members.items() if name not in ("outputs", "id")]
    answers = []
    for place, rows in enumerate(all_rows):
        outputs = b"[%b]" % b",".join(one[place] for one in found)
        answers.append(_object([*rest, ("id", msgspec.json.encode(rows.id or new_id())), ("outputs", outputs)]))
    return answers


def _pieces(output: Raw, all_rows: Sequence[Rows], total: int) -> list[bytes] | None:
    """The rows of each request; None unless the output has one for each of the batch."""
    members = _members(output)
    if members is None or not {"shape", "data"} <= members.keys():
        return None
    texts, shape = _texts(members["data"]), _shape(members["shape"])
    if texts is None or not shape or shape[0] != total:
        return None
    nested = bool(texts) and bytes(texts[0])[:1] == b"["
    width = 1 if nested else math.prod(shape[1:])
    if len(texts) != total * width:
        return None
    return [
        _object(
            (
                name,
                msgspec.json.encode([b - a, *shape[1:]]) if name == "shape" else _piece(name, text, texts, a, b, width),
            )
            for name, text in members.items()
        )
        for a, b in _edges(all_rows)
    ]


def _piece(name: str, text: Raw, texts: Texts, first: int, end: int, width: int) -> bytes | Raw:
    return _list(texts[first * width : end * width]) if name == "data" else text


def _shape(text: Raw) -> list[int]:
    try:
        return msgspec.json.decode(text, type=list[int])
    except msgspec.DecodeError:
        return []


def _edges(all_rows: Sequence[Rows]) -> list[tuple[int, int]]:
    """First row of each request, and the one after its last."""
    return [*pairwise(accumulate((rows.count for rows in all_rows), initial=0))]


V1 = Form(True, _read_v1, _join_v1, _split_v1)
V2 = Form(False, _read_v2, _join_v2, _split_v2)
