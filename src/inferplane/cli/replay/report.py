"""A replay's summary as text for a terminal, and as JSON for programs. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from inferplane.cli.bench.report import bar, duration
from inferplane.cli.replay.compare import Tolerance, Verdict, power_label
from inferplane.cli.replay.summary import Example, OutputSummary, Summary, Times
from inferplane.cli.terminal import columns
from inferplane.kernel.json import Json, JsonObject

MOST_CLASSES = 8
_EXAMPLES = 3
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Heading:
    """What was replayed where: the file, what it was recorded from, where the requests went, and how."""

    file: str
    source: str
    target: str
    tolerance: Tolerance
    load: str
    notes: Sequence[str] = ()


def text(heading: Heading, summary: Summary) -> str:
    """Several lines, without a last line break."""
    blocks = [
        _head(heading, summary),
        list(_answers(summary)),
        *(list(_output(one)) for one in summary.outputs),
        list(_latency(summary)),
        list(_worst(summary.examples)),
        [f"note     {one}" for one in notes(heading, summary)],
    ]
    found = [_indented(block) for block in blocks[1:] if block]
    return "\n\n".join(["\n".join(blocks[0]), *found])


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"{_INDENT}{line}".rstrip() for line in lines)


def _head(heading: Heading, summary: Summary) -> list[str]:
    sent = f"sent in {duration(summary.seconds)} ({heading.load}, {summary.rate:,.0f} a second)"
    return [
        f"{heading.file}  ->  {heading.target}",
        f"{summary.exchanges:,} requests recorded of {heading.source or 'a model'}, {sent}",
    ]


def _answers(summary: Summary) -> Iterator[str]:
    named = {
        Verdict.SAME: "the same",
        Verdict.CLOSE: "within the tolerance",
        Verdict.DIFFERENT: "different",
        Verdict.UNANSWERED: "without an answer",
        Verdict.NOT_COMPARED: "not compared",
    }
    shown = [(verdict, words) for verdict, words in named.items() if summary.verdicts[verdict] or verdict in _ALWAYS]
    width = max(len(f"{summary.verdicts[verdict]:,}") for verdict, _ in shown)
    for position, (verdict, words) in enumerate(shown):
        count = summary.verdicts[verdict]
        share = f"{count / summary.exchanges:7.2%}" if summary.exchanges else ""
        yield f"{'answers' if not position else '':<9}{count:>{width},}  {share}  {words}"
    for (before, after), count in summary.statuses.items():
        if before not in (after, "-"):
            yield f"status   {count:,} of {before} are {after} now"
    for reason, count in summary.failures.items():
        yield f"failed   {count:,}: {reason}"


_ALWAYS = (Verdict.SAME, Verdict.DIFFERENT)


def _output(one: OutputSummary) -> Iterator[str]:
    yield f"output   {one.name}: {outline(one)}"
    for problem, count in one.problems.items():
        yield f"         {problem} in {count:,} answers"
    for (before, after), count in one.classes[:MOST_CLASSES]:
        yield f"         {count:>7,}  {before} -> {after}"
    if len(one.classes) > MOST_CLASSES:
        yield f"         … and {len(one.classes) - MOST_CLASSES:,} other pairs"
    if one.spread and one.absolute:
        most = max(one.spread.values())
        for power, count in one.spread.items():
            yield f"         {power_label(power):>8}  {bar(count / most)}  {count / one.values:7.2%}"


def outline(one: OutputSummary) -> str:
    """In one line."""
    if not one.values:
        return "nothing to compare" if not one.problems else "of another form"
    parts = [f"{one.values:,} values", f"{one.beyond:,} differ" if one.beyond else "none differs beyond the tolerance"]
    if one.rows and one.changed_rows:
        parts.append(f"the class changed in {one.changed_rows:,} of {one.rows:,} rows")
    if one.absolute and one.spread:
        relative = f" ({one.relative:.3g} of the value)" if one.relative else ""
        parts.append(f"at most {one.absolute:.3g} apart{relative}")
    return ", ".join(parts)


def _latency(summary: Summary) -> Iterator[str]:
    rows = latencies(summary.recorded, summary.replayed)
    if rows:
        yield from columns([("latency", "recorded", "replayed", ""), *rows])
    if summary.late:
        yield f"{summary.late:,} requests were sent late: no connection was free (see --concurrency)"


def latencies(recorded: Times | None, replayed: Times | None) -> list[tuple[str, str, str, str]]:
    """(which, recorded, replayed, how many times as long); empty cells for what is not known."""
    before, after = _figures(recorded), _figures(replayed)
    names = list(after or before)
    return [
        (name, _took(before.get(name)), _took(after.get(name)), _times_as_long(before.get(name), after.get(name)))
        for name in names
    ]


def _figures(times: Times | None) -> dict[str, float]:
    if times is None:
        return {}
    ranked = {f"p{percent:g}": value for percent, value in times.percentiles.items()}
    return {"mean": times.mean, **ranked, "max": times.slowest}


def _took(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def _times_as_long(before: float | None, after: float | None) -> str:
    return f"{after / before:.2f} ×" if before and after is not None else ""


def _worst(examples: Sequence[Example]) -> Iterator[str]:
    for position, one in enumerate(examples[:_EXAMPLES]):
        yield f"{'worst' if not position else '':<9}line {one.line}  {one.path}  {one.words}"
        yield f"         {one.request}"


def notes(heading: Heading, summary: Summary) -> list[str]:
    """What a reader of the figures has to know."""
    found = list(heading.notes)
    found += [f"{count:,} answers not compared: {words}" for words, count in summary.unread.items()]
    return found


# --- for programs -----------------------------------------------------------------------------------------------------


def document(heading: Heading, summary: Summary) -> JsonObject:
    """Times in milliseconds. Numbers that JSON has not (a difference without bound) are null."""
    return {
        "file": heading.file,
        "recordedFrom": heading.source,
        "target": heading.target,
        "tolerance": {"relative": heading.tolerance.relative, "absolute": heading.tolerance.absolute},
        "requests": summary.exchanges,
        "seconds": round(summary.seconds, 3),
        "requestsPerSecond": round(summary.rate, 1),
        "answers": {verdict.name.lower(): count for verdict, count in summary.verdicts.items()},
        "differentShare": summary.share,
        "statuses": [
            {"recorded": before, "replayed": after, "count": count}
            for (before, after), count in summary.statuses.items()
        ],
        "failures": dict(summary.failures),
        "outputs": [_output_document(one) for one in summary.outputs],
        "latencyMs": {"recorded": _times_document(summary.recorded), "replayed": _times_document(summary.replayed)},
        "late": summary.late,
        "examples": [_example_document(one) for one in summary.examples],
        "notes": [*notes(heading, summary)],
    }


def _output_document(one: OutputSummary) -> JsonObject:
    return {
        "name": one.name,
        "values": one.values,
        "beyondTolerance": one.beyond,
        "largestAbsolute": _finite(one.absolute),
        "largestRelative": _finite(one.relative),
        "rows": one.rows,
        "changedRows": one.changed_rows,
        "problems": dict(one.problems),
        "spread": [{"upTo": power_label(power), "count": count} for power, count in one.spread.items()],
        "classes": [{"recorded": before, "replayed": after, "count": count} for (before, after), count in one.classes],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _times_document(times: Times | None) -> Json:
    return {name: round(value * 1e3, 4) for name, value in _figures(times).items()} if times else None


def _example_document(one: Example) -> JsonObject:
    named: Mapping[str, Json] = {
        "line": one.line,
        "id": one.id,
        "path": one.path,
        "difference": one.words,
        "request": one.request,
        "recorded": one.recorded,
        "replayed": one.replayed,
    }
    return dict(named)
