"""The keys and values of all texts under way, one row a text, in buffers that texts join and leave in place.

Rows are aligned at their ends: all write their next key into the same column, and a row begins where its length says.
Models see that as a batch padded on the left, which every decoder of transformers takes, with full attention or a
sliding window; a step copies nothing. Columns before a row's beginning hold what earlier rows left, and are masked.
"""

from collections.abc import Sequence

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

_COLUMNS = 256
"""The fewest. Buffers grow by doubling."""

_SPARE = 8
"""Buffers are made anew for an empty batch when they are so many times larger than what comes needs."""


class Columns:
    """Which part of the buffers is in use: `rows`, and columns from `start` to `end`; `first[row]` is where one begins.

    `mask` and `positions` are for the model: 1 where a row's own keys are, and each row's length.
    """

    def __init__(self, device: torch.device) -> None:
        self.rows = 0
        self.start = 0
        self.end = 0
        self.first: list[int] = []
        self.mask = torch.zeros((0, 0), dtype=torch.long, device=device)
        self.positions = torch.zeros((0, 1), dtype=torch.long, device=device)

    @property
    def places(self) -> int:
        """Rows that there is room for."""
        return int(self.mask.shape[0])

    @property
    def capacity(self) -> int:
        """Columns that there is room for."""
        return int(self.mask.shape[1])

    @property
    def length(self) -> int:
        return self.end - self.start

    def step_mask(self) -> torch.Tensor:
        """For a step: the column that is about to be written counts."""
        return self.mask[: self.rows, self.start : self.end + 1]

    def step_positions(self) -> torch.Tensor:
        return self.positions[: self.rows]

    def stepped(self) -> None:
        self.end += 1
        self.positions[: self.rows] += 1


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # transformers is not typed here
    """One layer's buffers, [row, head, column, size]."""

    is_sliding = False
    is_compileable = False
    keys: torch.Tensor
    values: torch.Tensor
    is_initialized: bool

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.columns = columns

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Made by `filled`."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        at, rows = self.columns, self.columns.rows
        self.keys[:rows, :, at.end : at.end + 1] = key_states
        self.values[:rows, :, at.end : at.end + 1] = value_states
        used = slice(at.start, at.end + 1)
        return self.keys[:rows, :, used], self.values[:rows, :, used]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.columns.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.columns.length

    def get_max_length(self) -> int:
        return -1

    def get_max_cache_shape(self) -> int:
        return -1  # what transformers 4 calls `get_max_length`

    def moved(self, places: int, capacity: int, to: int) -> None:
        """Into buffers of so many rows and columns, what is in use beginning at `to`."""
        self.keys, self.values = (self._moved(old, places, capacity, to) for old in (self.keys, self.values))

    def _moved(self, old: torch.Tensor, places: int, capacity: int, to: int) -> torch.Tensor:
        at = self.columns
        new = old.new_zeros((places, old.shape[1], capacity, old.shape[3]))
        new[: at.rows, :, to : to + at.length] = old[: at.rows, :, at.start : at.end]
        return new

    def filled(self, row: int, keys: torch.Tensor, values: torch.Tensor) -> None:
        """The row's end; [head, column, size]."""
        at, end = self.columns, self.columns.end
        if not self.is_initialized:
            self.keys, self.values = (
                one.new_zeros((at.places, one.shape[0], at.capacity, one.shape[2])) for one in (keys, values)
            )
            self.is_initialized = True
        self.keys[row, :, end - keys.shape[1] : end] = keys
        self.values[row, :, end - values.shape[1] : end] = values

    def put(self, row: int, into: int) -> None:
        used = slice(self.columns.start, self.columns.end)
        self.keys[into, :, used] = self.keys[row, :, used]
        self.values[into, :, used] = self.values[row, :, used]


class RowCache(Cache):  # type: ignore[misc]  # transformers is not typed here
    """What the model is given as `past_key_values`."""

    def __init__(self, most_rows: int, device: torch.device) -> None:
        super().__init__(layers=[])
        self.columns = Columns(device)
        self._most_rows = most_rows

    def join(self, prompts: Cache, lengths: Sequence[int]) -> None:
        """The rows of a cache that is padded on the left, behind those here."""
        at, layers = self.columns, prompts.layers
        while len(self.layers) < len(layers):
            self.layers.append(_Layer(at))
        self._make_room(max(lengths), at.rows + len(lengths))
        for number, length in enumerate(lengths):
            row, begin = at.rows, at.end - length
            for mine, other in zip(self.layers, layers, strict=True):
                mine.filled(row, other.keys[number, :, -length:], other.values[number, :, -length:])
            at.mask[row, :begin] = 0
            at.mask[row, begin:] = 1
            at.positions[row] = length
            at.first.append(begin)
            at.rows += 1
        at.start = min(at.first)

    def leave(self, row: int) -> None:
        """The last row takes its place."""
        at = self.columns
        last = at.rows - 1
        if row != last:
            for layer in self.layers:
                layer.put(last, row)
            at.mask[row] = at.mask[last]
            at.positions[row] = at.positions[last]
            at.first[row] = at.first[last]
        at.first.pop()
        at.rows = last
        at.start = min(at.first, default=at.end)

    def clear(self) -> None:
        at = self.columns
        at.rows, at.first, at.start = 0, [], at.end

    def reserve(self) -> None:
        """Room for one more column."""
        if self.columns.end >= self.columns.capacity:
            self._make_room(self.columns.length, self.columns.rows)

    def _make_room(self, length: int, rows: int) -> None:
        """For so many rows, of which any may be so long and a step longer."""
        at = self.columns
        needed = _needed(max(length, at.length))
        wasteful = at.rows == 0 and at.capacity > _SPARE * needed
        if length <= at.end < at.capacity and rows <= at.places and not wasteful:
            return
        places = min(self._most_rows, max(at.places, 1 << (rows - 1).bit_length()))
        capacity = needed if wasteful else max(at.capacity, needed)
        end = max(length, at.length)
        to = end - at.length
        for layer in self.layers:
            if layer.is_initialized:
                layer.moved(places, capacity, to)
        mask, positions = at.mask.new_ones((places, capacity)), at.positions.new_zeros((places, 1))
        for row in range(at.rows):
            at.first[row] += to - at.start
            mask[row, : at.first[row]] = 0
        positions[: at.rows] = at.positions[: at.rows]
        at.mask, at.positions = mask, positions
        at.start, at.end = to, end


def _needed(length: int) -> int:
    """Columns to make: what has moved must not have to move again soon."""
    return max(_COLUMNS, 1 << (length + length // 2).bit_length())
