"""`inferplane logs NAME`: what a service's processes write."""

import asyncio
import sys
from dataclasses import dataclass

import click

from inferplane.cli import completing
from inferplane.cli.session import Session, run
from inferplane.cli.why.collect import SERVICE_LABEL
from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE, POD
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, text_at

MODEL_CONTAINER = "kserve-container"


@click.command()
@click.argument("name", shell_complete=completing.services)
@click.option("-n", "--namespace", shell_complete=completing.namespaces, help="Its namespace (default: default).")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written.")
@click.option("-p", "--previous", is_flag=True, help="Of the process before the present one (after a crash).")
@click.option("-c", "--container", default="", help="Of this container (default: the model's).")
@click.option("--tail", type=click.IntRange(min=0), help="Only the last so many lines.")
@click.pass_obj
def logs(
    session: Session,
    name: str,
    namespace: str | None,
    follow: bool,
    previous: bool,
    container: str,
    tail: int | None,
) -> None:
    """Print what a service's processes write. NAME is an InferenceService, or pod/NAME.

    With several pods each line begins with its pod's name.
    """
    wanted = Wanted(follow, previous, container, tail)
    run(_logs(session, name, session.namespace(namespace), wanted))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines."""

    follow: bool = False
    previous: bool = False
    container: str = ""
    tail: int | None = None


async def _logs(session: Session, name: str, namespace: str, wanted: Wanted) -> None:
    async with session.api() as api:
        pods = await _pods(api, name, namespace)
        prefixed = len(pods) > 1
        work = (
            _print(api, pod, namespace, wanted, f"{text_at(pod, 'metadata', 'name')}: " if prefixed else "")
            for pod in pods
        )
        await asyncio.gather(*work)


async def _pods(api: Api, name: str, namespace: str) -> list[JsonObject]:
    """The pods of a service, or the one named by `pod/NAME`."""
    if name.startswith("pod/"):
        return [await api.get(POD, name.removeprefix("pod/"), namespace)]
    name = name.removeprefix("inferenceservice/").removeprefix("isvc/")
    pods = (await api.list(POD, namespace, labels=f"{SERVICE_LABEL}={name}")).items
    if not pods:
        await api.get(INFERENCE_SERVICE, name, namespace)  # says so when there is no such service
        raise InferplaneError(f"inferenceservice/{name} has no pods", fix=f"see why: inferplane why {name}")
    return pods


def container_of(pod: JsonObject, wanted: str) -> str:
    """The container asked for, else the model's, else the first."""
    names = [text_at(one, "name") for one in list_at(pod, "spec", "containers") if isinstance(one, dict)]
    if wanted:
        return wanted
    return MODEL_CONTAINER if MODEL_CONTAINER in names else next(iter(names), "")


async def _print(api: Api, pod: JsonObject, namespace: str, wanted: Wanted, prefix: str) -> None:
    name, container = text_at(pod, "metadata", "name"), container_of(pod, wanted.container)
    chunks = api.logs(
        name, namespace, container=container, follow=wanted.follow, previous=wanted.previous, tail=wanted.tail
    )
    rest = b""
    async for chunk in chunks:
        if not prefix:
            _write(chunk)
            continue
        # Whole lines only, so that those of several pods don't mix.
        *lines, rest = (rest + chunk).split(b"\n")
        _write(b"".join(prefix.encode() + line + b"\n" for line in lines))
    if rest:
        _write(prefix.encode() + rest + b"\n")


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
