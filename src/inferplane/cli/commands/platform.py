"""`inferplane up`, `down`, `status`, `kubeconfig`: the platform itself."""

from contextlib import ExitStack

import click

from inferplane.assembly.platform import DEFAULT_API_PORT, DEFAULT_GATEWAY_PORT, Platform
from inferplane.assembly.platform import down as stop
from inferplane.assembly.platform import up as start
from inferplane.assembly.platform import up_detached as start_detached
from inferplane.cli.output import encoded
from inferplane.cli.session import NotRunning, Session
from inferplane.cli.terminal import columns
from inferplane.kernel.json import Json


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
            step.update(answers_at(platform))
            # Ends the step's line; `start` goes on until it is told to stop.
            starting.close()
            terminal.next("inferplane apply -f FILE   (in another terminal; Ctrl-C here stops everything)")

        start(session.home, gateway_port=port, api_port=api_port, on_progress=terminal.say, on_ready=ready)
    terminal.say("stopped; nothing is left running")


def bring_up(session: Session, port: int, api_port: int) -> Platform:
    """Starts the platform in the background, with one line of progress."""
    with session.terminal.step("platform", "starting") as step:
        platform = start_detached(session.home, gateway_port=port, api_port=api_port, on_progress=session.terminal.say)
        step.update(answers_at(platform))
    return platform


def answers_at(platform: Platform) -> str:
    return f"API {platform.api} · gateway {platform.gateway}"


@click.command()
@click.pass_obj
def down(session: Session) -> None:
    """Stop the platform. What was applied is kept and serves again after the next  up."""
    with session.terminal.step("platform", "stopping") as step:
        was_running = stop(session.home, on_progress=step.update)
        step.update("stopped; nothing is left running" if was_running else "was not running")
    session.terminal.next("inferplane up")


@click.command()
@click.option("-o", "output", type=click.Choice(["json", "yaml"]), help="For programs.")
@click.pass_obj
def status(session: Session, output: str | None) -> None:
    """Say what runs and where it answers. Exit code 1 when the platform is not running."""
    platform = session.platform()
    if platform is None:
        raise NotRunning
    processes: dict[str, Json] = dict(platform.processes)
    if output:
        keys: dict[str, Json] = {"gateway": platform.gateway, "api": platform.api, "kubeconfig": platform.kubeconfig}
        click.echo(encoded({**keys, "home": platform.home, "processes": processes}, output))
        return
    rows = [("gateway", platform.gateway), ("api", platform.api), ("kubeconfig", platform.kubeconfig)]
    click.echo("\n".join(columns([*rows, ("home", platform.home)])))
    running = [(name, f"pid {pid}" if platform.alive(name) else "down") for name, pid in platform.processes.items()]
    click.echo("\n".join(columns(running)))
    session.terminal.next("inferplane get isvc -A")


@click.command()
@click.pass_obj
def kubeconfig(session: Session) -> None:
    """Print the path of the kubeconfig, for kubectl and other clients.

    \b
      export KUBECONFIG=$(inferplane kubeconfig); kubectl get isvc
    """
    path = session.kubeconfig or session.home.kubeconfig
    if not path.exists():
        raise NotRunning
    click.echo(path)
