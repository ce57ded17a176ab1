"""`inferplane apply -f FILE`: what a file describes comes to be, and is waited for."""

from dataclasses import dataclass
from pathlib import Path

import click

from inferplane.cli import discovery
from inferplane.cli.manifests import Manifest, read_manifests
from inferplane.cli.schema import FieldError, field_errors, field_names, located
from inferplane.cli.session import Session, run
from inferplane.cli.terminal import Step
from inferplane.cli.waiting import until_graph_ready, until_ready
from inferplane.cli.why.decide import Explanation
from inferplane.cli.why.render import render
from inferplane.client.kubernetes.api import ApiError, NotFound, Resource
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH, INFERENCE_SERVICE
from inferplane.client.kubernetes.tables import CommandLine
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, text_at

MANAGER = "inferplane-cli"
TIMEOUT_SECONDS = 120.0


@click.command()
@click.option(
    "-f", "--filename", "filenames", multiple=True, required=True, help="File, directory, or - for standard input."
)
@click.option("-n", "--namespace", help="For objects that name none (default: default).")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until services and graphs are ready.")
@click.option("--timeout", default=TIMEOUT_SECONDS, show_default=True, help="Seconds to wait for each.")
@click.option("--dry-run", is_flag=True, help="Only have the server check it.")
@click.pass_obj
def apply(
    session: Session, filenames: tuple[str, ...], namespace: str | None, wait: bool, timeout: float, dry_run: bool
) -> None:
    """Create or change what a YAML file describes, and wait until it serves.

    Unknown fields are refused with their line and the nearest name that exists. Exit code 1 when a service does not
    become ready; what stands in the way is shown.
    """
    manifests = [one for name in filenames for one in read_manifests(name)]
    plan = Plan(session.namespace(namespace), timeout if wait and not dry_run else 0.0, dry_run)
    applied = run(_apply(session, manifests, plan))
    if troubled := [one for one in applied if one.trouble is not None or one.words]:
        for one in troubled:
            click.echo("\n".join(render(one.trouble) if one.trouble else [one.words]), err=True)
        raise click.exceptions.Exit(1)
    session.terminal.next(_next(applied, filenames))


@dataclass(frozen=True, slots=True)
class Plan:
    """`timeout` is how long to wait for a service; 0 for not at all."""

    namespace: str
    timeout: float
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """`trouble` says why a service that was waited for is not ready; `words` say it of a graph."""

    resource: Resource
    name: str
    namespace: str
    trouble: Explanation | None = None
    words: str = ""


async def _apply(session: Session, manifests: list[Manifest], plan: Plan) -> list[Applied]:
    async with session.api() as api:
        return [await apply_one(session, api, one, plan) for one in manifests]


async def apply_one(session: Session, api: CommandLine, manifest: Manifest, plan: Plan) -> Applied:
    """Applies one object, with a line of progress. Raises InferplaneError that begins with file and line."""
    with session.terminal.step(f"{manifest.kind.lower()}/{manifest.name}", "applying") as step:
        resource, namespace, change = await put(api, manifest, plan)
        step.end(change)
        trouble = None
        if plan.timeout and resource.kind == INFERENCE_SERVICE.kind:
            trouble = await _wait(session, api, manifest.name, namespace, step, plan.timeout)
        words = ""
        if plan.timeout and resource.kind == INFERENCE_GRAPH.kind:
            words = await until_graph_ready(api, manifest.name, namespace, step=step, timeout=plan.timeout)
    return Applied(resource, manifest.name, namespace, trouble, words)


async def put(api: CommandLine, manifest: Manifest, plan: Plan) -> tuple[Resource, str, str]:
    """Applies one object: its resource, its namespace, and what happened (`created`, `changed` or `unchanged`)."""
    try:
        resource = await discovery.resource_of(api, manifest.api_version, manifest.kind)
    except discovery.UnknownKind as error:
        raise InferplaneError(f"{manifest.where('kind')}: {error.message}", fix=error.fix) from error
    namespace = (manifest.namespace or plan.namespace) if resource.namespaced else ""
    return resource, namespace, await _send(api, resource, manifest, namespace, plan)


async def _wait(
    session: Session, api: CommandLine, name: str, namespace: str, step: Step, timeout: float
) -> Explanation | None:
    platform = None if session.foreign else session.platform()
    trouble = await until_ready(api, name, namespace, platform=platform, step=step, timeout=timeout)
    if trouble is not None:
        step.end(f"{step.detail} → not ready")
        step.fail()
    return trouble


async def _send(api: CommandLine, resource: Resource, manifest: Manifest, namespace: str, plan: Plan) -> str:
    """`created`, `changed` or `unchanged`."""
    before = await _version(api, resource, manifest.name, namespace)
    try:
        answer = await api.apply_strict(resource, manifest.body, namespace, manager=MANAGER, dry_run=plan.dry_run)
    except ApiError as error:
        raise InferplaneError(await _explained(api, error, resource, manifest)) from error
    verb = (
        "created"
        if not before
        else "unchanged"
        if text_at(answer, "metadata", "resourceVersion") == before
        else "changed"
    )
    return f"would be {verb}" if plan.dry_run and verb != "unchanged" else verb


async def _version(api: CommandLine, resource: Resource, name: str, namespace: str) -> str:
    try:
        return text_at(await api.get(resource, name, namespace), "metadata", "resourceVersion")
    except NotFound:
        return ""


async def _explained(api: CommandLine, error: ApiError, resource: Resource, manifest: Manifest) -> str:
    """One line for each field that the server blames, where it stands in the file."""
    blamed = field_errors(error)
    if not blamed:
        return f"{manifest.where()}: {error.message}"
    document = await _openapi(api, resource) if any(one.unknown for one in blamed) else {}
    return "\n".join(located(one, manifest, _names(document, resource, one)) for one in blamed)


def _names(document: JsonObject, resource: Resource, error: FieldError) -> list[str]:
    return field_names(document, resource.group, resource.version, resource.kind, error.path)


async def _openapi(api: CommandLine, resource: Resource) -> JsonObject:
    root = "apis" if resource.group else "api"
    try:
        return await api.raw(f"/openapi/v3/{root}/{resource.api_version}")
    except ApiError:
        # Without it the line and the field are still right; only the suggestion is missing.
        return {}


def _next(applied: list[Applied], filenames: tuple[str, ...]) -> str:
    services = [one for one in applied if one.resource.kind == INFERENCE_SERVICE.kind]
    if graphs := [one for one in applied if one.resource.kind == INFERENCE_GRAPH.kind]:
        where = "" if graphs[0].namespace == "default" else f" -n {graphs[0].namespace}"
        return f"inferplane graph {graphs[0].name}{where}"
    if not services:
        return "inferplane get isvc -A"
    one = services[0]
    where = "" if one.namespace == "default" else f" -n {one.namespace}"
    requests = next((path for name in filenames if (path := Path(name).parent / "request-v1.json").is_file()), None)
    data = f"@{requests}" if requests else "JSON"
    return f"inferplane predict {one.name}{where} -d {data}"
