"""`inferplane up` and `down`: the platform itself."""

from contextlib import ExitStack

import click

from inferplane.assembly.platform import DEFAULT_API_PORT, DEFAULT_GATEWAY_PORT
from inferplane.assembly.platform import down as stop
from inferplane.assembly.platform import up as start
from inferplane.assembly.platform import up_detached as start_detached
from inferplane.assembly.record import Platform
from inferplane.cli.session import Session


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return when it is ready; it runs on in the background.")
@click.option(
    "--port", default=DEFAULT_GATEWAY_PORT, show_default=True, help="The gateway's port; the next free one if taken."
)
@click.option("--api-port", default=DEFAULT_API_PORT, show_default=True, help="The API server's port, likewise.")
@click.pass_obj
def up(session: Session, detach: bool, port: int, api_port: int) -> None:
    """Start the platform: API server, controllers, node and gateway.

    In the foreground it runs until Ctrl-C, which stops everything it started. Only loopback can reach it.
    """
    terminal = session.terminal
    if detach:
        bring_up(session, port, api_port)
        terminal.next("inferplane apply -f FILE")
        return
    with ExitStack() as starting:
        step = starting.enter_context(terminal.step("platform", "starting"))

        def ready(platform: Platform) -> None:
            step.end(answers_at(platform))
            # Ends the step's line; `start` goes on until it is told to stop.
            starting.close()
            terminal.next("inferplane apply -f FILE   (in another terminal; Ctrl-C here stops everything)")

        start(session.home, gateway_port=port, api_port=api_port, on_progress=terminal.say, on_ready=ready)
        # Without effect when it was ready: its line has been written then.
        step.end("stopped before it was ready")
    terminal.say("stopped; nothing is left running")


def bring_up(session: Session, port: int, api_port: int) -> Platform:
    """Starts the platform in the background, with one line of progress."""
    with session.terminal.step("platform", "starting") as step:
        platform = start_detached(session.home, gateway_port=port, api_port=api_port, on_progress=session.terminal.say)
        step.end(answers_at(platform))
    return platform


def answers_at(platform: Platform) -> str:
    return f"API {platform.api} · gateway {platform.gateway}"


@click.command()
@click.pass_obj
def down(session: Session) -> None:
    """Stop the platform. What was applied is kept and serves again after the next  up."""
    with session.terminal.step("platform", "stopping") as step:
        was_running = stop(session.home, on_progress=step.update)
        step.end("stopped; nothing is left running" if was_running else "was not running")
    session.terminal.next("inferplane up")
