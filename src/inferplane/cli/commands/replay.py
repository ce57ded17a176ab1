"""`inferplane replay FILE --to NAME|URL`: recorded requests to another model, whose answers are compared."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from inferplane.cli import completing
from inferplane.cli.bench.payload import wire
from inferplane.cli.bench.target import Place, place
from inferplane.cli.durations import Duration
from inferplane.cli.output import encoded
from inferplane.cli.replay import fit, report
from inferplane.cli.replay.compare import Tolerance
from inferplane.cli.replay.load import Pace
from inferplane.cli.replay.page import page
from inferplane.cli.replay.paths import model_of
from inferplane.cli.replay.records import Entry
from inferplane.cli.replay.report import Heading
from inferplane.cli.replay.run import Outcome, Recording
from inferplane.cli.replay.run import replay as run_replay
from inferplane.cli.replay.sending import Models, call_of
from inferplane.cli.session import Session
from inferplane.cli.terminal import Step
from inferplane.client.inference.errors import Refused, reason_of
from inferplane.client.inference.pool import Pool
from inferplane.client.inference.sync import Client
from inferplane.kernel.clock import SystemClock
from inferplane.kernel.errors import InferplaneError

_MISSED = 1


class Rate(click.ParamType[Pace]):
    """`500`, `recorded`, `2x` → how fast."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Pace:
        if isinstance(value, Pace):
            return value
        text = str(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(x?)", text)
        if text == "recorded":
            return Pace(speed=1.0)
        if found is None or not float(found[1]):
            self.fail(f"{text!r}: expected requests a second, `recorded`, or a multiple of it such as 2x", param, ctx)
        return Pace(speed=float(found[1])) if found[2] else Pace(rate=float(found[1]))


class Share(click.ParamType[float]):
    """`2%`, `2` → 0.02."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)%?", str(value).strip())
        if found is None or float(found[1]) > 100:
            self.fail(f"{value!r}: expected a percentage, such as 2%", param, ctx)
        return float(found[1]) / 100


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="NAME|URL", shell_complete=completing.services, help="Who is asked.")
@click.option("-n", "--namespace", help="Its namespace (default: default).")
@click.option("--model", help="The model's name there, when it is not told by the service.")
@click.option("--host", default="", help="The Host header, for a name that does not resolve.")
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), default=16, show_default=True, help="At a time.")
@click.option("--rate", type=Rate(), help="Requests a second; `recorded`: as they came; 2x: twice as fast.")
@click.option("--limit", type=click.IntRange(1), help="The first so many requests only.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=1e-5,
    show_default=True,
    help="How far numbers may be apart, as a share of the recorded one.",
)
@click.option(
    "--absolute-tolerance", type=click.FloatRange(0), default=1e-8, show_default=True, help="And how far besides."
)
@click.option("--allow", type=Share(), default="0%", show_default=True, help="Share of answers that may differ.")
@click.option("--timeout", type=Duration(), default="60s", show_default=True, help="For one answer.")
@click.option("--report", "html", type=click.Path(path_type=Path), help="The result as an HTML page, into this file.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="The result for programs.")
@click.pass_obj
def replay(  # one parameter an option
    session: Session,
    file: Path,
    to: str,
    namespace: str | None,
    model: str | None,
    host: str,
    concurrency: int,
    rate: Pace | None,
    limit: int | None,
    tolerance: float,
    absolute_tolerance: float,
    allow: float,
    timeout: float,
    html: Path | None,
    output: str | None,
) -> None:
    """Send recorded requests to a model and compare its answers with those recorded.

    \b
      inferplane record iris --out iris.jsonl --duration 60s
      inferplane replay iris.jsonl --to iris-v2 --report diff.html
      inferplane replay iris.jsonl --to http://localhost:8080 --tolerance 1e-3 --allow 2%

    The exit code is 1 when more answers differ than --allow says, so that a pipeline can stop.
    """
    pace = rate or Pace()
    pace = Pace(concurrency, pace.rate, pace.speed, timeout)
    if html is not None:
        _check_directory(html)
    with Recording(file) as recording, asyncio.Runner(loop_factory=_loop) as runner:
        entries = recording.index.entries[:limit]
        where = runner.run(place(session, to, namespace, model, host))
        with Client(where.url, host=where.host, timeout=timeout) as client:
            models = _models(client, recording, where, model)
            _check_fit(client, recording, entries[0], models)
        limits = Tolerance(tolerance, absolute_tolerance)
        with session.terminal.step("replay", f"{len(entries):,} requests") as step:
            outcome = runner.run(_replay(recording, entries, where, models, pace, limits, step))
    noted = (*recording.index.notes, *outcome.notes, *pace.notes())
    heading = Heading(str(file), ", ".join(recording.index.services), to, limits, pace.words(), noted)
    _tell(session, heading, outcome, allow, html, output)


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


def _check_directory(html: Path) -> None:
    if not html.absolute().parent.is_dir():
        raise InferplaneError(f"--report {html}: there is no directory {html.parent}")


# --- before anything is sent ------------------------------------------------------------------------------------------


def _models(client: Client, recording: Recording, where: Place, given: str | None) -> Models:
    """Who answers for what was asked of a model that is not there."""
    try:
        known = client.models()
    except Refused:
        # No list of models (V1) at this server: names stay as they are, but for one that the user says.
        return Models((), given or "")
    if given or len(known) == 1:
        return Models(() if given else known, given or known[0])
    recorded = {recording.exchange(one).path for one in recording.index.entries[:1]}
    return _among(known, where, recorded)


def _among(known: Sequence[str], where: Place, recorded: set[str]) -> Models:
    if where.model in known or all(model_of(one) in known for one in recorded):
        return Models(known, where.model if where.model in known else "")
    have = ", ".join(known) or "none"
    raise InferplaneError(f"{where.url} has these models: {have}", fix="choose one with --model")


def _check_fit(client: Client, recording: Recording, first: Entry, models: Models) -> None:
    """A refusal of the first request, together with inputs that are not the model's, is a file of another model."""
    exchange = recording.exchange(first)
    call = call_of(exchange, models)
    reply = client.exchange(call)
    was_fine = exchange.answer is not None and 200 <= exchange.answer.status < 300
    if not was_fine or reply.status < 400:
        return
    model = models.named(model_of(exchange.path)) or models.chosen
    try:
        takes = fit.wanted(client.metadata(model))
    except (InferplaneError, ValueError):
        takes = []
    given = fit.given(exchange)
    if fit.misfit(given, takes):
        source = ", ".join(recording.index.services) or "another model"
        raise InferplaneError(
            f"{recording.path} was recorded of {source}, which was sent {fit.described(given)}; model {model} takes "
            f"{fit.described(takes)}: {reason_of(reply.body, reply.status)}",
            fix="replay it to a model with these inputs",
        )


# --- sending ----------------------------------------------------------------------------------------------------------


async def _replay(
    recording: Recording,
    entries: Sequence[Entry],
    where: Place,
    models: Models,
    pace: Pace,
    tolerance: Tolerance,
    step: Step,
) -> Outcome:
    pool = Pool(where.url)
    host = where.host or pool.origin.authority

    def prepare(entry: Entry) -> bytes:
        call = call_of(recording.exchange(entry), models)
        return wire(call, pool.origin.path + call.path, host)

    progress = _Progress(step, len(entries))
    try:
        return await run_replay(recording, entries, pool, prepare, pace, tolerance, SystemClock(), progress.tick)
    finally:
        await pool.close()


@dataclass(slots=True)
class _Progress:
    step: Step
    total: int
    shown: int = 0

    def tick(self, done: int) -> None:
        """In steps of a tenth, so that a line that is printed at each change is not printed too often."""
        tenth = 10 * done // self.total
        if tenth > self.shown:
            self.shown = tenth
            self.step.update(f"{done:,} of {self.total:,} requests")


# --- telling ----------------------------------------------------------------------------------------------------------


def _tell(
    session: Session, heading: Heading, outcome: Outcome, allow: float, html: Path | None, output: str | None
) -> None:
    summary = outcome.summary
    if output == "json":
        click.echo(encoded(report.document(heading, summary), "json"))
    else:
        click.echo(report.text(heading, summary))
    if html is not None:
        _write(html, page(heading, summary, allow))
        session.terminal.say(f"written: {html}")
    if summary.share > allow:
        session.terminal.say(
            f"{summary.different:,} of {summary.compared:,} answers differ ({summary.share:.2%}; {allow:.2%} allowed)"
        )
        raise click.exceptions.Exit(_MISSED)
    if not output and html is None:
        session.terminal.next(f"inferplane replay {heading.file} --to {heading.target} --report diff.html")


def _write(html: Path, text: str) -> None:
    try:
        html.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InferplaneError(f"--report {html}: cannot be written: {error.strerror}") from error
