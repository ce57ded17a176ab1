"""What the shell offers for the word being typed: commands, kinds, and names that the server has.

Click calls these while a line is completed, without running the command. Whatever goes wrong (no platform, a slow
cluster) just means that there is nothing to offer.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inferplane.kernel.errors import InferplaneError

if TYPE_CHECKING:
    from inferplane.cli.session import Session

# Longer than that nobody waits for a word.
SECONDS = 2.0
KINDS = (
    "isvc",
    "ig",
    "pods",
    "deploy",
    "svc",
    "httproutes",
    "servingruntimes",
    "clusterservingruntimes",
    "clusterstoragecontainers",
    "processimages",
    "configmaps",
    "secrets",
    "events",
    "namespaces",
    "nodes",
)


def kinds(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """The words that are typed most; every other kind is taken too."""
    return [one for one in KINDS if one.startswith(incomplete)]


def services(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return _names(ctx, "isvc", incomplete)


def graphs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return _names(ctx, "ig", incomplete)


def objects(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Of the kind that was typed before."""
    kind = ctx.params.get("kind")
    return _names(ctx, kind, incomplete) if isinstance(kind, str) else []


def namespaces(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    return _names(ctx, "namespaces", incomplete)


def _names(ctx: click.Context, kind: str, incomplete: str) -> list[str]:
    namespace = ctx.params.get("namespace")
    try:
        found = asyncio.run(_listed(_session(ctx), kind, namespace if isinstance(namespace, str) else None))
    except (InferplaneError, TimeoutError, OSError):
        return []
    return [one for one in found if one.startswith(incomplete)]


async def _listed(session: "Session", kind: str, namespace: str | None) -> list[str]:
    from inferplane.cli import discovery
    from inferplane.kernel.json import text_at

    async with asyncio.timeout(SECONDS), session.api() as api:
        resource = discovery.find(kind, await discovery.words(api))
        where = session.namespace(namespace) if resource.namespaced else ""
        listed = await api.list(resource, where)
    return sorted(text_at(one, "metadata", "name") for one in listed.items)


def _session(ctx: click.Context) -> "Session":
    """The one that was handed in, else the one that the global options of the line ask for."""
    from inferplane.cli.main import session_from

    root = ctx.find_root()
    if root.obj is not None:
        found: Session = root.obj
        return found
    kubeconfig, context = root.params.get("kubeconfig"), root.params.get("context")
    return session_from(kubeconfig if isinstance(kubeconfig, Path) else None, context or "")
