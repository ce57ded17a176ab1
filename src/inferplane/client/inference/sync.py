"""The synchronous client, over urllib3: connections are kept and shared by threads."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, overload
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from inferplane.client.inference import calls, values
from inferplane.client.inference.calls import Call, Endpoint, Reply
from inferplane.client.inference.errors import ClientError, ConnectionLost, Refused, TimedOut, Unreachable
from inferplane.client.inference.settings import PAUSES, Settings
from inferplane.client.inference.values import Frame, Inputs, Rows
from inferplane.inference.tensors import Array, InferRequest, InferResponse, Parameters
from inferplane.kernel.json import Json, JsonObject

_CONNECTIONS = 64


class Client:
    """One endpoint: a model server, or a service behind a gateway (its path is kept: `https://host/serving/ns/name`).

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
        self._pool = _pool(self._endpoint, self._settings)

    @overload
    def predict(self, model: str, rows: Array | Frame, *, timeout: float | None = ...) -> Array: ...
    @overload
    def predict(self, model: str, rows: Sequence[Json], *, timeout: float | None = ...) -> Json: ...
    def predict(self, model: str, rows: Rows, *, timeout: float | None = None) -> object:
        """V1: one prediction a row. Lists give what the model said, arrays and data frames an array."""
        reply = self.exchange(calls.predict(model, values.instances(rows)), timeout)
        return values.predictions(calls.object_of(reply), rows)

    def explain(self, model: str, rows: Rows, *, timeout: float | None = None) -> JsonObject:
        """V1: the explainer's whole answer."""
        return calls.object_of(self.exchange(calls.predict(model, values.instances(rows), "explain"), timeout))

    @overload
    def infer(
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
    def infer(
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
    def infer(
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
        response = self.infer_request(request, timeout=timeout)
        return values.frame(response) if values.is_frame(inputs) else values.arrays(response)

    def infer_request(self, request: InferRequest, *, timeout: float | None = None) -> InferResponse:
        """V2 with everything that a request and an answer can carry."""
        return calls.response_of(self.exchange(calls.infer(request), timeout))

    def is_live(self) -> bool:
        """Whether the server's process answers."""
        return self._says_yes(calls.get("/v2/health/live"))

    def is_ready(self, model: str | None = None, *, protocol: str = "v2") -> bool:
        """Whether the server, or one model, takes requests. A server that cannot be reached is not ready."""
        return self._says_yes(calls.get("/v2/health/ready") if model is None else calls.model_ready(model, protocol))

    def models(self) -> Sequence[str]:
        """The names of the server's models."""
        return calls.names(self.exchange(calls.get("/v1/models")))

    def metadata(self, model: str | None = None) -> JsonObject:
        """V2 metadata of the server, or of one model."""
        return calls.object_of(self.exchange(calls.metadata(model)))

    def close(self) -> None:
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _says_yes(self, call: Call) -> bool:
        try:
            calls.succeeded(self.exchange(call))
        except (Refused, Unreachable):
            return False
        return True

    def exchange(self, call: Call, timeout: float | None = None) -> Reply:
        """Any request: its answer, whatever its status. Raises Unreachable, ConnectionLost or TimedOut."""
        failures = 0
        while True:
            try:
                return self._once(call, self._settings.timeout if timeout is None else timeout)
            except ClientError as error:
                failures += 1
                if not self._settings.again(error, failures):
                    raise
                time.sleep(PAUSES.delay(failures))

    def _once(self, call: Call, timeout: float | None) -> Reply:
        url = self._endpoint.of(call)
        headers = {**self._settings.headers, **call.headers}
        if self._endpoint.host:
            headers["host"] = self._endpoint.host
        try:
            answer = self._pool.request(
                call.method,
                url,
                body=call.body or None,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout),
                retries=False,
                redirect=False,
            )
        except (NewConnectionError, SSLError) as error:
            raise Unreachable(url, error) from error
        except (ConnectTimeoutError, ReadTimeoutError) as error:
            raise TimedOut(url, timeout) from error
        except HTTPError as error:
            raise ConnectionLost(url, error) from error
        # HTTPHeaderDict compares names without case; dict() of it has them as they came.
        return Reply(url, answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.data)


def _pool(endpoint: Endpoint, settings: Settings) -> urllib3.PoolManager:
    more: dict[str, object] = {}
    if urlsplit(endpoint.url).scheme == "https":
        more["ssl_context"] = settings.tls()
        if endpoint.host:
            more["server_hostname"] = more["assert_hostname"] = endpoint.host.partition(":")[0]
            if not settings.verify:
                more["assert_hostname"] = False
    return urllib3.PoolManager(maxsize=_CONNECTIONS, **more)  # type: ignore[arg-type]  # one dict of keywords
