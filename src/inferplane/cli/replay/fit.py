"""Whether recorded requests are for this model at all: their inputs beside those that the model says it takes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inferplane.cli.replay import grpc_records
from inferplane.cli.replay.paths import GRPC, model_of
from inferplane.cli.replay.records import Exchange, RecordError
from inferplane.inference import v2
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import InferRequest
from inferplane.kernel.json import Json, JsonObject, list_at, text_at

ANY = -1


@dataclass(frozen=True, slots=True)
class Input:
    """`datatype` and `name` are empty where the protocol tells none (V1 rows); a size of -1 is any."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        sizes = f"[{', '.join(str(one) for one in self.shape)}]"
        return " ".join(word for word in (repr(self.name) if self.name else "rows", self.datatype, sizes) if word)


def wanted(metadata: JsonObject) -> list[Input]:
    """The inputs in a model's V2 metadata; empty when it does not say."""
    found = [one for one in list_at(metadata, "inputs") if isinstance(one, dict)]
    return [Input(text_at(one, "name"), text_at(one, "datatype"), _shape(list_at(one, "shape"))) for one in found]


def _shape(sizes: Sequence[Json]) -> tuple[int, ...]:
    return tuple(one if isinstance(one, int) else ANY for one in sizes)


def given(exchange: Exchange) -> list[Input]:
    """The inputs of a recorded request; empty when they cannot be told."""
    try:
        if exchange.path.startswith(GRPC):
            return _tensors(grpc_records.request_of(exchange))
        if exchange.json_length is not None or '"datatype"' in exchange.body[:4096].decode(errors="replace"):
            return _tensors(v2.read(exchange.body, model_of(exchange.path), exchange.json_length))
        body: Json = msgspec.json.decode(exchange.body)
    except (RecordError, InvalidInput, msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return []
    return _rows(body)


def _tensors(request: InferRequest) -> list[Input]:
    return [Input(one.name, one.datatype, tuple(one.shape)) for one in request.inputs]


def _rows(body: Json) -> list[Input]:
    rows = (body.get("instances") or body.get("inputs")) if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        return []
    first = rows[0]
    if isinstance(first, dict):
        return [Input(name, "", (ANY,)) for name in first]
    sizes: list[int] = [ANY]
    while isinstance(first, list):
        sizes.append(len(first))
        first = first[0] if first else None
    return [Input("", "", tuple(sizes))]


def misfit(given: Sequence[Input], wanted: Sequence[Input]) -> bool:
    """Whether the inputs are certainly not the model's. What either side does not say is no reason."""
    if not given or not wanted:
        return False
    if all(one.name and one.datatype for one in given):
        return not all(any(_fits(one, other) for other in wanted) for one in given)
    rows = [one for one in given if not one.name]
    return bool(rows) and len(wanted) == 1 and not _same_sizes(rows[0].shape, wanted[0].shape)


def _fits(given: Input, wanted: Input) -> bool:
    same = (given.name, given.datatype) == (wanted.name, wanted.datatype)
    return same and _same_sizes(given.shape, wanted.shape)


def _same_sizes(one: Sequence[int], other: Sequence[int]) -> bool:
    """The first is that of the batch."""
    if not other:
        return True
    return len(one) == len(other) and all(ANY in (a, b) or a == b for a, b in zip(one[1:], other[1:], strict=True))


def described(inputs: Sequence[Input]) -> str:
    return ", ".join(map(str, inputs)) or "inputs that cannot be told"
