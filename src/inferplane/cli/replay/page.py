"""A replay's summary as one HTML page that needs nothing else: style and charts are in it, and no script. Pure.

Light or dark as the reader's system is. Charts are tables whose cells have bars, so that what is read aloud and what
is seen are the same figures.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from inferplane.cli.bench.report import duration
from inferplane.cli.replay.compare import Verdict, power_label
from inferplane.cli.replay.report import Heading, latencies, notes, outline
from inferplane.cli.replay.summary import Example, OutputSummary, Summary, Times

MOST_CLASSES = 40

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --page: #ffffff; --card: #f6f8fa; --line: #d0d7de;
  --good: #1a7f37; --bad: #b3261e; --one: #0072b2; --other: #b35900; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa4af; --page: #0d1117; --card: #161b22;
  --line: #30363d; --good: #3fb950; --bad: #ff7b72; --one: #56b4e9; --other: #f0a04b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p, dl { margin: .25rem 0; }
.dim { color: var(--dim); }
.verdict { font-size: 1.15rem; font-weight: 600; margin: 1.25rem 0; padding: .75rem 1rem; background: var(--card);
  border-left: .35rem solid; border-radius: .25rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
.verdict span { color: var(--ink); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--dim); padding-bottom: .35rem; }
th, td { padding: .3rem .75rem .3rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { font-weight: 600; }
td.bar { width: 55%; padding-right: 0; }
td.bar i { display: block; height: .8rem; min-width: 1px; background: var(--one); border-radius: .15rem; }
td.bar i + i { margin-top: .15rem; background: var(--other); }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .15rem; background: var(--one);
  margin: 0 .35rem 0 1rem; }
.key i.other { background: var(--other); }
article { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem 1rem;
  margin: .75rem 0; }
article h3 { margin: 0 0 .5rem; overflow-wrap: anywhere; }
dt { color: var(--dim); } dd { margin: 0 0 .35rem; }
code { font: .875rem/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
""".strip()


