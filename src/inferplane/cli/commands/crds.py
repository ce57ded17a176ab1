"""`inferplane crds`: our CustomResourceDefinitions, for a cluster."""

import click

from inferplane.cli.output import documents
from inferplane.kernel.json import text_at
from inferplane.resources.crds import all_crds

_GATEWAY_API = "gateway.networking.k8s.io"


@click.command()
@click.option("--gateway-api", is_flag=True, help="Those of Gateway API too, for a cluster that has none.")
@click.option("-o", "output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def crds(gateway_api: bool, output: str) -> None:
    """Print the CustomResourceDefinitions that a cluster needs.

    \b
      inferplane crds | kubectl apply --server-side -f -
    """
    found = [one for one in all_crds() if gateway_api or text_at(one, "spec", "group") != _GATEWAY_API]
    click.echo(documents(found, output))
