"""A server beside this process as the puller's target: V2's repository API over HTTP, as KServe's agent calls it."""

from pathlib import Path
from urllib.parse import quote

import httpx

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.puller.puller import CannotLoad

TIMEOUT = 600.0
"""Seconds. A server answers once the model is loaded."""

_SHOWN = 500


class RepositoryApi:
    """`url` is the server's, without a slash at its end."""

    in_place = False

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client

    def expect(self, name: str) -> None:
        """What a server does about requests that come too early is its own business."""

    def forget(self, name: str) -> None:
        """As above."""

    def failed(self, name: str, reason: str) -> None:
        """It is in the log and in the metrics."""

    async def load(self, name: str, spec: ModelSpec, directory: Path) -> None:
        await self._post(name, "load")

    async def unload(self, name: str) -> None:
        await self._post(name, "unload", unknown_is_fine=True)

    async def _post(self, name: str, verb: str, *, unknown_is_fine: bool = False) -> None:
        url = f"{self._url}/v2/repository/models/{quote(name)}/{verb}"
        try:
            answer = await self._client.post(url, json={}, timeout=TIMEOUT)
        except httpx.HTTPError as error:
            words = str(error) or type(error).__name__
            raise CannotLoad(f"{verb} {name}: the server at {self._url} cannot be asked: {words}") from error
        if answer.is_success or (unknown_is_fine and answer.status_code in (400, 404)):
            return
        text = " ".join(answer.text.split())[:_SHOWN]
        raise CannotLoad(f"{verb} {name}: the server answered {answer.status_code}: {text}")
