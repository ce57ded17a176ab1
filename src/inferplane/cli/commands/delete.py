"""`inferplane delete KIND NAME` or `-f FILE`"""

import asyncio

import click

from inferplane.cli import completing, discovery
from inferplane.cli.manifests import read_manifests
from inferplane.cli.session import Session, run
from inferplane.cli.waiting import until_gone
from inferplane.client.kubernetes.api import NotFound, Propagation, Resource
from inferplane.client.kubernetes.tables import CommandLine
from inferplane.kernel.errors import InferplaneError

Target = tuple[Resource, str, str]


@click.command()
@click.argument("kind", required=False, shell_complete=completing.kinds)
@click.argument("names", nargs=-1, shell_complete=completing.objects)
@click.option("-f", "--filename", help="Delete what this file, directory or standard input (-) describes.")
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Namespace (default: default).")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it and what it owns are gone.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait.")
@click.option("--ignore-not-found", is_flag=True, help="An object that is not there is no error.")
@click.pass_obj
def delete(
    session: Session,
    kind: str | None,
    names: tuple[str, ...],
    filename: str | None,
    namespace: str | None,
    wait: bool,
    timeout: float,
    ignore_not_found: bool,
) -> None:
    """Delete objects by name or by file, with all that they own: pods, routes, …

    \b
      inferplane delete isvc iris
      inferplane delete -f isvc.yaml
    """
    if kind and not names and "/" in kind:
        kind, _, name = kind.partition("/")
        names = (name,)
    if bool(filename) == bool(kind) or (kind and not names):
        raise click.UsageError("expected either KIND and NAME, or -f FILE")
    run(_delete(session, kind or "", names, filename or "", namespace, timeout if wait else 0.0, ignore_not_found))
    session.terminal.next("inferplane get isvc -A")


async def _delete(
    session: Session,
    kind: str,
    names: tuple[str, ...],
    filename: str,
    namespace: str | None,
    timeout: float,
    ignore_not_found: bool,
) -> None:
    async with session.api() as api:
        if filename:
            targets = await _from_files(api, filename, namespace, session)
        else:
            resource = discovery.find(kind, await discovery.words(api))
            targets = [(resource, name, session.namespace(namespace) if resource.namespaced else "") for name in names]
        for target in targets:
            await _delete_one(session, api, target, timeout, ignore_not_found)


async def _from_files(api: CommandLine, filename: str, namespace: str | None, session: Session) -> list[Target]:
    found: list[Target] = []
    for one in read_manifests(filename):
        resource = await discovery.resource_of(api, one.api_version, one.kind)
        where = one.namespace or session.namespace(namespace)
        found.append((resource, one.name, where if resource.namespaced else ""))
    # Last applied, first deleted: a namespace or a claim goes after what uses it.
    return found[::-1]


async def _delete_one(
    session: Session, api: CommandLine, target: Target, timeout: float, ignore_not_found: bool
) -> None:
    resource, name, namespace = target
    with session.terminal.step(f"{resource.kind.lower()}/{name}", "deleting") as step:
        # Foreground: the object stays until the garbage collector has removed what it owns, so that waiting means it.
        propagation = Propagation.FOREGROUND if timeout else Propagation.BACKGROUND
        try:
            await api.delete(resource, name, namespace, propagation=propagation)
            if timeout:
                await asyncio.wait_for(until_gone(api, resource, name, namespace), timeout)
        except NotFound:
            if not ignore_not_found:
                raise
            step.end("was not there")
            return
        except TimeoutError:
            raise InferplaneError(
                f"{resource.kind.lower()}/{name} is not gone after {timeout:g} s",
                fix=f"see its finalizers: inferplane get {resource.plural} {name} -o yaml",
            ) from None
        step.end("deleted" if timeout else "marked for deletion")
