"""`inferplane get KIND [NAME]`: what the server's table says, or the objects themselves."""

import click

from inferplane.cli import completing, discovery
from inferplane.cli.output import encoded, kind_and_name, without_managed_fields
from inferplane.cli.session import Session, run
from inferplane.cli.terminal import columns
from inferplane.client.kubernetes.api import Resource
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.client.kubernetes.tables import CommandLine, Table
from inferplane.kernel.json import Json, JsonObject


@click.command()
@click.argument("kind", shell_complete=completing.kinds)
@click.argument("name", required=False, shell_complete=completing.objects)
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Namespace (default: default).")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@click.option("-l", "--selector", default="", help="Only those with these labels: key=value,…")
@click.option("-o", "output", type=click.Choice(["json", "yaml", "name", "wide"]), help="Another form than the table.")
@click.pass_obj
def get(
    session: Session,
    kind: str,
    name: str | None,
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    output: str | None,
) -> None:
    """List objects, or show one. KIND as for kubectl: isvc, pods, deploy, svc, httproutes, clusterservingruntimes, …

    \b
      inferplane get isvc -A
      inferplane get isvc iris -o yaml
    """
    kind, name = _split(kind, name)
    if name and all_namespaces:
        raise click.UsageError("a NAME is of one namespace: leave out -A, or give -n NAMESPACE")
    where = "" if all_namespaces else session.namespace(namespace)
    run(_get(session, kind, name, where, selector, output))


def _split(kind: str, name: str | None) -> tuple[str, str]:
    """`isvc/iris` is `isvc iris`."""
    if name is None and "/" in kind:
        kind, _, name = kind.partition("/")
    return kind, name or ""


async def _get(session: Session, kind: str, name: str, namespace: str, selector: str, output: str | None) -> None:
    async with session.api() as api:
        resource = discovery.find(kind, await discovery.words(api))
        where = namespace if resource.namespaced else ""
        if output in ("json", "yaml", "name"):
            click.echo(await _objects(api, resource, name, where, selector, output))
            return
        table = await api.table(resource, where, name, labels=selector)
    if not table.rows:
        session.terminal.say(f"No {resource.plural} found{f' in namespace {where}' if where else ''}.")
    else:
        spread = resource.namespaced and not where
        click.echo("\n".join(columns(table_rows(table, wide=output == "wide", namespaces=spread))))
    session.terminal.next(_next(resource, table, where))


def table_rows(table: Table, *, wide: bool, namespaces: bool) -> list[list[str]]:
    """Head and rows; the NAMESPACE column comes first when objects of several are listed."""
    shown = [i for i, only_wide in enumerate(table.wide) if wide or not only_wide]
    head = [table.columns[i].upper() for i in shown]
    rows = [[row[i] for i in shown] for row in table.rows]
    if not namespaces:
        return [head, *rows]
    return [["NAMESPACE", *head], *([one, *row] for one, row in zip(table.namespaces, rows, strict=True))]


async def _objects(api: CommandLine, resource: Resource, name: str, namespace: str, selector: str, output: str) -> str:
    if name:
        found = [await api.get(resource, name, namespace)]
    else:
        found = (await api.list(resource, namespace, labels=selector)).items
    if output == "name":
        return "\n".join(kind_and_name(one) for one in found)
    shown: list[Json] = [without_managed_fields(one) for one in found]
    if name:
        return encoded(shown[0], output)
    listed: JsonObject = {"apiVersion": "v1", "kind": "List", "items": shown}
    return encoded(listed, output)


def _next(resource: Resource, table: Table, namespace: str) -> str:
    if resource.kind != INFERENCE_SERVICE.kind or not table.rows:
        return "inferplane get isvc -A" if table.rows else "inferplane apply -f FILE"
    ready = next((i for i, column in enumerate(table.columns) if column.lower() == "ready"), None)
    troubled = next((i for i, row in enumerate(table.rows) if ready is not None and row[ready] != "True"), None)
    at = troubled or 0
    name, of = table.rows[at][0], namespace or table.namespaces[at]
    where = "" if of in ("", "default") else f" -n {of}"
    return f"inferplane why {name}{where}" if troubled is not None else f"inferplane predict {name}{where} -d @FILE"
