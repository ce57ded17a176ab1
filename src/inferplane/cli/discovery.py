"""The words a user may say for a kind (`isvc`, `deploy`, `inferenceservices.serving.kserve.io`) and what they mean.

The server's discovery documents go in, a `Resource` comes out; a word that fits none gets the nearest ones.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from inferplane.client.kubernetes.api import NotFound, Resource
from inferplane.client.kubernetes.discovery import group_versions
from inferplane.client.kubernetes.tables import CommandLine
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, list_at, text_at


@dataclass(frozen=True, slots=True)
class Word:
    """A kind and every name it goes by."""

    resource: Resource
    names: tuple[str, ...]


class UnknownKind(InferplaneError):
    """No kind of the server goes by this word."""


async def words(api: CommandLine) -> list[Word]:
    """Every kind of the server once, core group first, each in the first version of its group that has it."""
    groups = await api.raw("/apis")
    paths = ["/api/v1", *(f"/apis/{one}" for one in group_versions(groups))]
    documents = await asyncio.gather(*(api.raw(path) for path in paths))
    found: dict[tuple[str, str], Word] = {}
    for word in (word for document in documents for word in words_of(document)):
        found.setdefault((word.resource.group, word.resource.plural), word)
    return list(found.values())


def words_of(document: JsonObject) -> list[Word]:
    """The kinds of one `APIResourceList`, subresources left out."""
    group, _, version = text_at(document, "groupVersion").rpartition("/")
    return [_word(group, version, one) for one in _objects(document, "resources") if "/" not in text_at(one, "name")]


def find(word: str, known: Iterable[Word]) -> Resource:
    """The kind called `word`: plural, singular, short name or Kind, with or without its group. Raises UnknownKind."""
    known = list(known)
    wanted, _, group = word.lower().partition(".")
    for one in known:
        # `deployments.apps` and `deployments.v1.apps` are both kubectl's.
        here = one.resource
        if wanted in one.names and group in ("", here.group, f"{here.version}.{here.group}"):
            return here
    near = get_close_matches(wanted, sorted({name for one in known for name in one.names}), n=1)
    fix = f"did you mean {near[0]}?" if near else "see  kubectl api-resources"
    raise UnknownKind(f'there is no kind "{word}"', fix=fix)


async def resource_of(api: CommandLine, api_version: str, kind: str) -> Resource:
    """The resource of an object by its `apiVersion` and `kind`. Raises UnknownKind."""
    path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    try:
        known = words_of(await api.raw(path))
    except NotFound as error:
        raise UnknownKind(
            f"the server has no API {api_version} (for kind {kind})", fix=await _near_versions(api, kind)
        ) from error
    for one in known:
        if one.resource.kind == kind:
            return one.resource
    near = get_close_matches(kind, [one.resource.kind for one in known], n=1)
    fix = f"did you mean {near[0]}?" if near else f"it has: {', '.join(sorted(one.resource.kind for one in known))}"
    raise UnknownKind(f"{api_version} has no kind {kind}", fix=fix)


async def _near_versions(api: CommandLine, kind: str) -> str:
    served = [one.resource.api_version for one in await words(api) if one.resource.kind == kind]
    return f"{kind} is in {', '.join(served)}" if served else "apply its CustomResourceDefinition first"


def _word(group: str, version: str, entry: JsonObject) -> Word:
    plural, kind = text_at(entry, "name"), text_at(entry, "kind")
    short = [one for one in list_at(entry, "shortNames") if isinstance(one, str)]
    names = dict.fromkeys((plural, text_at(entry, "singularName") or kind.lower(), kind.lower(), *short))
    resource = Resource(group, version, plural, kind, namespaced=entry.get("namespaced") is True)
    return Word(resource, tuple(names))


def _objects(document: JsonObject, key: str) -> list[JsonObject]:
    return [one for one in list_at(document, key) if isinstance(one, dict)]
