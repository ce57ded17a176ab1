"""`inferplane why NAME`: the chain of causes when a service is not ready."""

import click

from inferplane.cli import completing
from inferplane.cli.session import Session, run
from inferplane.cli.why.collect import collect
from inferplane.cli.why.decide import Explanation, decide
from inferplane.cli.why.reasons import meaning
from inferplane.cli.why.render import render
from inferplane.client.kubernetes.api import ServerUnreachable
from inferplane.kernel.errors import InferplaneError


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.pass_obj
def why(session: Session, name: str, namespace: str | None) -> None:
    """Say in words why a service is not ready, and what to do.

    Looks at the service, its Deployment, pods, routes, events and last log lines, and at the platform's processes.
    Exit code 0 when the service is fine, 1 when it is not. A reason of a condition or an event, such as
    NoReadyEndpoints, is explained in NAME's place.
    """
    if (found := meaning(name)) is not None:
        click.echo(f"{name}: {found.words}")
        if found.fix:
            click.echo(f"  fix   {found.fix}")
        return
    kind, slash, graph = name.partition("/")
    if slash and kind in ("ig", "inferencegraph"):
        raise InferplaneError(f"a graph says it in its drawing: inferplane graph {graph}")
    name = name.removeprefix("inferenceservice/").removeprefix("isvc/")
    explanation = run(explain(session, name, session.namespace(namespace)))
    click.echo("\n".join(render(explanation)))
    if not explanation.fine:
        raise click.exceptions.Exit(1)


async def explain(session: Session, name: str, namespace: str) -> Explanation:
    """Raises NotRunning, and InferplaneError that names the dead process when the API server does not answer."""
    platform = None if session.foreign else session.platform()
    try:
        async with session.api() as api:
            return decide(await collect(api, name, namespace, platform))
    except ServerUnreachable as error:
        if platform is None:
            raise
        dead = [one for one in platform.processes if platform.alive(one) is None]
        if not dead:
            raise
        raise InferplaneError(
            f"the API server does not answer, because the platform's {' and '.join(dead)} is down",
            fix="it is started again by itself; if it stays down, see  inferplane status",
        ) from error
