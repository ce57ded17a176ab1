"""`inferplane autoscaler`: what the autoscaler decides, without a platform."""

from pathlib import Path

import click
import msgspec

from inferplane.controlplane.autoscaling.replay import Replayed, differences, replay
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
    """Print what the autoscaler decides in a trace: one JSON line for each decision.

    `t` is the time in seconds, `valid` false where nothing is known of the load, `desired` the pods wanted, `ebc` the
    excess burst capacity, `stable` and `panic` the averages over both windows (null: no data). The line of a decision
    that a request to a service at zero asked for (a poke) has `"poke": true` besides.
    """
    found = read(_content(trace), str(trace))
    if check:
        _check(found, str(trace))
        return
    for one in replay(found):
        click.echo(msgspec.json.encode(_line(one)))


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
