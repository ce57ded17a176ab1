"""`inferplane render -f FILE`: the objects that a cluster would get for the services and graphs in files."""

import click

from inferplane.cli.manifests import Manifest, read_manifests
from inferplane.cli.offline import graphs
from inferplane.cli.offline.checking import check
from inferplane.cli.offline.rendering import children
from inferplane.cli.offline.world import is_service, world_of
from inferplane.cli.output import documents
from inferplane.kernel.errors import InferplaneError


@click.command()
@click.option(
    "-f",
    "--filename",
    "filenames",
    multiple=True,
    required=True,
    help="File, directory, or - for standard input; also for runtimes and the ConfigMap inferenceservice-config.",
)
@click.option("-n", "--namespace", help="For objects that name none (default: default).")
@click.option("--mode", type=click.Choice(["Standard", "Knative"]), help="Instead of the one that they ask for.")
@click.option("-o", "output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def render(filenames: tuple[str, ...], namespace: str | None, mode: str | None, output: str) -> None:
    """Print the objects that a cluster would get for a YAML file.

    As they are once everything is ready: canaries with their shares, in Knative mode with the way in to the first
    revisions. Owner references are left out, so that the output can be applied by itself.
    """
    where = namespace or "default"
    manifests = [one for name in filenames for one in read_manifests(name)]
    if not any(is_service(one) or graphs.is_graph(one) for one in manifests):
        raise InferplaneError(f"{', '.join(filenames)}: no InferenceService there to render, and no InferenceGraph")
    _refuse_faults(manifests, where)
    world = world_of(manifests, where)
    made = [body for one in manifests if is_service(one) for body in children(one, world, where, mode or "")]
    for one in manifests:
        if graphs.is_graph(one):
            made += graphs.children(one, manifests, world, where, mode or "")
    click.echo(documents(made, output))


def _refuse_faults(manifests: list[Manifest], namespace: str) -> None:
    found = check(manifests, namespace)
    for one in found:
        click.echo(str(one), err=True)
    if any(one.is_error for one in found):
        raise click.exceptions.Exit(1)
