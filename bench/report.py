"""A run as text: Markdown whose tables are lined up, so that a terminal shows them as well."""

import re
from collections.abc import Sequence

from bench.budgets import Verdict
from bench.cases import GATEWAY, Case, Load
from bench.launches import OURS
from bench.peers import LEFT_OUT
from bench.results import Results, Setting

_MET = {True: "met", False: "**not met**", None: "not known"}


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A Markdown table; the first row is its head, `right` the columns that are lined up on the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = (f"{'-' * (width - 1)}:" if column in right else "-" * width for column, width in enumerate(widths))
    return [line(rows[0]), f"| {' | '.join(rule)} |", *map(line, rows[1:])]


HEADING = "# The model server beside its peers"


def section(report: str, heading: str, text: str) -> str:
    """The report with `text`, which begins with the heading, in the place of that section, or at the end."""
    parts = [part for part in re.split(r"^(?=# )", report, flags=re.MULTILINE) if part.strip()]
    if not any(part.startswith(heading) for part in parts):
        parts.append(heading)
    return "\n".join(text if part.startswith(heading) else part.rstrip("\n") + "\n" for part in parts)


def document(results: Results, verdicts: Sequence[Verdict], setting: Setting) -> str:
    parts = [
        [HEADING],
        _how(results, setting),
        ["## Requests"],
        table(_request_rows(results), right=(1, 3, 4, 5, 6, 7)),
        ["## Start and memory"],
        table(_start_rows(results), right=(1, 2, 3)),
        _alone(results),
        ["## Budgets"],
        table([["budget", "expected", "got", ""], *([v.budget, v.expected, v.got, _MET[v.met]] for v in verdicts)]),
        _stumbles(results),
        _gaps(results),
        ["## Versions"],
        [f"- {name} {version}" for name, version in setting.versions.items()],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _how(results: Results, setting: Setting) -> list[str]:
    pressure = ", ".join(f"{value:.1f}" for value in results.pressure)
    return [
        f"Written by `{setting.command}`, {setting.date}. Medians of {results.rounds} rounds, in each of which every",
        "server has its turn in every case; one server under load at a time, one process for the model,",
        "`OMP_NUM_THREADS=1`. Load comes from other processes on the same machine: wrk, and h2load for gRPC. All",
        "servers have the same model files, and each one's answer was held against the model's before it was timed.",
        "Ratios are medians of the rounds' ratios. CPU seconds are those of all the server's processes; behind the",
        "gateway, of the whole platform.",
        "",
        *(f"- {name}: {value}" for name, value in setting.machine.items()),
        f"- load average before each round: {pressure}",
        *([f"- {setting.note}"] if setting.note else ()),
    ]


def _request_rows(results: Results) -> list[Sequence[str]]:
    head = ["case", "conn.", "server", "req/s", "p50 ms", "p99 ms", "CPU s / 1,000", "Inferplane is"]
    rows = [
        _request_row(results, case, load, server)
        for case in results.cases
        for load in case.loads
        for server in case.servers
    ]
    return [head, *rows]


def _request_row(results: Results, case: Case, load: Load, server: str) -> Sequence[str]:
    figures, ours = results.figures(case, load, server), results.figures(case, load, OURS)
    begin = [case.name, str(load), server]
    if figures is None:
        return [*begin, "–", "–", "–", "–", ""]
    ratio = f"{ours.over(figures):.1f} ×" if ours and server not in (OURS, GATEWAY) else ""
    times = [f"{value:.2f}" for value in (figures.p50, figures.p99)]
    return [*begin, f"{figures.rate:,.0f}", *times, f"{figures.cpu:.3f}", ratio]


def _start_rows(results: Results) -> list[Sequence[str]]:
    rows = [
        [server, f"{start.seconds:.2f}", f"{start.memory:.0f}", _mebibytes(results.grown.get(server))]
        for server, start in results.starts.items()
    ]
    return [["server", "first right answer, s", "private memory then, MiB", "after the load, MiB"], *rows]


def _mebibytes(memory: float | None) -> str:
    return "–" if memory is None else f"{memory:.0f}"


def _alone(results: Results) -> list[str]:
    if results.alone is None:
        return []
    return [
        f"`import inferplane`: {results.alone.package:.0f} ms. A process that imports joblib and scikit-learn's SVC:",
        f"{results.alone.library:.2f} s. A bare `predict` of the two rows: {results.alone.predict:.3f} ms.",
    ]


def _stumbles(results: Results) -> list[str]:
    stumbles = [f"- {server}, {case}: {reason}" for (case, server), reason in results.stumbled.items()]
    return ["## First answers that failed, second ones right", "", *stumbles] if stumbles else []


def _gaps(results: Results) -> list[str]:
    """What was not measured, and why."""
    gaps = [f"- {server}: {reason}" for server, reason in results.missing.items()]
    gaps += [f"- {server}, {case}: {reason}" for (case, server), reason in results.absent.items()]
    gaps += [f"- {names}: {reason}" for names, reason in LEFT_OUT.items()]
    return ["## Not measured", "", *gaps]
