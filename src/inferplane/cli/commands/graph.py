"""`inferplane graph NAME`: what a graph does with a request, and which of its services are ready."""

import click

from inferplane.cli import completing
from inferplane.cli.graph.drawing import drawn
from inferplane.cli.graph.facts import Facts, document, facts
from inferplane.cli.output import encoded
from inferplane.cli.session import Session, run
from inferplane.client.kubernetes.api import NotFound
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH, INFERENCE_SERVICE
from inferplane.client.kubernetes.tables import CommandLine
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import text_at


@click.command()
@click.argument("name", shell_complete=completing.graphs)
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.option("-o", "--output", type=click.Choice(["json", "yaml"]), help="As a document, for programs.")
@click.pass_obj
def graph(session: Session, name: str, namespace: str | None, output: str | None) -> None:
    """Draw an inference graph: its nodes, weights and conditions, and which of its services are ready.

    \b
      ● an InferenceService that is ready     ✗ one that is not, with why
      ○ a URL, of which nothing is known here
    """
    name = name.removeprefix("inferencegraph/").removeprefix("ig/")
    where = session.namespace(namespace)
    found = run(_found(session, name, where))
    if output:
        click.echo(encoded(document(found), output))
        return
    click.echo("\n".join(drawn(found)))
    if found.is_ready:
        option = "" if where == "default" else f" -n {where}"
        session.terminal.next(f"inferplane predict ig/{name}{option} -d JSON")


async def _found(session: Session, name: str, namespace: str) -> Facts:
    async with session.api() as api:
        try:
            body = await api.get(INFERENCE_GRAPH, name, namespace)
        except NotFound as error:
            raise InferplaneError(
                f"there is no inferencegraph/{name} in namespace {namespace}", fix=await _others(api, namespace)
            ) from error
        services = await api.list(INFERENCE_SERVICE, namespace)
    return facts(body, services.items)


async def _others(api: CommandLine, namespace: str) -> str:
    found = await api.list(INFERENCE_GRAPH, namespace)
    names = sorted(text_at(one, "metadata", "name") for one in found.items)
    return f"there are: {', '.join(names)}" if names else "inferplane get ig -A shows those of all namespaces"
