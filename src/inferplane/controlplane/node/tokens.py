"""Tokens of ServiceAccounts in projected volumes: asked for when a container starts, and again before they end.

A kubelet's rule: a token is renewed when four fifths of its time have passed.
"""

import logging
import stat
from dataclasses import dataclass, field
from pathlib import Path

from inferplane.client.kubernetes import kinds
from inferplane.client.kubernetes.api import Api, ApiError, NotFound, ServerUnreachable
from inferplane.controlplane.node.environment import ConfigError
from inferplane.kernel.clock import Clock
from inferplane.kernel.json import Json, JsonObject, text_at
from inferplane.resources.core import Pod, ServiceAccountTokenProjection

log = logging.getLogger(__name__)

MODE = 0o600
_RENEW_AT = 0.8
_LOOK_EVERY = 30.0


@dataclass(frozen=True, slots=True)
class _Kept:
    pod: Pod
    wanted: ServiceAccountTokenProjection
    renew_at: float


@dataclass(slots=True)
class Tokens:
    """`keep` a file that `fetch` gave, and `run` renews it for as long as it is there."""

    api: Api
    clock: Clock
    _kept: dict[Path, _Kept] = field(default_factory=dict)

    async def fetch(self, pod: Pod, wanted: ServiceAccountTokenProjection) -> bytes:
        """Raises ConfigError, ApiError, ServerUnreachable."""
        account = pod.spec.service_account_name or "default"
        spec: JsonObject = {"expirationSeconds": wanted.expiration_seconds, "boundObjectRef": _reference(pod)}
        if wanted.audience:
            spec["audiences"] = list[Json]([wanted.audience])
        body: JsonObject = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            answer = await self.api.subresource(kinds.SERVICE_ACCOUNT, account, "token", body, pod.metadata.namespace)
        except NotFound as error:
            raise ConfigError(f"failed to fetch token: {error.message}") from error
        return text_at(answer, "status", "token").encode()

    def keep(self, file: Path, pod: Pod, wanted: ServiceAccountTokenProjection) -> None:
        self._kept[file] = _Kept(pod, wanted, self.clock.monotonic() + _RENEW_AT * wanted.expiration_seconds)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.clock.sleep(_LOOK_EVERY)
            await self.renew()

    async def renew(self) -> None:
        """Renews what is due; forgets files of pods that are gone."""
        self._kept = {file: one for file, one in self._kept.items() if file.exists()}
        due = [(file, one) for file, one in self._kept.items() if one.renew_at <= self.clock.monotonic()]
        for file, one in due:
            try:
                # Its mode may have been opened to the pod's own group (`users`), which it gets from its directory.
                replace_file(file, await self.fetch(one.pod, one.wanted), stat.S_IMODE(file.stat().st_mode))
                self.keep(file, one.pod, one.wanted)
            except (ConfigError, ApiError, ServerUnreachable, OSError) as error:
                # The old one is good for a while yet; the next look tries again.
                log.warning("token not renewed pod=%s error=%s", one.pod.metadata.name, error)


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """In one step: a reader sees the old content or the new one, whole. Never readable by more than `mode` says."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.chmod(mode)
    draft.replace(path)


def _reference(pod: Pod) -> JsonObject:
    return {"kind": "Pod", "apiVersion": "v1", "name": pod.metadata.name, "uid": pod.metadata.uid}
