"""`inferplane status` and `kubeconfig`: where the platform is and what runs of it."""

import click

from inferplane.cli.output import encoded
from inferplane.cli.session import NotRunning, Session
from inferplane.cli.terminal import columns
from inferplane.kernel.json import Json


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
