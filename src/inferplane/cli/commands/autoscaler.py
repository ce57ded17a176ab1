"""`inferplane autoscaler`: what the autoscaler decides, without a platform."""

import shutil
from pathlib import Path

import click
import msgspec

from inferplane.cli.durations import Duration
from inferplane.cli.manifests import read_manifests
from inferplane.cli.output import encoded
from inferplane.cli.session import Session
from inferplane.cli.simulation import measured as measured_run
from inferplane.cli.simulation import report
from inferplane.cli.simulation.chart import chart
from inferplane.cli.simulation.plot import plot, require
from inferplane.cli.simulation.subject import Subject, subject_of
from inferplane.controlplane.autoscaling.curves import Curve, CurveError
from inferplane.controlplane.autoscaling.curves import parse as parse_load
from inferplane.controlplane.autoscaling.replay import Replayed, differences, replay
from inferplane.controlplane.autoscaling.simulate import Run, Scenario
from inferplane.controlplane.autoscaling.simulate import simulate as run_scenario
from inferplane.controlplane.autoscaling.traces import Trace, TraceError, read
from inferplane.kernel.json import JsonObject


@click.group()
def autoscaler() -> None:
    """Replay recorded load, or simulate what a service would do under a load.

    \b
      inferplane autoscaler replay trace.json
      inferplane autoscaler simulate -f isvc.yaml --load "0:10,60:200,120:0" --plot out.png
    """


@autoscaler.command(name="replay")
@click.argument("trace", type=click.Path(path_type=Path))
@click.option(
    "--check", is_flag=True, help="Instead: say what is not as the trace recorded it; exit code 1 if anything."
)
def replay_command(trace: Path, check: bool) -> None:
    """Print each decision of a trace as a JSON line.

    `t` is the time in seconds, `valid` false where nothing is known of the load, `desired` the pods wanted, `ebc` the
    excess burst capacity, `stable` and `panic` the averages over both windows (null: no data). The line of a decision
    that a request to a service at zero asked for (a poke) has `"poke": true` besides.
    """
    found = read(_content(trace), str(trace))
    if check:
        _check(found, str(trace))
        return
    for one in replay(found):
        click.echo(msgspec.json.encode(_line(one)).decode())


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TraceError(f"{file}: {error.strerror}") from error


def _line(one: Replayed) -> JsonObject:
    verdict, load = one.verdict, one.load
    line: JsonObject = {
        "t": one.step.t,
        "valid": verdict is not None,
        "desired": verdict.desired if verdict else 0,
        "ebc": verdict.excess_burst_capacity if verdict else 0,
        "stable": load.stable if load else None,
        "panic": load.panic if load else None,
    }
    return line | {"poke": True} if one.step.poke else line


def _check(trace: Trace, file: str) -> None:
    found = differences(trace)
    for line in found:
        click.echo(f"{file}: {line}")
    if found:
        raise click.exceptions.Exit(1)
    click.echo(f"{file}: {sum(1 for _ in replay(trace))} decisions, all as recorded")


@autoscaler.command()
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    required=True,
    help="File with an InferenceService or a Knative Service; also for runtimes and the ConfigMap config-autoscaler.",
)
@click.option("--load", required=True, help="Points seconds:requests-a-second, or a CSV file of two columns.")
@click.option("--ramp", is_flag=True, help="Between points the load goes in straight lines, not in steps.")
@click.option("--duration", type=Duration(), default="100ms", show_default=True, help="What a request takes in a pod.")
@click.option("--startup", type=Duration(), default="1s", show_default=True, help="From a new pod to a ready one.")
@click.option(
    "--parallel",
    type=click.IntRange(min=1),
    help="Requests that a pod works on at a time (default: containerConcurrency; any number without one).",
)
@click.option("--replicas", type=click.IntRange(min=0), help="Ready at the beginning (default: min-scale).")
@click.option("--until", type=Duration(), help="When to stop (default: when the load has ended and it may be at zero).")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw it into a file: .png, .svg or .pdf.")
@click.option("--beside", type=click.Path(path_type=Path), help="For --plot: a real run's seconds, drawn beside it.")
@click.option("--name", default="", help="Of the service, where the files have several.")
@click.option("--component", default="", help="predictor, transformer or explainer.")
@click.option("-n", "--namespace", help="For objects that name none (default: default).")
@click.option("-o", "output", type=click.Choice(["json", "yaml"]), help="Everything, for programs.")
@click.pass_obj
def simulate(
    session: Session,
    filenames: tuple[str, ...],
    load: str,
    ramp: bool,
    duration: float,
    startup: float,
    parallel: int | None,
    replicas: int | None,
    until: float | None,
    picture: Path | None,
    beside: Path | None,
    name: str,
    component: str,
    namespace: str | None,
    output: str | None,
) -> None:
    """Say what the autoscaler would do with a service under a load.

    \b
      inferplane autoscaler simulate -f isvc.yaml --load "0:10,60:200,120:0" --startup 50ms --plot out.png

    Decisions, bounds and the way to zero are the platform's own, over made-up time; an InferenceService is taken as it
    would be in Knative mode. Made up are the pods: set what a request takes, how many a pod works on, and how long it
    takes to start.
    """
    if picture:
        require(picture)
    measured = measured_run.read(beside) if beside else []
    manifests = [one for file in filenames for one in read_manifests(file)]
    subject = subject_of(manifests, namespace or "default", name, component)
    curve = _curve(load, ramp)
    scenario = Scenario(
        spec=subject.spec,
        limits=subject.limits,
        load=curve,
        until=until or _until(subject, curve),
        duration=duration,
        slots=subject.container_concurrency if parallel is None else parallel,
        startup=startup,
        timeout=subject.timeout,
        replicas=subject.limits.min_scale if replicas is None else replicas,
    )
    run = run_scenario(scenario)
    if output:
        click.echo(encoded(report.document(subject, scenario, run), output))
    else:
        _show(subject, scenario, run)
    if picture:
        plot(picture, report.heading(subject, scenario), scenario, run, measured)
        session.terminal.say(f"drawn: {picture}")
    if not output:
        session.terminal.next(f"inferplane apply {' '.join(f'-f {one}' for one in filenames)}")


def _curve(load: str, is_ramp: bool) -> Curve:
    if ":" in load:
        return parse_load(load, "--load", is_ramp=is_ramp)
    try:
        return parse_load(Path(load).read_text(), load, is_ramp=is_ramp)
    except FileNotFoundError as error:
        raise CurveError(f"--load {load}: no such file, and no points such as 0:10,60:200,120:0") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CurveError(f"--load {load}: {error}") from error


def _until(subject: Subject, load: Curve) -> float:
    """Long enough to see the service settle; at zero where it may go there."""
    limits = subject.limits
    settled = load.end + 2 * subject.spec.stable_window + subject.spec.scale_down_delay
    idle = load.points[-1][1] == 0 and limits.scale_to_zero and not limits.min_scale
    return settled + (max(limits.grace_period, limits.retention_period) if idle else 0.0)


def _show(subject: Subject, scenario: Scenario, run: Run) -> None:
    width = min(140, shutil.get_terminal_size().columns)
    blocks = (
        [report.heading(subject, scenario)],
        chart(run.frames, width),
        report.timeline(run),
        report.summary(run),
    )
    click.echo("\n\n".join("\n".join(one) for one in blocks))
