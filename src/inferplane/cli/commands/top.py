"""`inferplane top [NAME]`: what each service does now."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import click

from inferplane.cli.output import encoded
from inferplane.cli.session import Session, run
from inferplane.cli.top.collect import Reader
from inferplane.cli.top.compare import Row, rows
from inferplane.cli.top.render import document, table
from inferplane.cli.top.samples import Sample

_HOME_AND_CLEAR_BELOW = "\x1b[H\x1b[J"
_WHOLE_SCREEN, _SCREEN_AS_BEFORE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@click.command()
@click.argument("name", required=False, default="")
@click.option("-n", "--namespace", help="Namespace (default: default).")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@click.option("--once", is_flag=True, help="One table, as off a terminal.")
@click.option(
    "--interval", default=2.0, show_default=True, type=click.FloatRange(0.2), help="Seconds between two looks."
)
@click.option("-o", "output", type=click.Choice(["json", "yaml"]), help="For programs: one document.")
@click.pass_obj
def top(
    session: Session,
    name: str,
    namespace: str | None,
    all_namespaces: bool,
    once: bool,
    interval: float,
    output: str | None,
) -> None:
    """Show what each service does: replicas, requests a second, latency, CPU, memory.

    On a terminal the table is drawn again until Ctrl-C. Figures are of the time between two looks; P50 and P99 are of
    the model server's predict step, with what a request waited for it.

    \b
      inferplane top
      inferplane top iris --once -o json
    """
    name = name.removeprefix("inferenceservice/").removeprefix("isvc/")
    where = "" if all_namespaces else session.namespace(namespace)
    live = not (once or output) and sys.stdout.isatty()
    run(_watch(session, name, where, interval) if live else _once(session, name, where, interval, output))


async def _once(session: Session, name: str, namespace: str, interval: float, output: str | None) -> None:
    async with session.api() as api, aiohttp.ClientSession() as http:
        reader = Reader(api, namespace, name, _admin(session), http)
        before = await reader.read()
        await asyncio.sleep(interval)
        found = rows(before, await reader.read())
    if output:
        click.echo(encoded(document(found), output))
        return
    _print(session, found, name, namespace)


def _print(session: Session, found: list[Row], name: str, namespace: str) -> None:
    if not found:
        what = f"inferenceservice/{name}" if name else "services"
        session.terminal.say(f"No replicas of {what} found{f' in namespace {namespace}' if namespace else ''}.")
        session.terminal.next("inferplane get isvc -A")
        return
    click.echo("\n".join(table(found, namespaces=not namespace)))
    session.terminal.next(f"inferplane bench {found[0].name.service}")


async def _watch(session: Session, name: str, namespace: str, interval: float) -> None:
    """Until Ctrl-C. The screen is as it was before afterwards."""
    async with session.api() as api, aiohttp.ClientSession() as http:
        reader = Reader(api, namespace, name, _admin(session), http)
        before = await reader.read()
        sys.stdout.write(_WHOLE_SCREEN)
        try:
            while True:
                after = await reader.read()
                _draw(before, after, namespace)
                before = after
                await asyncio.sleep(interval)
        finally:
            sys.stdout.write(_SCREEN_AS_BEFORE)
            sys.stdout.flush()


def _draw(before: Sample, after: Sample, namespace: str) -> None:
    lines = table(rows(before, after), namespaces=not namespace)
    sys.stdout.write(_HOME_AND_CLEAR_BELOW + "\n".join([*lines, "", "Ctrl-C ends"]) + "\n")
    sys.stdout.flush()


def _admin(session: Session) -> Path | None:
    """The gateway's admin interface can be reached on this machine only."""
    return None if session.foreign else session.home.envoy_admin_socket
