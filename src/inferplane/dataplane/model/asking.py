"""A predictor behind this server, asked over REST on kept connections.

Numbers of V2 travel as bytes where the predictor says that it takes them so (`binary_tensor_data` among the extensions
of `GET /v2`, looked at once), or where the operator says it for it; otherwise as JSON, as KServe does.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from inferplane.client.inference.connection import Pieces, Received
from inferplane.client.inference.errors import ClientError
from inferplane.client.inference.pool import Pool
from inferplane.client.inference.settings import Settings
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol
from inferplane.dataplane.model.upstream import refused, rubbish, unanswered
from inferplane.inference import v1, v2_client
from inferplane.inference.errors import InferenceFailure, InvalidInput, UpstreamFailed
from inferplane.inference.tensors import InferRequest, InferResponse

_JSON_LENGTH = "inference-header-content-length"
_EXTENSION = "binary_tensor_data"
_NAME = "/:@!$&'()*+,;=~-._"
"""What a model's name may have of signs that a path gives no other meaning to. KServe escapes none of them."""

RAW_FROM = 1024
"""Bytes. Fewer numbers than these are as quick in JSON, and a server may join such requests."""


class Asking:
    """One predictor. Belongs to one event loop."""

    def __init__(self, config: PredictorConfig) -> None:
        self._url = config.predictor_base_url
        self._timeout = config.timeout
        tls = Settings(ca=config.predictor_ca_file).tls() if config.use_ssl else None
        try:
            self._pool = Pool(self._url, retries=config.retries, tls=tls)
        except ClientError as error:
            raise InvalidInput(f"--predictor_host: {error}") from error
        self._is_v2 = config.wire is PredictorProtocol.REST_V2
        self._takes_bytes = config.predictor_binary_tensors
        self._heads: dict[tuple[str, str], bytes] = {}

    def url(self, model: str) -> str:
        """Where it is asked for predictions."""
        return self._url + self._path(model)

    def _path(self, model: str) -> str:
        return f"/v2/models/{quote(model, safe=_NAME)}/infer" if self._is_v2 else _v1(model, "predict")

    async def predict(self, model: str, payload: object, headers: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        """V1: the object that it answers with; V2: an InferResponse; with the headers of the answer.

        Raises UpstreamFailed.
        """
        path = self._path(model)
        if isinstance(payload, InferRequest):
            raw_from = RAW_FROM if self._is_v2 and await self._bytes_are_taken() else None
            pieces, length = v2_client.request_pieces(payload, raw_from)
            answer = await self._post(path, pieces, headers, length)
        else:
            answer = await self._post(path, [v1.write(payload)], headers)
        return self._response_of(answer) if self._is_v2 else self._object_of(answer), answer.headers

    async def explain(self, model: str, payload: object, headers: Mapping[str, str]) -> Any:
        """V1's explanation, the object that it answers with."""
        return self._object_of(await self._post(_v1(model, "explain"), [v1.write(payload)], headers))

    async def is_model_ready(self, model: str) -> bool:
        """What it says; UpstreamFailed when it cannot be asked or does not have the model."""
        name = quote(model, safe=_NAME)
        if self._is_v2:
            return (await self._get(f"/v2/models/{name}/ready")).status < 300
        answer = await self._get(f"/v1/models/{name}")
        return answer.status < 300 and bool(self._object_of(answer).get("ready"))

    async def close(self) -> None:
        await self._pool.close()

    async def _bytes_are_taken(self) -> bool:
        """A predictor that cannot be asked now is asked again by the next request; this one will hear what is wrong."""
        if self._takes_bytes is None:
            try:
                answer = await self._get("/v2")
                found = self._object_of(answer).get("extensions") if answer.status < 300 else None
            except UpstreamFailed:
                return False
            self._takes_bytes = isinstance(found, list) and _EXTENSION in found
        return self._takes_bytes

    async def _post(
        self, path: str, body: Pieces, headers: Mapping[str, str], json_length: int | None = None
    ) -> Received:
        kind = "application/json" if json_length is None else "application/octet-stream"
        head = self._head("POST", path, kind) + _lines(headers)
        if json_length is not None:
            head += b"%b: %d\r\n" % (_JSON_LENGTH.encode(), json_length)
        head += b"content-length: %d\r\n\r\n" % sum(map(len, body))
        request: Pieces = [head + body[0]] if len(body) == 1 else [head, *body]
        answer = await self._exchange(path, request)
        if not 200 <= answer.status < 300:
            raise refused(answer)
        return answer

    async def _get(self, path: str) -> Received:
        return await self._exchange(path, [self._head("GET", path, "") + b"\r\n"])

    async def _exchange(self, path: str, request: Pieces) -> Received:
        try:
            return await self._pool.exchange(request, self._timeout)
        except ClientError as error:
            raise unanswered(error) from error

    def _head(self, method: str, path: str, kind: str) -> bytes:
        head = self._heads.get((path, kind))
        if head is None:
            origin = self._pool.origin
            lines = [f"{method} {origin.path}{path} HTTP/1.1", f"host: {origin.authority}"]
            if kind:
                lines.append(f"content-type: {kind}")
            head = self._heads[path, kind] = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
        return head

    def _object_of(self, answer: Received) -> dict[str, Any]:
        try:
            value = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise rubbish(self._url, error) from error
        if not isinstance(value, dict):
            raise rubbish(self._url, TypeError(f"expected an object, got a {type(value).__name__}"))
        return value

    def _response_of(self, answer: Received) -> InferResponse:
        length = answer.headers.get(_JSON_LENGTH)
        try:
            return v2_client.read_response(answer.body, len(answer.body) if length is None else int(length))
        except (InferenceFailure, ValueError, TypeError) as error:
            raise rubbish(self._url, error) from error


def _v1(model: str, verb: str) -> str:
    return f"/v1/models/{quote(model, safe=_NAME)}:{verb}"


def _lines(headers: Mapping[str, str]) -> bytes:
    """Hooks may have changed what came in."""
    for name, value in headers.items():
        if "\n" in value or "\r" in value or "\0" in value:
            raise InvalidInput(f"header {name}: a line break cannot be sent on")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("latin-1", "replace")
