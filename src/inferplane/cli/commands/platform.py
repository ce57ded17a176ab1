"""`inferplane up` and `down`: the platform itself."""

from contextlib import ExitStack
from typing import Any

import click

from inferplane.assembly.outside import DEFAULT_PORT, Asked
from inferplane.assembly.platform import DEFAULT_API_PORT, DEFAULT_GATEWAY_PORT, Options
from inferplane.assembly.platform import down as stop
from inferplane.assembly.platform import up as start
from inferplane.assembly.platform import up_detached as start_detached
from inferplane.assembly.record import Platform
from inferplane.cli.session import Session

_PREWARM = "Runtimes (sklearn, xgboost, …, all, none) whose libraries are imported now, not with their first service."


@click.command()
@click.option("-d", "--detach", is_flag=True, help="Return when it is ready; it runs on in the background.")
@click.option(
    "--port", default=DEFAULT_GATEWAY_PORT, show_default=True, help="The gateway's port; the next free one if taken."
)
@click.option("--api-port", default=DEFAULT_API_PORT, show_default=True, help="The API server's port, likewise.")
@click.option(
    "--listen",
    default="",
    metavar="ADDRESS[:PORT]",
    help=f"Let others reach the gateway there, too (port {DEFAULT_PORT}); they need TLS and a key or token.",
)
@click.option("--tls-cert", default="", metavar="FILE", help="Certificate chain for --listen, in PEM.")
@click.option("--tls-key", default="", metavar="FILE", help="Its key.")
@click.option("--api-keys", default="", metavar="FILE", help="Who may come in: lines  CLIENT KEY.")
@click.option("--jwt-issuer", default="", metavar="ISSUER", help="Or: who signs the JSON Web Tokens that let in.")
@click.option("--jwt-jwks", default="", metavar="FILE", help="The issuer's keys, a JSON Web Key Set.")
@click.option("--jwt-audience", multiple=True, metavar="NAME", help="Whom tokens must be meant for; may be repeated.")
@click.option("--prewarm", metavar="RUNTIME,…", help=_PREWARM)
@click.option("--unprivileged-pods", is_flag=True, help="As root: each pod runs as a user of its own.")
@click.pass_obj
def up(
    session: Session,
    /,
    detach: bool,
    port: int,
    api_port: int,
    prewarm: str | None,
    unprivileged_pods: bool,
    **outside: Any,
) -> None:
    """Start the platform: API server, controllers, node and gateway.

    In the foreground it runs until Ctrl-C, which stops everything it started. Only this machine can reach it, unless
    --listen opens the gateway to others; the API server stays on loopback.
    """
    terminal = session.terminal
    asked = Asked(**{_FIELDS.get(name, name): outside[name] for name in outside})
    options = Options(session.home, port, api_port, asked, unprivileged_pods, prewarm)
    if detach:
        bring_up(session, options)
        terminal.next("inferplane apply -f FILE")
        return
    with ExitStack() as starting:
        step = starting.enter_context(terminal.step("platform", "starting"))

        def ready(platform: Platform) -> None:
            step.end(answers_at(platform))
            # Ends the step's line; `start` goes on until it is told to stop.
            starting.close()
            terminal.next("inferplane apply -f FILE   (in another terminal; Ctrl-C here stops everything)")

        start(options, on_progress=terminal.say, on_ready=ready)
        # Without effect when it was ready: its line has been written then.
        step.end("stopped before it was ready")
    terminal.say("stopped; nothing is left running")


_FIELDS = {"jwt_audience": "jwt_audiences"}


def bring_up(session: Session, options: Options) -> Platform:
    """Starts the platform in the background, with one line of progress."""
    with session.terminal.step("platform", "starting") as step:
        platform = start_detached(options, on_progress=session.terminal.say)
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
