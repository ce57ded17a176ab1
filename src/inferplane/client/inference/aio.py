"""The asynchronous client, over aiohttp: one session, its connections kept, for one event loop."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, overload
from urllib.parse import urlsplit

import aiohttp

from inferplane.client.inference import calls, values
from inferplane.client.inference.calls import Call, Endpoint, Reply
from inferplane.client.inference.errors import ClientError, ConnectionLost, Refused, TimedOut, Unreachable
from inferplane.client.inference.settings import PAUSES, Settings
from inferplane.client.inference.values import Frame, Inputs, Rows
from inferplane.inference.tensors import Array, InferRequest, InferResponse, Parameters
from inferplane.kernel.json import Json, JsonObject


class AsyncClient:
    """One endpoint, as `sync.Client` has it, with coroutines.

    `host` is sent as the Host header (and asked of the certificate) where the service's name does not resolve. Every
    other keyword is one of `Settings`.
    """

    def __init__(
        self,
        url: str,
        *,
        host: str = "",
        timeout: float | None = 60.0,
        retries: int = 2,
        idempotent: bool = False,
        headers: Mapping[str, str] | None = None,
        ca: str | None = None,
        cert: tuple[str, str] | str | None = None,
        verify: bool = True,
    ) -> None:
        self._endpoint = Endpoint(url, host)
        self._settings = Settings(
            timeout=timeout,
            retries=retries,
            idempotent=idempotent,
            headers=headers or {},
            ca=ca,
            cert=cert,
            verify=verify,
        )
        self._session: aiohttp.ClientSession | None = None

    @overload
    async def predict(self, model: str, rows: Array | Frame, *, timeout: float | None = ...) -> Array: ...
    @overload
    async def predict(self, model: str, rows: Sequence[Json], *, timeout: float | None = ...) -> Json: ...
    async def predict(self, model: str, rows: Rows, *, timeout: float | None = None) -> object:
        """V1: one prediction a row. Lists give what the model said, arrays and data frames an array."""
        reply = await self.exchange(calls.predict(model, values.instances(rows)), timeout)
        return values.predictions(calls.object_of(reply), rows)

    async def explain(self, model: str, rows: Rows, *, timeout: float | None = None) -> JsonObject:
        """V1: the explainer's whole answer."""
        return calls.object_of(await self.exchange(calls.predict(model, values.instances(rows), "explain"), timeout))

    @overload
    async def infer(
        self,
        model: str,
        inputs: Frame,
        *,
        outputs: Sequence[str] | None = ...,
        parameters: Parameters | None = ...,
        binary: bool | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> Frame: ...
    @overload
    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Array | Sequence[object]],
        *,
        outputs: Sequence[str] | None = ...,
        parameters: Parameters | None = ...,
        binary: bool | None = ...,
        request_id: str | None = ...,
        version: str | None = ...,
        timeout: float | None = ...,
    ) -> dict[str, Array]: ...
    async def infer(
        self,
        model: str,
        inputs: Inputs,
        *,
        outputs: Sequence[str] | None = None,
        parameters: Parameters | None = None,
        binary: bool | None = None,
        request_id: str | None = None,
        version: str | None = None,
        timeout: float | None = None,
    ) -> object:
        """V2: name → array in, name → array out; a data frame in, a data frame out.

        Arrays of numbers travel as bytes and lists as JSON, unless `binary` says otherwise.
        """
        request = values.request(
            model,
            inputs,
            outputs=outputs,
            parameters=parameters,
            binary_data=binary,
            request_id=request_id,
            version=version,
        )
        response = await self.infer_request(request, timeout=timeout)
        return values.frame(response) if values.is_frame(inputs) else values.arrays(response)

    async def infer_request(self, request: InferRequest, *, timeout: float | None = None) -> InferResponse:
        """V2 with everything that a request and an answer can carry."""
        return calls.response_of(await self.exchange(calls.infer(request), timeout))

    async def is_live(self) -> bool:
        """Whether the server's process answers."""
        return await self._says_yes(calls.get("/v2/health/live"))

    async def is_ready(self, model: str | None = None, *, protocol: str = "v2") -> bool:
        """Whether the server, or one model, takes requests. A server that cannot be reached is not ready."""
        return await self._says_yes(
            calls.get("/v2/health/ready") if model is None else calls.model_ready(model, protocol)
        )

    async def models(self) -> Sequence[str]:
        """The names of the server's models."""
        return calls.names(await self.exchange(calls.get("/v1/models")))

    async def metadata(self, model: str | None = None) -> JsonObject:
        """V2 metadata of the server, or of one model."""
        return calls.object_of(await self.exchange(calls.metadata(model)))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _says_yes(self, call: Call) -> bool:
        try:
            calls.succeeded(await self.exchange(call))
        except (Refused, Unreachable):
            return False
        return True

    async def exchange(self, call: Call, timeout: float | None = None) -> Reply:
        """Any request: its answer, whatever its status. Raises Unreachable, ConnectionLost or TimedOut."""
        failures = 0
        while True:
            try:
                return await self._once(call, self._settings.timeout if timeout is None else timeout)
            except ClientError as error:
                failures += 1
                if not self._settings.again(error, failures):
                    raise
                await asyncio.sleep(PAUSES.delay(failures))

    async def _once(self, call: Call, timeout: float | None) -> Reply:
        url = self._endpoint.of(call)
        headers = {**self._settings.headers, **call.headers}
        if self._endpoint.host:
            headers["host"] = self._endpoint.host
        try:
            async with self._open().request(
                call.method,
                url,
                data=call.body or None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
                server_hostname=self._endpoint.host.partition(":")[0] or None if url.startswith("https") else None,
            ) as answer:
                body = await answer.read()
                return Reply(url, answer.status, {name.lower(): text for name, text in answer.headers.items()}, body)
        except TimeoutError as error:
            raise TimedOut(url, timeout) from error
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(url, error) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionLost(url, error) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            secure = urlsplit(self._endpoint.url).scheme == "https"
            connector = aiohttp.TCPConnector(limit=0, ssl=self._settings.tls() if secure else True)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session
