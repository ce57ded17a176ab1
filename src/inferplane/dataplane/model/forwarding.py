"""What a transformer's `predict` and an explainer's way back do when their author wrote none: ask the one behind.

Clients are kept, one for each predictor and event loop, since a connection belongs to the loop that made it. Their
errors (httpx.HTTPStatusError, grpc.RpcError) are the author's to catch; those that nobody catches become the answer of
the one behind (`upstream.py`).
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from inferplane.dataplane.model.asking import Asking
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol, near_predictor
from inferplane.dataplane.model.upstream import as_authors_know_it, translated
from inferplane.inference.errors import InvalidInput, UpstreamFailed
from inferplane.inference.tensors import InferRequest

if TYPE_CHECKING:
    from inferplane.client.inference.kserve_grpc import InferenceGRPCClient

FORWARDED = ("x-request-id", "x-b3-traceid", "traceparent", "tracestate", "authorization")
"""Headers of a request that go on to the predictor. KServe forwards the same but for W3C's two."""

_NOT_HANDED_BACK = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "inference-header-content-length",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-request-id",
}
"""Headers of the predictor's answer that are about its own transport; ours has its own."""

_clients: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Asking | InferenceGRPCClient]]" = (
    WeakKeyDictionary()
)


def forwarded(headers: Mapping[str, str] | None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """`base` and those of `headers` that may go on."""
    given = headers or {}
    return {**(base or {}), **{name: given[name] for name in FORWARDED if name in given}}


async def predict(
    model_name: str,
    payload: Any,
    config: PredictorConfig | None,
    headers: Mapping[str, str] | None = None,
    response_headers: dict[str, str] | None = None,
) -> Any:
    """The predictor's answer, in the configured protocol whatever the request came in."""
    near = near_predictor()
    if near is not None:
        return await near.predict(model_name, payload, forwarded(headers))
    if config is None:
        raise NotImplementedError("Could not find PredictorConfig.")
    if not config.predictor_host:
        raise NotImplementedError("Could not find predictor_host.")
    if config.wire is PredictorProtocol.GRPC_V2:
        return await _over_grpc(payload, config, headers)
    if not isinstance(payload, InferRequest | dict):
        raise InvalidInput(f"the predictor takes an object or an InferRequest, got {type(payload).__name__}")
    asking = _rest(config)
    try:
        answer, upstream = await asking.predict(model_name, payload, forwarded(headers))
    except UpstreamFailed as failure:
        error = as_authors_know_it(failure, asking.url(model_name))
        if error is failure:
            raise
        raise error from failure
    if response_headers is not None:
        response_headers.update({name: value for name, value in upstream.items() if name not in _NOT_HANDED_BACK})
    return answer


async def explain(
    model_name: str,
    payload: Any,
    explainer_host: str | None,
    config: PredictorConfig | None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The explainer's answer. Explainers speak V1 only; the predictor's TLS, timeout and retries hold for them too."""
    if explainer_host is None:
        raise NotImplementedError("Could not find explainer_host.")
    told = config or PredictorConfig(None)
    asked = PredictorConfig(
        explainer_host,
        PredictorProtocol.REST_V1.value,
        told.predictor_use_ssl,
        told.predictor_request_timeout_seconds,
        told.predictor_request_retries,
        predictor_ca_file=told.predictor_ca_file,
    )
    return await _rest(asked).explain(model_name, payload, forwarded(headers))


async def is_ready(model_name: str, config: PredictorConfig) -> bool:
    """Whether the predictor says that it has the model ready; one that cannot be asked is not ready."""
    try:
        if config.wire is PredictorProtocol.GRPC_V2:
            return await _grpc(config).is_model_ready(model_name)
        return await _rest(config).is_model_ready(model_name)
    except Exception as error:
        if isinstance(translated(error), UpstreamFailed):
            return False
        raise


async def close_clients() -> None:
    """Closes the connections that hooks made on this event loop."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.close()


async def _over_grpc(payload: Any, config: PredictorConfig, headers: Mapping[str, str] | None) -> Any:
    request = payload if isinstance(payload, InferRequest) else InferRequest.from_grpc(payload)
    metadata = {"request_type": "grpc_v2", "response_type": "grpc_v2", **forwarded(headers)}
    return await _grpc(config).infer(request, headers=tuple(metadata.items()))


def _rest(config: PredictorConfig) -> Asking:
    kept = _clients.setdefault(asyncio.get_running_loop(), {})
    client = kept.get(config)
    if client is None:
        client = kept[config] = Asking(config)
    return cast(Asking, client)


def _grpc(config: PredictorConfig) -> "InferenceGRPCClient":
    kept = _clients.setdefault(asyncio.get_running_loop(), {})
    client = kept.get(config)
    if client is None:
        from inferplane.client.inference.kserve_grpc import InferenceGRPCClient  # only transformers need it

        client = kept[config] = InferenceGRPCClient(
            str(config.predictor_host),
            use_ssl=config.use_ssl,
            root_certificates=config.predictor_ca_file,
            timeout=config.timeout,
            retries=config.retries,
        )
    return cast("InferenceGRPCClient", client)
