"""`inferplane validate -f FILE`: what is wrong with objects in files, without a cluster."""

import click

from inferplane.cli.manifests import read_manifests
from inferplane.cli.offline.checking import check
from inferplane.cli.offline.findings import documents
from inferplane.cli.output import encoded
from inferplane.cli.session import Session
from inferplane.cli.why.words import plural


@click.command()
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, help="File, directory, or - for standard input."
)
@click.option("-n", "--namespace", help="For objects that name none (default: default).")
@click.option("-o", "output", type=click.Choice(["json", "yaml"]), help="Findings for programs.")
@click.pass_obj
def validate(session: Session, filenames: tuple[str, ...], namespace: str | None, output: str | None) -> None:
    """Say what is wrong with a YAML file, without a cluster.

    Fields and types by the schemas of their kinds, every rule of the controllers, and whether a runtime serves the
    model: the default runtimes and configuration count, and those among the files. A finding is one line with file,
    line and field. Exit code 1 when a cluster would refuse an object or could not serve it.
    """
    manifests = [one for name in filenames for one in read_manifests(name)]
    found = check(manifests, namespace or "default")
    if output:
        click.echo(encoded(documents(found), output))
    else:
        for one in found:
            click.echo(str(one))
    errors = sum(one.is_error for one in found)
    if errors:
        session.terminal.say(f"{plural(errors, 'error')} in {plural(len(manifests), 'object')}.")
        raise click.exceptions.Exit(1)
    session.terminal.say(f"{plural(len(manifests), 'object')}, no errors.")
    if not output:
        session.terminal.next(f"inferplane render {' '.join(f'-f {one}' for one in filenames)}")
