"""A run as lines of text: load, requests in flight and pods over time, as wide as the terminal."""

from collections.abc import Callable, Sequence
from math import ceil

from inferplane.controlplane.autoscaling.simulate import Frame

_LEVELS = " ▁▂▃▄▅▆▇█"
_LABEL = 11
_SCALE = 12


def chart(frames: Sequence[Frame], width: int) -> list[str]:
    """A line of bars for each figure, the highest at its end; a column is the largest of its seconds."""
    columns = _columns(frames, max(10, width - _LABEL - _SCALE))
    return [
        _bars("req/s", columns, lambda one: one.rate),
        _bars("in flight", columns, lambda one: one.in_flight),
        _bars("waiting", columns, lambda one: one.waiting),
        _bars("wanted", columns, lambda one: one.wanted),
        _bars("ready", columns, lambda one: one.ready),
        _marks("panic", columns, lambda one: one.is_panicking),
        _marks("activator", columns, lambda one: one.through_activator),
        _axis(columns),
    ]


def _columns(frames: Sequence[Frame], width: int) -> list[Sequence[Frame]]:
    size = max(1, ceil(len(frames) / width))
    return [frames[at : at + size] for at in range(0, len(frames), size)]


def _bars(label: str, columns: Sequence[Sequence[Frame]], figure: Callable[[Frame], float]) -> str:
    values = [max(map(figure, one)) for one in columns]
    peak = max(values, default=0)
    # What is there at all has a bar, however small.
    levels = (_LEVELS[ceil(value / peak * (len(_LEVELS) - 1)) if value > 0 else 0] for value in values)
    return f"{label:<{_LABEL}}{''.join(levels)}  {peak:g}" if peak else f"{label:<{_LABEL}}{' ' * len(values)}  0"


def _marks(label: str, columns: Sequence[Sequence[Frame]], is_so: Callable[[Frame], bool]) -> str:
    return f"{label:<{_LABEL}}{''.join('━' if any(map(is_so, one)) else ' ' for one in columns)}".rstrip()


def _axis(columns: Sequence[Sequence[Frame]]) -> str:
    """Times at the columns where they begin, as many as there is room for."""
    line = ""
    for at, column in enumerate(columns):
        if at % 15 == 0:
            line = f"{line:<{at}}{column[0].t - 1:g}s"
    return " " * _LABEL + line
