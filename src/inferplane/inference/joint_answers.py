"""Answers to requests that were computed together, written together: the numbers of all become text in one go.

Bytes are those that `v1.write` and `v2.write` give each of them. What has no plain numbers in it is None, and each
answer is then written by itself.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import numpy as np
import orjson

from inferplane.inference.datatypes import BINARY_ONLY
from inferplane.inference.tensors import InferOutput, InferResponse

_NUMBERS = "biuf"


def v1(result: object, sizes: Sequence[int]) -> list[bytes] | None:
    """One body for each size in rows of `{"predictions": rows}`."""
    if type(result) is not dict or result.keys() != {"predictions"}:
        return None
    texts = _texts(result["predictions"], sizes, flat=False)
    return None if texts is None else [b'{"predictions":[%b]}' % text for text in texts]


def v2(response: InferResponse, sizes: Sequence[int], ids: Sequence[bytes]) -> list[bytes] | None:
    """One body for each size in rows, with these ids, which need no escapes."""
    if response.parameters or response.id or response.model_version is not None:
        return None
    outputs = [_outputs(output, sizes) for output in response.outputs]
    if None in outputs:
        return None
    head = _head(response.model_name)
    joined = cast(list[list[bytes]], outputs)
    each = joined[0] if len(joined) == 1 else [b",".join(some) for some in zip(*joined, strict=True)]
    return [b'%b%b","parameters":null,"outputs":[%b]}' % (head, *some) for some in zip(ids, each, strict=True)]


def _outputs(output: InferOutput, sizes: Sequence[int]) -> list[bytes] | None:
    if output.parameters or output.datatype in BINARY_ONLY:
        return None
    values = output.view()
    texts = _texts(values, sizes, flat=True)
    if texts is None:
        return None
    head, tail = _around(output.name, output.datatype, values.shape[1:])
    return [b"%b%d%b%b]}" % (head, size, tail, text) for size, text in zip(sizes, texts, strict=True)]


# Of a few models, each with a few outputs: text that is the same in every answer.


@lru_cache(256)
def _head(model: str) -> bytes:
    return b'{"model_name":%b,"model_version":null,"id":"' % orjson.dumps(model)


@lru_cache(256)
def _around(name: str, datatype: str, shape: tuple[int, ...]) -> tuple[bytes, bytes]:
    """What comes before the number of rows, and what between that and the elements."""
    sizes = b"".join([b",%d" % size for size in shape])
    tail = b'%b],"datatype":"%b","parameters":null,"data":[' % (sizes, datatype.encode())
    return b'{"name":%b,"shape":[' % orjson.dumps(name), tail


def _texts(values: object, sizes: Sequence[int], *, flat: bool) -> list[bytes] | None:
    """The elements of each piece as JSON without the outer brackets; `flat` leaves out the inner ones too."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in _NUMBERS or values.ndim not in (1, 2):
        return None
    if len(values) != sum(sizes) or not values.size or not values.dtype.isnative:
        return None
    whole = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    if values.ndim == 1:
        return _pieces(whole[1:-1].split(b","), sizes, b",")
    pieces = _pieces(whole[2:-2].split(b"],["), sizes, b"," if flat else b"],[")
    return pieces if flat else [b"[%b]" % piece for piece in pieces]


def _pieces(rows: Sequence[bytes], sizes: Sequence[int], between: bytes) -> list[bytes]:
    pieces = []
    end = 0
    for size in sizes:
        start, end = end, end + size
        pieces.append(rows[start] if size == 1 else between.join(rows[start:end]))
    return pieces
