"""A run as a picture: load, requests in flight and pods over time; panic is shaded. Needs matplotlib."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from inferplane.controlplane.autoscaling.simulate import Frame, Run, Scenario, What
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.autoscaling_knative.annotations import CONCURRENCY
from inferplane.resources.autoscaling_knative.resolution import DeciderSpec

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# Of Okabe and Ito: told apart by everyone.
_BLUE, _ORANGE, _GREEN, _RED, _GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6b7280"
_FORMATS = (".png", ".svg", ".pdf")


def require(file: Path) -> None:
    """Raises InferplaneError when a picture cannot be made, before anything is computed."""
    if find_spec("matplotlib") is None:
        raise InferplaneError("--plot needs matplotlib", fix="pip install 'inferplane[plot]'")
    if file.suffix.lower() not in _FORMATS:
        raise InferplaneError(f"--plot {file}: expected a file that ends in {', '.join(_FORMATS)}")
    if not file.absolute().parent.is_dir():
        raise InferplaneError(f"--plot {file}: there is no directory {file.parent}")


@dataclass(frozen=True, slots=True)
class _Column:
    """What is drawn below each other; `wakes`: the times of cold starts."""

    title: str
    frames: Sequence[Frame]
    wakes: Sequence[float] = ()


def plot(file: Path, title: str, scenario: Scenario, run: Run, measured: Sequence[Frame] = ()) -> None:
    """With `measured` it stands beside the simulation, to the same scales."""
    from matplotlib.figure import Figure

    wakes = [one.t for one in run.events if one.what == What.WAKE]
    shown = [_Column("simulated" if measured else "", run.frames, wakes)]
    shown += [_Column("measured", measured)] if measured else []
    figure = Figure(figsize=(3 + 8 * len(shown), 7.5), dpi=150, layout="constrained")
    panels = figure.subplots(3, len(shown), sharex=True, sharey="row", squeeze=False, height_ratios=[1, 1.4, 1.6])
    name, _, rest = title.partition(": ")
    figure.suptitle(f"{name}\n", x=0.01, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.01, 0.945, rest, fontsize=8.5, color=_GREY)
    for at, column in enumerate(shown):
        _draw(list(panels[:, at]), column, scenario, max(one.wanted for some in shown for one in some.frames))
    for row in panels:
        _explain(list(row))
    figure.savefig(file)


def _draw(panels: "Sequence[Axes]", column: _Column, scenario: Scenario, peak: int) -> None:
    """`peak`: the most that is wanted in any column."""
    load, flight, pods = panels
    load.set_title(column.title, loc="left", fontsize=10)
    _load(load, column.frames)
    _in_flight(flight, scenario.spec, column.frames)
    _pods(pods, column, scenario.limits.max_scale, peak)
    for axes in panels:
        _dress(axes, column.frames)
    pods.set_xlabel("seconds")


def _explain(row: "Sequence[Axes]") -> None:
    """One legend for a row, right of it. Scales begin at 0, now that all is drawn that they are to show."""
    row[0].set_ylim(bottom=0)
    found: dict[str, Artist] = {}
    for axes in row:
        handles, labels = axes.get_legend_handles_labels()
        found.update(zip(labels, handles, strict=True))
    if found:
        place = (1.005, 1)
        row[-1].legend([*found.values()], [*found], loc="upper left", bbox_to_anchor=place, frameon=False, fontsize=8.5)


def _times(frames: Sequence[Frame]) -> list[float]:
    return [one.t - 1 for one in frames]


def _load(axes: "Axes", frames: Sequence[Frame]) -> None:
    times, rates = _times(frames), [one.rate for one in frames]
    axes.fill_between(times, rates, step="post", color=_GREY, alpha=0.25, linewidth=0)
    axes.step(times, rates, where="post", color=_GREY, linewidth=1.5)
    for n, (begin, end) in enumerate(_spans(frames, lambda one: one.through_activator)):
        axes.axvspan(begin, end, 0.96, 1, color=_RED, alpha=0.7, linewidth=0, label=None if n else "by the activator")
    axes.set_ylabel("requests / s")


def _in_flight(axes: "Axes", spec: DeciderSpec, frames: Sequence[Frame]) -> None:
    times = _times(frames)
    waiting, in_flight = [one.waiting for one in frames], [one.in_flight for one in frames]
    stable, panic = f"stable average ({spec.stable_window} s)", f"panic average ({spec.panic_window} s)"
    axes.fill_between(times, waiting, step="post", color=_RED, alpha=0.25, linewidth=0, label="waiting")
    axes.step(times, in_flight, where="post", color=_GREY, linewidth=1, label="in flight")
    for which, label, color, width in (("stable", stable, _BLUE, 2.0), ("panic", panic, _ORANGE, 1.5)):
        if any(getattr(one, which) is not None for one in frames):
            axes.plot(*_known(frames, which), color=color, linewidth=width, label=label)
    axes.set_ylabel("requests" if spec.metric == CONCURRENCY else "requests; averages a second")


def _known(frames: Sequence[Frame], which: str) -> tuple[list[float], list[float]]:
    """Without data a gap, which a line shows where a value is none."""
    return [one.t for one in frames], [_or_gap(getattr(one, which)) for one in frames]


def _or_gap(value: float | None) -> float:
    return float("nan") if value is None else value


def _pods(axes: "Axes", column: _Column, most: int, peak: int) -> None:
    from matplotlib.ticker import MaxNLocator

    times, ready = _times(column.frames), [one.ready for one in column.frames]
    wanted = [one.wanted for one in column.frames]
    beyond = 0 < most < peak
    axes.fill_between(times, ready, step="post", color=_GREEN, alpha=0.3, linewidth=0)
    axes.step(times, ready, where="post", color=_GREEN, linewidth=2, label="ready")
    words = f"wanted (up to {peak})" if beyond else "wanted"
    axes.step(times, wanted, where="post", color=_BLUE, linewidth=1.2, linestyle="--", label=words)
    if beyond:
        axes.axhline(most, color=_GREY, linewidth=1, linestyle=":", label=f"max-scale ({most})")
        axes.set_ylim(top=most * 1.5)
    if column.wakes:
        nothing = [0] * len(column.wakes)
        axes.plot(column.wakes, nothing, "^", color=_RED, markersize=7, clip_on=False, zorder=5, label="cold start")
    axes.set_ylabel("pods")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _dress(axes: "Axes", frames: Sequence[Frame]) -> None:
    for n, (begin, end) in enumerate(_spans(frames, lambda one: one.is_panicking)):
        axes.axvspan(begin, end, color=_ORANGE, alpha=0.12, linewidth=0, zorder=0, label=None if n else "panic")
    axes.set_xlim(0, frames[-1].t)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.label_outer(remove_inner_ticks=False)


def _spans(frames: Sequence[Frame], is_so: Callable[[Frame], bool]) -> Iterator[tuple[float, float]]:
    """Beginning and end of each time in which it is so."""
    for so, group in groupby(frames, key=is_so):
        some = list(group)
        if so:
            yield some[0].t - 1, some[-1].t
