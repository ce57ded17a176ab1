"""`inferplane tour`: what `make run` does."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from inferplane.assembly.platform import DEFAULT_API_PORT, DEFAULT_GATEWAY_PORT
from inferplane.cli.interrupts import end_as_interrupt
from inferplane.cli.session import Session
from inferplane.cli.terminal import standard_terminal
from inferplane.cli.tour import Ports, find_example
from inferplane.cli.tour import tour as take


@click.command()
@click.option("--once", is_flag=True, help="Stop after the answers.")
@click.option("--example", type=click.Path(path_type=Path, file_okay=False), help="Another example's directory.")
@click.option(
    "--port", default=DEFAULT_GATEWAY_PORT, show_default=True, help="The gateway's port; the next free one if taken."
)
@click.option("--api-port", default=DEFAULT_API_PORT, show_default=True, help="The API server's port, likewise.")
@click.pass_obj
def tour(session: Session, once: bool, example: Path | None, port: int, api_port: int) -> None:
    """Start everything, deploy the first example and send it requests.

    Stays until Ctrl-C, then stops what it started. Exit code 1 when the example does not answer.
    """
    end_as_interrupt()
    found = find_example(example, Path.cwd())
    # Here the progress is the output.
    shown = replace(session, terminal=standard_terminal(sys.stdout))
    if not take(shown, found, Ports(port, api_port), once=once):
        raise click.exceptions.Exit(1)
