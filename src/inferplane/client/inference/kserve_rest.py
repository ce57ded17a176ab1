"""KServe's REST client by its own names: RESTConfig and InferenceRESTClient, with its URLs, answers and errors.

Built on httpx, whose types are part of KServe's interface (`transport`, `auth`, `timeout`, HTTPStatusError). One thing
differs on purpose: `retries` has an effect, on connections that could not be made.
"""

import logging
import ssl
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Protocol, Self, TypeAlias, cast

import httpx
import orjson

from inferplane.inference import v2_client
from inferplane.inference.errors import UnsupportedProtocol
from inferplane.inference.tensors import InferRequest, InferResponse
from inferplane.kernel.json import Json, JsonObject

log = logging.getLogger("inferplane.client")

JSON_LENGTH = "inference-header-content-length"
Timeout: TypeAlias = "float | tuple[float | None, float | None, float | None, float | None] | httpx.Timeout | None"
Cert: TypeAlias = "str | tuple[str, str] | tuple[str, str, str] | None"
_DEFAULT = httpx.USE_CLIENT_DEFAULT


class NamedProtocol(Protocol):
    """An enum member such as KServe's PredictorProtocol."""

    @property
    def value(self) -> str: ...


class RESTConfig:
    """`retries`: how often a connection is tried again. `timeout` in seconds, None for none. `verify`: True, False,
    a file of trusted certificates or an SSLContext. A `transport` of the user's own sees to retries and TLS itself."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        protocol: "str | NamedProtocol" = "v1",
        retries: int = 3,
        http2: bool = False,
        timeout: Timeout = 60,
        cert: Cert = None,
        verify: str | bool | ssl.SSLContext = True,
        auth: httpx.Auth | tuple[str, str] | None = None,
        verbose: bool = False,
    ) -> None:
        self.transport = transport
        self.protocol = protocol if isinstance(protocol, str) else protocol.value
        self.retries = retries
        self.http2 = http2
        self.timeout = timeout
        self.cert = cert
        self.verify = verify
        self.auth = auth
        self.verbose = verbose


class InferenceRESTClient:
    """Asynchronous, for one event loop. `base_url` is `http(s)://host[:port][/path]`; its path is kept."""

    def __init__(self, config: RESTConfig | None = None) -> None:
        self._config = config = config or RESTConfig()
        transport = config.transport or httpx.AsyncHTTPTransport(
            verify=_context(config), http2=config.http2, retries=config.retries
        )
        self._client = httpx.AsyncClient(transport=transport, timeout=config.timeout, auth=config.auth)

    async def infer(
        self,
        base_url: httpx.URL | str,
        data: InferRequest | Mapping[str, object],
        model_name: str | None = None,
        headers: Mapping[str, str] | None = None,
        response_headers: MutableMapping[str, str] | None = None,
        is_graph_endpoint: bool = False,
        timeout: "Timeout | httpx._client.UseClientDefault" = _DEFAULT,
    ) -> InferResponse | JsonObject:
        """V1: an object; V2: an InferResponse. An inference graph's URL is used as it is and gives an object.

        Raises httpx.HTTPStatusError for any status but 2xx.
        """
        if is_graph_endpoint:
            url: httpx.URL | str = base_url
        elif model_name is None:
            raise ValueError("model_name should not be 'None'")
        else:
            url = self._url(
                base_url, self._for({"v1": f"v1/models/{model_name}:predict", "v2": f"v2/models/{model_name}/infer"})
            )
        body, more = _body(data)
        response = await self._post(url, body, _headers(headers, more), timeout)
        if response_headers is not None:
            response_headers.update(response.headers)
        if is_graph_endpoint or self._protocol == "v1":
            return cast(JsonObject, orjson.loads(response.content))
        length = response.headers.get(JSON_LENGTH)
        return InferResponse.from_bytes(response.content, len(response.content) if length is None else int(length))

    async def explain(
        self,
        base_url: httpx.URL | str,
        model_name: str,
        data: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        timeout: "Timeout | httpx._client.UseClientDefault" = _DEFAULT,
    ) -> JsonObject:
        """V1 only; UnsupportedProtocol for any other."""
        url = self._url(base_url, self._for({"v1": f"v1/models/{model_name}:explain"}))
        body, more = _body(data)
        return cast(JsonObject, orjson.loads((await self._post(url, body, _headers(headers, more), timeout)).content))

    async def is_server_ready(
        self,
        base_url: httpx.URL | str,
        headers: Mapping[str, str] | None = None,
        timeout: "Timeout | httpx._client.UseClientDefault" = _DEFAULT,
    ) -> bool:
        """V2 only; UnsupportedProtocol for any other."""
        url = self._url(base_url, self._for({"v2": "v2/health/ready"}))
        return bool(_field(_checked(await self._get(url, headers, timeout)), "ready"))

    async def is_server_live(
        self,
        base_url: httpx.URL | str,
        headers: Mapping[str, str] | None = None,
        timeout: "Timeout | httpx._client.UseClientDefault" = _DEFAULT,
    ) -> bool:
        url = self._url(base_url, self._for({"v1": "", "v2": "v2/health/live"}))
        response = _checked(await self._get(url, headers, timeout))
        if self._protocol == "v1":
            return str(_field(response, "status")).lower() == "alive"
        return bool(_field(response, "live"))

    async def is_model_ready(
        self,
        base_url: httpx.URL | str,
        model_name: str,
        headers: Mapping[str, str] | None = None,
        timeout: "Timeout | httpx._client.UseClientDefault" = _DEFAULT,
    ) -> bool:
        """V1: false for 503, HTTPStatusError for any other status but 2xx. V2: whether the status is 2xx."""
        url = self._url(base_url, self._for({"v1": f"v1/models/{model_name}", "v2": f"v2/models/{model_name}/ready"}))
        response = await self._get(url, headers, timeout)
        if self._protocol == "v2":
            return response.is_success
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            return False
        return bool(_field(_checked(response), "ready"))

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def _protocol(self) -> str:
        return self._config.protocol.lower()

    def _for(self, paths: Mapping[str, str]) -> str:
        if self._protocol not in paths:
            raise UnsupportedProtocol(self._config.protocol)
        return paths[self._protocol]

    def _url(self, base_url: httpx.URL | str, path: str) -> httpx.URL:
        base = httpx.URL(base_url) if isinstance(base_url, str) else base_url
        if base.scheme not in ("http", "https"):
            raise httpx.InvalidURL("Base url should have 'http://' or 'https://' protocol")
        if base.is_relative_url:
            raise httpx.InvalidURL("Base url should not be a relative url")
        return base.copy_with(path=f"{base.path.rstrip('/')}/{path}")

    async def _post(
        self,
        url: httpx.URL | str,
        body: bytes,
        headers: Mapping[str, str],
        timeout: "Timeout | httpx._client.UseClientDefault",
    ) -> httpx.Response:
        self._tell("POST %s %d bytes", url, len(body))
        response = await self._client.post(url, content=body, headers=dict(headers), timeout=timeout)
        self._tell("answer %s %s", response.status_code, response.content)
        return _checked(response)

    async def _get(
        self,
        url: httpx.URL,
        headers: Mapping[str, str] | None,
        timeout: "Timeout | httpx._client.UseClientDefault",
    ) -> httpx.Response:
        self._tell("GET %s", url)
        response = await self._client.get(url, headers=dict(headers or {}), timeout=timeout)
        self._tell("answer %s %s", response.status_code, response.content)
        return response

    def _tell(self, message: str, *values: object) -> None:
        if self._config.verbose:
            log.info(message, *values)


def _context(config: RESTConfig) -> ssl.SSLContext | bool:
    if isinstance(config.verify, ssl.SSLContext):
        return config.verify
    if config.verify is True and config.cert is None:
        return True
    context = ssl.create_default_context(cafile=config.verify if isinstance(config.verify, str) else None)
    if config.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.cert is not None:
        context.load_cert_chain(*((config.cert,) if isinstance(config.cert, str) else config.cert))
    return context


def _body(data: InferRequest | Mapping[str, object]) -> tuple[bytes, dict[str, str]]:
    if not isinstance(data, InferRequest):
        return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), {"content-type": "application/json"}
    body, length = v2_client.write_request(data)
    if length is None:
        return body, {"content-type": "application/json"}
    return body, {"content-type": "application/octet-stream", JSON_LENGTH: str(length)}


def _headers(users: Mapping[str, str] | None, ours: Mapping[str, str]) -> dict[str, str]:
    """The user's content type wins, but for a body that is partly binary: only one type is right for it."""
    given = {name.lower(): value for name, value in (users or {}).items()}
    return {**given, **ours} if JSON_LENGTH in ours else {**ours, **given}


def _field(response: httpx.Response, name: str) -> Json:
    value = cast(Json, orjson.loads(response.content))
    return value.get(name) if isinstance(value, dict) else None


def _checked(response: httpx.Response) -> httpx.Response:
    """The response itself; HTTPStatusError in KServe's words when it is no success."""
    if response.is_success:
        return response
    words: object = ""
    if response.headers.get("content-type", "").partition(";")[0] == "application/json":
        answer = cast(Json, orjson.loads(response.content))
        words = answer["error"] if isinstance(answer, dict) and "error" in answer else answer
    raise httpx.HTTPStatusError(
        f"{words}, '{response.status_code} {response.reason_phrase}' for url '{response.url}'",
        request=response.request,
        response=response,
    )
