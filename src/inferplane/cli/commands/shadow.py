"""`inferplane shadow NAME --to OTHER --percent N`: requests to one service go to another one too."""

import asyncio
from contextlib import suppress

import click
import msgspec

from inferplane.cli import completing
from inferplane.cli.session import Session, run
from inferplane.cli.waiting import until
from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.controlplane.serving.conditions import SHADOW_READY
from inferplane.controlplane.serving.names import SHADOW
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.meta import Condition, ConditionStatus, condition
from inferplane.resources.serving.inferenceservice import InferenceService

PATIENCE = 10.0


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("--to", "target", shell_complete=completing.services, help="Who gets them too; its answers are dropped.")
@click.option("--percent", type=click.FloatRange(0, 100), help="Of the requests (default: 100).")
@click.option("--off", is_flag=True, help="No longer.")
@click.option("-n", "--namespace", help="Of both (default: default).")
@click.pass_obj
def shadow(
    session: Session, name: str, target: str | None, percent: float | None, off: bool, namespace: str | None
) -> None:
    """Send a share of a service's requests to another one too, whose answers are dropped.

    \b
      inferplane shadow iris --to iris-v2 --percent 20
      inferplane shadow iris --off

    Clients notice nothing of it. What the other service answers can be recorded and compared: `inferplane record`,
    `inferplane replay`. The same as the annotation inferplane.dev/shadow: "iris-v2=20" of the service.
    """
    if off == (target is not None) or (off and percent is not None):
        raise click.UsageError("say either --to NAME, with --percent, or --off")
    where = session.namespace(namespace)
    option = "" if where == "default" else f" -n {where}"
    with session.terminal.step("shadow", f"of {name}") as step:
        said = run(_shadow(session, name, where, target or "", 100 if percent is None else percent))
        step.end(said.message if said else "none: requests go to the service alone")
        if target and (said is None or said.status is not ConditionStatus.TRUE):
            why = said.message if said else "the controllers have said nothing yet"
            raise InferplaneError(
                f"inferenceservice/{name}: {why}",
                fix=f"what was asked stays, and is done once it can be; else inferplane shadow {name} --off{option}",
            )
    session.terminal.next(f"inferplane top{option}" if target else f"inferplane get isvc {name}{option}")


async def _shadow(session: Session, name: str, namespace: str, target: str, percent: float) -> Condition | None:
    """What the service says of its shadow, None without one."""
    annotations: dict[str, Json] = {SHADOW: f"{target}={percent:g}" if target else None}
    patch: JsonObject = {"metadata": {"annotations": annotations}}
    async with session.api() as api:
        before = _shown(await api.get(INFERENCE_SERVICE, name, namespace))
        await api.patch(INFERENCE_SERVICE, name, patch, namespace)
        return await _told(api, name, namespace, before, (target, percent)) if target else None


async def _told(
    api: Api, name: str, namespace: str, before: Condition | None, asked: tuple[str, float]
) -> Condition | None:
    """The condition, once it speaks of what is asked. None when nothing is said in time: no controllers run."""
    said: list[Condition] = []

    def speaks(body: JsonObject) -> bool:
        found = _shown(body)
        if found is not None and (found != before or _is_of(found, *asked)):
            said.append(found)
        return bool(said) and _is_of(said[-1], *asked)

    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await until(api, INFERENCE_SERVICE, namespace, speaks, fields=f"metadata.name={name}")
    return said[-1] if said else None


def _is_of(found: Condition, target: str, percent: float) -> bool:
    """Changing an annotation raises no generation: the words tell which value they are about."""
    if found.status is ConditionStatus.TRUE:
        return found.message.startswith(f"{percent:g} % ") and f" {target} " in found.message
    return target in found.message


def _shown(body: JsonObject) -> Condition | None:
    return condition(msgspec.convert(body, InferenceService).status.conditions, SHADOW_READY)
