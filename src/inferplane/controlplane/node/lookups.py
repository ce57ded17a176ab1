"""What a pod refers to, read from the API server when its containers start: ConfigMaps, Secrets, claims."""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, NotFound
from inferplane.controlplane.node.environment import ConfigError
from inferplane.kernel.json import text_at
from inferplane.resources.core import ConfigMap, Secret


@dataclass(frozen=True, slots=True)
class Lookups:
    """All methods may raise ServerUnreachable and ApiError; what doesn't exist is None."""

    api: Api

    async def config_map(self, namespace: str, name: str) -> dict[str, bytes] | None:
        try:
            found = msgspec.convert(await self.api.get(kinds.CONFIG_MAP, name, namespace), ConfigMap)
        except NotFound:
            return None
        return contents(found)

    async def secret(self, namespace: str, name: str) -> dict[str, bytes] | None:
        try:
            found = msgspec.convert(await self.api.get(kinds.SECRET, name, namespace), Secret)
        except NotFound:
            return None
        return {key: _decoded(value, "Secret", name, key) for key, value in found.data.items()}

    async def config_map_texts(self, namespace: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Those that exist, as text for environment variables."""
        found = {name: await self.config_map(namespace, name) for name in names}
        return {name: _texts(data) for name, data in found.items() if data is not None}

    async def secret_texts(self, namespace: str, names: Iterable[str]) -> dict[str, dict[str, str]]:
        found = {name: await self.secret(namespace, name) for name in names}
        return {name: _texts(data) for name, data in found.items() if data is not None}

    async def claim_path(self, namespace: str, claim: str) -> str | None:
        """The `hostPath` of the volume that the claim is bound to, or "" for a claim that is a directory of the home.

        None when there is no such claim.
        """
        try:
            found = await self.api.get(kinds.PERSISTENT_VOLUME_CLAIM, claim, namespace)
        except NotFound:
            return None
        if not (volume := text_at(found, "spec", "volumeName")):
            return ""
        try:
            bound = await self.api.get(kinds.PERSISTENT_VOLUME, volume)
        except NotFound as error:
            raise ConfigError(f'persistentvolumeclaim "{claim}": its volume {volume!r} does not exist') from error
        path = text_at(bound, "spec", "hostPath", "path") or text_at(bound, "spec", "local", "path")
        if not path:
            raise ConfigError(f'persistentvolume "{volume}": only hostPath and local volumes can be used here')
        return path


def contents(found: ConfigMap) -> dict[str, bytes]:
    """What its keys hold. Raises ConfigError for binary data that is none."""
    name = found.metadata.name
    binary = {key: _decoded(value, "ConfigMap", name, key) for key, value in found.binary_data.items()}
    return {**binary, **{key: value.encode() for key, value in found.data.items()}}


def _texts(data: dict[str, bytes]) -> dict[str, str]:
    # Environment variables are bytes; surrogateescape hands over what is not UTF-8 as it is.
    return {key: value.decode(errors="surrogateescape") for key, value in data.items()}


def _decoded(value: str, kind: str, name: str, key: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ConfigError(f"{kind} {name}: key {key} is not base64: {error}") from error