def page(heading: Heading, summary: Summary, allowed: float) -> str:
    """`allowed` is the share of different answers, from 0 to 1, up to which the replay is a success."""
    title = f"Replay of {heading.file}"
    parts = [
        _top(title, heading, summary, allowed),
        _answers(summary),
        *(_output(one) for one in summary.outputs),
        _latency(summary),
        _examples(summary.examples),
        _notes(notes(heading, summary)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"</body>\n</html>\n"
    )


def _top(title: str, heading: Heading, summary: Summary, allowed: float) -> str:
    tolerance = heading.tolerance
    return (
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="dim">{summary.exchanges:,} requests recorded of {escape(heading.source or "a model")}, sent to '
        f"{escape(heading.target)} ({escape(heading.load)}, {summary.rate:,.0f} a second). Tolerance: "
        f"{tolerance.relative:g} of the value, {tolerance.absolute:g} besides.</p>\n"
        f"{_judgement(summary, allowed)}"
    )


def _judgement(summary: Summary, allowed: float) -> str:
    if not summary.different:
        return f'<p class="verdict good">Same answers <span>to all of {summary.compared:,}</span></p>'
    good = summary.share <= allowed
    words = f"in {summary.different:,} of {summary.compared:,} ({summary.share:.2%}; {allowed:.2%} allowed)"
    return f'<p class="verdict {"good" if good else "bad"}">Answers differ <span>{words}</span></p>'


def _section(title: str, *parts: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already; the first of a row is its heading."""
    heads = "".join(f'<th scope="col">{one}</th>' for one in head)
    body = "\n".join(_row(cells) for cells in rows)
    return (
        f'<div class="scroll"><table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f'<tr><th scope="row">{first}</th>{"".join(map(_cell, rest))}</tr>'


def _cell(content: str) -> str:
    return f'<td class="bar">{content}</td>' if content.startswith("<i") else f"<td>{content}</td>"


def _bar(share: float) -> str:
    return f'<i style="width:{100 * share:.2f}%"></i>'


def _answers(summary: Summary) -> str:
    named = {
        Verdict.SAME: "the same",
        Verdict.CLOSE: "within the tolerance",
        Verdict.DIFFERENT: "different",
        Verdict.UNANSWERED: "without an answer",
        Verdict.NOT_COMPARED: "not compared",
    }
    total = summary.exchanges or 1
    rows = [
        (words, f"{count:,}", f"{count / total:.2%}", _bar(count / total))
        for verdict, words in named.items()
        if (count := summary.verdicts[verdict])
    ]
    parts = [_table("What became of the requests", ("Answer", "Requests", "Share", "Share as a bar"), rows)]
    if any(before != after for before, after in summary.statuses):
        statuses = [(escape(a), escape(b), f"{count:,}") for (a, b), count in summary.statuses.items()]
        parts.append(_table("HTTP statuses", ("Recorded", "Replayed", "Requests"), statuses))
    if summary.failures:
        failures = [(escape(reason), f"{count:,}") for reason, count in summary.failures.items()]
        parts.append(_table("Without an answer", ("Reason", "Requests"), failures))
    return _section("Answers", *parts)


def _output(one: OutputSummary) -> str:
    parts = [f"<p>{escape(outline(one))}.</p>"]
    if one.problems:
        rows = [(escape(problem), f"{count:,}") for problem, count in one.problems.items()]
        parts.append(_table("Another form than recorded", ("Problem", "Answers"), rows))
    if one.classes:
        parts.append(_classes(one))
    if one.spread and one.absolute:
        parts.append(_spread(one))
    return _section(f"Output {one.name}", *parts)


def _classes(one: OutputSummary) -> str:
    most = one.classes[0][1]
    shown = [
        (escape(before), escape(after), f"{count:,}", _bar(count / most))
        for (before, after), count in one.classes[:MOST_CLASSES]
    ]
    more = f" (the {MOST_CLASSES} most frequent of {len(one.classes):,})" if len(one.classes) > MOST_CLASSES else ""
    return _table(f"Classes that changed{more}", ("Recorded", "Replayed", "Rows", "Rows as a bar"), shown)


def _spread(one: OutputSummary) -> str:
    most = max(one.spread.values())
    rows = [
        (power_label(power), f"{count:,}", f"{count / one.values:.2%}", _bar(count / most))
        for power, count in one.spread.items()
    ]
    return _table("How far values are apart", ("Apart by", "Values", "Share", "Values as a bar"), rows)


def _latency(summary: Summary) -> str:
    rows = [tuple(map(escape, row)) for row in latencies(summary.recorded, summary.replayed)]
    if not rows:
        return ""
    parts = [_table("Time to an answer", ("", "Recorded", "Replayed", "Times as long"), rows)]
    if summary.recorded and summary.replayed:
        parts.append('<p class="key dim" aria-hidden="true"><i></i>recorded<i class="other"></i>replayed</p>')
        parts.append(_distribution(summary.recorded, summary.replayed))
    if summary.late:
        parts.append(f"<p>{summary.late:,} requests were sent late: no connection was free.</p>")
    return _section("Latency", *parts)


def _distribution(recorded: Times, replayed: Times) -> str:
    before, after = dict(recorded.buckets), dict(replayed.buckets)
    bounds = sorted(before.keys() | after.keys())
    shares = {bound: (before.get(bound, 0) / recorded.count, after.get(bound, 0) / replayed.count) for bound in bounds}
    most = max(max(pair) for pair in shares.values())
    rows = [
        (f"≤ {duration(bound)}", f"{one:.1%}", f"{other:.1%}", _bar(one / most) + _bar(other / most))
        for bound, (one, other) in shares.items()
    ]
    return _table("How times are distributed", ("Up to", "Recorded", "Replayed", "Shares as bars"), rows)


def _examples(examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    return _section("The largest differences", *(_example(one) for one in examples))


def _example(one: Example) -> str:
    bodies = {"Request": one.request, "Recorded": one.recorded, "Replayed": one.replayed}
    listed = "".join(f"<dt>{name}</dt><dd><code>{escape(text)}</code></dd>" for name, text in bodies.items() if text)
    title = f"Line {one.line}: {escape(one.words)}"
    path = f'<p class="dim"><code>{escape(one.path)}</code></p>'
    return f"<article>\n<h3>{title}</h3>\n{path}\n<dl>{listed}</dl>\n</article>"


def _notes(found: Sequence[str]) -> str:
    return _section("Notes", *_items(found)) if found else ""


def _items(found: Sequence[str]) -> Iterator[str]:
    yield "<ul>"
    yield from (f"<li>{escape(one)}</li>" for one in found)
    yield "</ul>"
