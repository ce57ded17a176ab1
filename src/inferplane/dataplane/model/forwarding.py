"""What a transformer's `predict` and an explainer's way back do when their author wrote none: ask the one behind."""

from collections.abc import Mapping
from typing import Any

from inferplane.dataplane.model.predictor import PredictorConfig

FORWARDED = ("x-request-id", "x-b3-traceid", "traceparent", "tracestate", "authorization")
"""Headers of a request that go on to the predictor. KServe forwards the same but for W3C's two."""


def forwarded(headers: Mapping[str, str] | None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """`base` and those of `headers` that may go on."""
    given = headers or {}
    return {**(base or {}), **{name: given[name] for name in FORWARDED if name in given}}


async def predict(
    model_name: str,
    payload: object,
    config: PredictorConfig | None,
    headers: Mapping[str, str] | None = None,
    response_headers: dict[str, str] | None = None,
) -> Any:
    """The predictor's answer, in the configured protocol whatever the request came in."""
    if config is None:
        raise NotImplementedError("Could not find PredictorConfig.")
    if not config.predictor_host:
        raise NotImplementedError("Could not find predictor_host.")
    raise NotImplementedError("Could not find predictor_host.")


async def explain(
    model_name: str,
    payload: object,
    explainer_host: str | None,
    config: PredictorConfig | None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """The explainer's answer. Explainers speak V1 only."""
    if explainer_host is None:
        raise NotImplementedError("Could not find explainer_host.")
    raise NotImplementedError("Could not find explainer_host.")
