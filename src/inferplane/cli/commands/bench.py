"""`inferplane bench NAME|URL`: load on an endpoint, and what it made of it."""

import asyncio

import click

from inferplane.cli import completing
from inferplane.cli.bench import grpc_load, http_load, report, target
from inferplane.cli.bench.http_load import Shape
from inferplane.cli.bench.payload import PROTOCOLS
from inferplane.cli.bench.tally import Load, Tally, summary
from inferplane.cli.bench.target import Place, Request
from inferplane.cli.durations import Duration
from inferplane.cli.output import encoded
from inferplane.cli.session import Session
from inferplane.cli.terminal import Step
from inferplane.client.inference import calls
from inferplane.client.inference.errors import reason_of
from inferplane.client.inference.sync import Client
from inferplane.kernel.errors import InferplaneError


@click.command()
@click.argument("name", metavar="NAME|URL", shell_complete=completing.services)
@click.option("-c", "--concurrency", type=click.IntRange(1, 10_000), default=16, show_default=True, help="Connections.")
@click.option("-t", "--duration", type=Duration(), default="10s", show_default=True, help="How long to measure.")
@click.option("--warmup", type=Duration(), default="1s", show_default=True, help="Load before measuring.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second; without it as many as go."
)
@click.option("--protocol", type=click.Choice(PROTOCOLS), help="Default: that of the body, else v2.")
@click.option("-d", "--data", help="The request: JSON, @FILE, or - for standard input. Default: made from metadata.")
@click.option(
    "--batch", type=click.IntRange(1), default=1, show_default=True, help="Rows of a request that is made up."
)
@click.option("--timeout", type=Duration(), default="60s", show_default=True, help="For one answer.")
@click.option("-n", "--namespace", help="Its namespace (default: default).")
@click.option("--model", help="The model's name, when it is not the service's.")
@click.option("--host", default="", help="The Host header, for a name that does not resolve.")
@click.option("--grpc-address", default="", help="host:port for --protocol grpc (default: the URL's).")
@click.option("-o", "--output", type=click.Choice(["json"]), help="The result for programs.")
@click.pass_obj
def bench(  # one parameter an option
    session: Session,
    name: str,
    concurrency: int,
    duration: float,
    warmup: float,
    rate: float | None,
    protocol: str | None,
    data: str | None,
    batch: int,
    timeout: float,
    namespace: str | None,
    model: str | None,
    host: str,
    grpc_address: str,
    output: str | None,
) -> None:
    """Load-test a service or an endpoint.

    \b
      inferplane bench iris
      inferplane bench http://localhost:8080 --model iris -c 64 -t 30s
      inferplane bench iris --rate 500 -d '{"instances": [[6.8, 2.8, 4.8, 1.4]]}'
    """
    with asyncio.Runner(loop_factory=_loop) as runner:
        place = runner.run(target.place(session, name, namespace, model, host))
        client = Client(place.url, host=place.host, timeout=timeout)
        with client:
            place = target.named(place, client)
            request = target.request(client, place.model, protocol, data, batch)
            if request.protocol != "grpc":
                # What does not work is not worth measuring; and the first answer is the slow one.
                calls.succeeded(client.exchange(request.call))
        shape = Shape(concurrency, duration, warmup, rate, timeout)
        with session.terminal.step("load", f"{concurrency} connections, {duration:g} s") as step:
            load, sample = runner.run(_load(place, request, shape, grpc_address, step))
    _report(session, place, request, load, sample, rate, output)


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()


async def _load(place: Place, request: Request, shape: Shape, grpc_address: str, step: Step) -> tuple[Load, bytes]:
    def tick(passed: float, tally: Tally) -> None:
        if passed >= 1:
            rate = len(tally.latencies) / passed
            step.update(f"{int(passed)} of {shape.duration:g} s, {_rounded(rate)} requests a second")

    if request.protocol == "grpc":
        address = grpc_address or place.url.partition("://")[2].partition("/")[0]
        return await grpc_load.load(address, place.host, request.message, shape, tick)
    return await http_load.load(target.http_target(place, request.call), shape, tick)


def _rounded(rate: float) -> str:
    """To three digits, so that a line that is printed at each change is not printed too often."""
    return f"{float(f'{rate:.2g}'):,.0f}"


def _report(
    session: Session,
    place: Place,
    request: Request,
    load: Load,
    sample: bytes,
    rate: float | None,
    output: str | None,
) -> None:
    result = summary(load, rate=rate)
    url = place.url + request.call.path
    if output == "json":
        click.echo(encoded(report.document(result, url, request.protocol, load.tally.received), "json"))
    else:
        size = len(request.call.body) or len(request.message)
        click.echo(report.text(result, f"{request.protocol}  {url}  {size:,} bytes a request", load.tally.received))
    if result.good < result.requests and sample:
        session.terminal.say(f"an answer that was no success: {reason_of(sample, 0)}")
    if not result.good:
        reasons = ", ".join(result.failures) or ", ".join(result.statuses) or "no answer in the time measured"
        raise InferplaneError(f"{url}: no request succeeded: {reasons}", fix="try one: inferplane predict")
