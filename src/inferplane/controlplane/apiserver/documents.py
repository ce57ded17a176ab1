"""The OpenAPI documents at `/openapi/v2` and `/openapi/v3…`: made when first asked for, kept until a CRD changes.

A document of v3 is named with a hash of what it is made of, so that clients may keep it for good.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace

from inferplane import __version__
from inferplane.controlplane.apiserver import openapi
from inferplane.controlplane.apiserver.calls import Answer
from inferplane.controlplane.apiserver.kinds import Kind
from inferplane.controlplane.apiserver.registry import Registry
from inferplane.controlplane.apiserver.storage import encode

PREFIX = "/openapi/v3/"
IMMUTABLE = (("cache-control", "public, immutable, max-age=31536000"),)


class Documents:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._made: dict[str, bytes] = {}
        self._hashes: dict[str, str] = {}

    async def find(self, path: str, accept: str, asked_hash: str, etag: str) -> Answer | None:
        """None for a path that isn't one of these."""
        self._refresh()
        if path == "/openapi/v3":
            return _answer(encode(openapi.index(self._hashes)), "")
        if path == "/openapi/v2":
            return await self._v2(accept, etag)
        group_version = path.removeprefix(PREFIX).removeprefix("apis/").removeprefix("api/")
        if not path.startswith(PREFIX) or group_version not in self._hashes:
            return None
        state = self._hashes[group_version]
        found = await self._kept(path, state, etag, lambda kinds: encode(openapi.v3(group_version, kinds)))
        return replace(found, headers=(*found.headers, *IMMUTABLE)) if asked_hash else found

    async def _v2(self, accept: str, etag: str) -> Answer:
        """As JSON, or as the protobuf that kubectl asks for."""
        state = _digest("".join(self._hashes.values()).encode())
        wanted = [offer.split(";", 1)[0].strip() for offer in accept.split(",")]
        if any(offer in openapi.V2_PROTOBUF_ACCEPTED for offer in wanted):
            found = await self._kept("v2 protobuf", state, etag, openapi.v2_protobuf)
            return replace(found, content_type=openapi.V2_PROTOBUF)
        return await self._kept("v2", state, etag, lambda kinds: encode(openapi.v2(kinds)))

    def _refresh(self) -> None:
        if self._generation == self._registry.generation:
            return
        self._generation = self._registry.generation
        self._made = {}
        groups = self._registry.groups()
        self._hashes = {
            f"{group}/{version}" if group else version: _state(self._registry.in_version(group, version))
            for group, versions in groups.items()
            for version in versions
        }

    async def _kept(self, name: str, state: str, etag: str, make: Callable[[list[Kind]], bytes]) -> Answer:
        if etag.strip('"') == state:
            return _answer(b"", state, 304)
        if name not in self._made:
            kinds, generation = self._registry.kinds(), self._generation
            # Tens of milliseconds of work, in which others must not wait.
            body = await asyncio.to_thread(make, kinds)
            if generation != self._generation:
                return _answer(body, "")
            self._made[name] = body
        return _answer(self._made[name], state)


def _answer(body: bytes, state: str, status: int = 200) -> Answer:
    return Answer(status, body, headers=(("etag", f'"{state}"'),) if state else ())


def _state(kinds: list[Kind]) -> str:
    parts = [__version__, *(repr(kind) for kind in kinds)]
    parts += [encode(kind.definition.schema.document).decode() for kind in kinds if kind.definition]
    return _digest("\n".join(parts).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32].upper()
