"""`inferplane rollout NAME`: which revision has which share, and the change that gives it another."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec

from inferplane.cli import completing
from inferplane.cli.output import encoded
from inferplane.cli.progress import is_ready
from inferplane.cli.rollout.collect import collect, rollout_of
from inferplane.cli.rollout.facts import COMPONENTS, Component, Rollout
from inferplane.cli.rollout.plan import Change, component_of, promote, rollback, share
from inferplane.cli.rollout.render import document, table
from inferplane.cli.session import Session, run
from inferplane.cli.waiting import until
from inferplane.cli.why.facts import Service
from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject

TIMEOUT_SECONDS = 120.0
Wanted = Callable[[Component], Change]


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.option("--promote", "promoted", is_flag=True, help="All requests to the newest revision.")
@click.option("--rollback", "rolled_back", is_flag=True, help="All requests to the revision before.")
@click.option("--percent", type=click.IntRange(0, 100), help="So many percent of them to the newest revision.")
@click.option(
    "--component", type=click.Choice(COMPONENTS), default=COMPONENTS[0], show_default=True, help="Whose revisions."
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until requests go so.")
@click.option("--timeout", default=TIMEOUT_SECONDS, show_default=True, help="Seconds to wait.")
@click.option("-o", "output", type=click.Choice(["json", "yaml"]), help="For programs.")
@click.pass_obj
def rollout(
    session: Session,
    name: str,
    namespace: str | None,
    promoted: bool,
    rolled_back: bool,
    percent: int | None,
    component: str,
    wait: bool,
    timeout: float,
    output: str | None,
) -> None:
    """Show the revisions of a service with their shares of the requests, or change them (Knative mode).

    \b
      inferplane rollout iris
      inferplane rollout iris --percent 50
      inferplane rollout iris --promote
      inferplane rollout iris --rollback
    """
    if promoted + rolled_back + (percent is not None) > 1:
        raise click.UsageError("--promote, --rollback and --percent exclude each other")
    name = name.removeprefix("inferenceservice/").removeprefix("isvc/")
    wanted: Wanted | None = promote if promoted else rollback if rolled_back else None
    if percent is not None:
        wanted = lambda of: share(of, percent)  # noqa: E731  # it is one of three
    found = run(_rollout(session, name, session.namespace(namespace), component, wanted, timeout if wait else 0.0))
    if output:
        click.echo(encoded(document(found), output))
        return
    click.echo("\n".join(table(found, datetime.now(UTC))))
    session.terminal.next(_next(found, component))


async def _rollout(
    session: Session, name: str, namespace: str, component: str, wanted: Wanted | None, timeout: float
) -> Rollout:
    async with session.api() as api:
        found = await collect(api, name, namespace)
        chosen = component_of(found, component)
        if wanted is None:
            return found
        await _change(session, api, found, wanted(chosen), timeout)
        return await collect(api, name, namespace)


async def _change(session: Session, api: Api, found: Rollout, change: Change, timeout: float) -> None:
    words = ", ".join(f"{share} % to {name}" for name, share in change.shares.items())
    with session.terminal.step(f"inferenceservice/{found.name}", words):
        body = await api.patch(INFERENCE_SERVICE, found.name, change.patch, found.namespace)
        if timeout:
            await _until_shared(api, body, change, timeout)


async def _until_shared(api: Api, body: JsonObject, change: Change, timeout: float) -> None:
    """Returns when the status says that requests are shared so."""
    asked = rollout_of(body)
    only = f"metadata.name={asked.name}"
    try:
        async with asyncio.timeout(timeout):
            await until(api, INFERENCE_SERVICE, asked.namespace, lambda one: _is_shared(one, change), fields=only)
    except TimeoutError:
        raise InferplaneError(
            f"inferenceservice/{asked.name}: requests are not shared so after {timeout:g} s",
            fix=f"see why: inferplane why {asked.name}",
        ) from None


def _is_shared(body: JsonObject, change: Change) -> bool:
    there = rollout_of(body).components[change.component].shares() == change.shares
    return there and is_ready(msgspec.convert(body, Service))


def _next(found: Rollout, name: str) -> str:
    component, where = found.components[name], "" if found.namespace == "default" else f" -n {found.namespace}"
    if component.failure():
        return f"inferplane why {found.name}{where}"
    if component.percent is None or not component.stable:
        return f"inferplane predict {found.name}{where} -d @FILE"
    return f"inferplane rollout {found.name}{where} {'--percent 10' if component.percent == 0 else '--promote'}"
