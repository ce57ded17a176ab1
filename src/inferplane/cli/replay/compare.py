"""Two answers to one request → what is different about the second. Pure.

Numbers are the same within a tolerance: |recorded - replayed| <= absolute + relative * |recorded| (numpy's `isclose`);
NaN equals NaN. Whole numbers, booleans and texts are classes: the same or not. Of a table of floats (rows of scores)
the column with the largest value is compared as a class too, as what a client makes of it.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inferplane.cli.replay.answers import Output, Outputs, Unreadable, outputs_of
from inferplane.cli.replay.records import Answer
from inferplane.inference.tensors import Array

EXACT = -400
"""The exponent that stands for a difference of nothing; below the smallest that a float has."""
_BEYOND = 400


@dataclass(frozen=True, slots=True)
class Tolerance:
    relative: float = 1e-5
    absolute: float = 1e-8


class Verdict(StrEnum):
    SAME = "same"
    CLOSE = "close"
    DIFFERENT = "different"
    UNANSWERED = "unanswered"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Change:
    """One output in both answers. `problem` says what is wrong with its form; then nothing else is compared.

    `spread`: how many values differ by up to ten to the power of the key; `classes`: (recorded, replayed) → rows.
    """

    output: str
    problem: str = ""
    values: int = 0
    beyond: int = 0
    absolute: float = 0.0
    relative: float = 0.0
    rows: int = 0
    changed_rows: int = 0
    at: tuple[int, ...] = ()
    words: str = ""
    spread: Counter[int] = field(default_factory=Counter)
    classes: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def differs(self) -> bool:
        return bool(self.problem or self.beyond)


@dataclass(frozen=True, slots=True)
class Difference:
    """`words` say it in one line, empty when there is none."""

    verdict: Verdict
    changes: tuple[Change, ...] = ()
    words: str = ""


def compared(recorded: Answer, replayed: Answer, tolerance: Tolerance) -> Difference:
    if recorded.status != replayed.status:
        return Difference(Verdict.DIFFERENT, words=f"status {recorded.status}, now {replayed.status}")
    if not 200 <= recorded.status < 300:
        # Refused both times; how a refusal is worded is not what the model says.
        return Difference(Verdict.SAME)
    try:
        before = outputs_of(recorded)
    except Unreadable as error:
        return Difference(Verdict.NOT_COMPARED, words=f"the recorded answer is {error}")
    try:
        after = outputs_of(replayed)
    except Unreadable as error:
        return Difference(Verdict.DIFFERENT, words=f"the answer is {error}")
    return _judged(tuple(_changes(before, after, tolerance)))


def _judged(changes: tuple[Change, ...]) -> Difference:
    worst = next((one for one in changes if one.problem), None) or max(
        changes, key=lambda one: (one.beyond > 0, one.changed_rows, one.absolute), default=None
    )
    if worst is None or not any(one.differs or one.absolute for one in changes):
        return Difference(Verdict.SAME, changes)
    if not any(one.differs for one in changes):
        return Difference(Verdict.CLOSE, changes)
    return Difference(Verdict.DIFFERENT, changes, f"{worst.output}{worst.words and ' '}{worst.words or worst.problem}")


def _changes(before: Outputs, after: Outputs, tolerance: Tolerance) -> list[Change]:
    found = [_change(name, one, after.get(name), tolerance) for name, one in before.items()]
    return found + [_formed(name, "is new") for name in after if name not in before]


def _formed(output: str, problem: str) -> Change:
    return Change(output, problem=problem, words=problem)


def _change(name: str, before: Output, after: Output | None, tolerance: Tolerance) -> Change:
    if after is None:
        return _formed(name, "is missing")
    one, other = before.values, after.values
    if one.shape != other.shape:
        return _formed(name, f"has shape {_sizes(other)}, had {_sizes(one)}")
    if before.datatype != after.datatype:
        return _formed(name, f"is {after.datatype}, was {before.datatype}")
    if _is_class(one) != _is_class(other) and not (_is_number(one) and _is_number(other)):
        return _formed(name, f"is {_kind(other)}, was {_kind(one)}")
    if _is_class(one) and _is_class(other):
        return _classes(name, one, other)
    return _numbers(name, one, other, tolerance)


def _sizes(values: Array) -> str:
    return str(list(values.shape))


def _is_class(values: Array) -> bool:
    return values.dtype.kind in "biuOSU"


def _is_number(values: Array) -> bool:
    return values.dtype.kind in "iuf"


def _kind(values: Array) -> str:
    kinds = {"b": "boolean", "i": "a whole number", "u": "a whole number", "f": "a number"}
    return kinds.get(values.dtype.kind, "text")


# --- classes ----------------------------------------------------------------------------------------------------------


def _classes(name: str, one: Array, other: Array) -> Change:
    differ = np.asarray(one != other, dtype=bool)
    beyond = int(np.count_nonzero(differ))
    at = _first(differ)
    size = 0.0
    if beyond and _is_number(one) and _is_number(other):
        size = float(np.max(np.abs(one.astype(np.float64) - other.astype(np.float64))))
    pairs = zip(one[differ].tolist(), other[differ].tolist(), strict=True)
    return Change(
        name,
        values=one.size,
        beyond=beyond,
        absolute=size,
        rows=one.size,
        changed_rows=beyond,
        at=at,
        words=_words(one, other, at) if beyond else "",
        classes=Counter((_text(a), _text(b)) for a, b in pairs),
    )


def _text(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _first(differ: Array) -> tuple[int, ...]:
    if not differ.any():
        return ()
    return tuple(int(one) for one in np.unravel_index(int(np.argmax(differ)), differ.shape))


def _words(one: Array, other: Array, at: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, at))}]: {_text(one[at])}, now {_text(other[at])}" if one.size else ""


# --- numbers ----------------------------------------------------------------------------------------------------------


def _numbers(name: str, recorded: Array, replayed: Array, tolerance: Tolerance) -> Change:
    one, other = recorded.astype(np.float64), replayed.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        gap = np.abs(one - other)
        gap[(one == other) | (np.isnan(one) & np.isnan(other))] = 0.0
        # A number that is one no longer, or has become one, is as far off as can be.
        gap[np.isnan(gap)] = np.inf
        beyond = gap > tolerance.absolute + tolerance.relative * np.nan_to_num(np.abs(one), posinf=0.0)
        # Of nothing there are no shares.
        shares = np.where((gap == 0) | (one == 0), 0.0, gap / np.abs(one))
    worst = _place_of_largest(gap)
    tops = _tops(one, other)
    return Change(
        name,
        values=one.size,
        beyond=int(np.count_nonzero(beyond)),
        absolute=float(gap.max(initial=0.0)),
        relative=float(np.nanmax(shares, initial=0.0)),
        rows=one.shape[0] if tops is not None else 0,
        changed_rows=sum(tops.values()) if tops else 0,
        at=worst,
        words=_words(recorded, replayed, worst),
        spread=_spread(gap),
        classes=tops or Counter(),
    )


def _place_of_largest(gap: Array) -> tuple[int, ...]:
    if not gap.size:
        return ()
    return tuple(int(one) for one in np.unravel_index(int(np.argmax(gap)), gap.shape))


def _tops(one: Array, other: Array) -> Counter[tuple[str, str]] | None:
    """Rows of scores: which column was largest, and which is now, where these differ. None where there are no rows."""
    if one.ndim != 2 or one.shape[1] < 2 or not one.size:
        return None
    before, after = np.argmax(one, axis=1), np.argmax(other, axis=1)
    changed = before != after
    pairs = zip(before[changed].tolist(), after[changed].tolist(), strict=True)
    return Counter((f"column {a}", f"column {b}") for a, b in pairs)


def _spread(gap: NDArray[np.float64]) -> Counter[int]:
    flat = gap.ravel()
    found: Counter[int] = Counter()
    if equal := int(np.count_nonzero(flat == 0)):
        found[EXACT] = equal
    rest = flat[flat > 0]
    if rest.size:
        exponents = np.full(rest.shape, _BEYOND, dtype=np.int64)
        finite = np.isfinite(rest)
        exponents[finite] = np.ceil(np.log10(rest[finite]) - 1e-9).astype(np.int64)
        powers, counts = np.unique(exponents, return_counts=True)
        found.update({int(power): int(count) for power, count in zip(powers, counts, strict=True)})
    return found


def power_label(power: int) -> str:
    """`0`, `≤ 1e-6`, `∞`."""
    if power == EXACT:
        return "0"
    return "∞" if power == _BEYOND else f"≤ {math.pow(10, power):g}" if -4 <= power <= 4 else f"≤ 1e{power}"
