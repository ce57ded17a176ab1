"""The one way through the server, whatever the protocol: model? → ready? → decode → model → encode.

A model whose hooks are all sync gets a `Line`, which decides when, where and with which others a call runs. A model
with an async hook runs on the event loop, as its author wants.
"""

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.calls import Codec, Headers, failure
from inferplane.dataplane.server.line import Line
from inferplane.dataplane.server.metrics import Metrics, ModelMetrics
from inferplane.inference import v1, v2
from inferplane.inference.errors import (
    InferenceError,
    InferenceFailure,
    ModelNotFound,
    UnsupportedProtocol,
)
from inferplane.inference.tensors import InferRequest, InferResponse, TensorMetadata

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Served:
    """What the server keeps about one model."""

    model: Model
    metrics: ModelMetrics
    line: Line
    waits: bool
    """Whether some hook is a coroutine function."""


class Dispatch:
    """Answers requests for the models of one repository. Belongs to one event loop."""

    def __init__(self, repository: ModelRepository, metrics: Metrics) -> None:
        self.repository = repository
        self.metrics = metrics
        self._served: dict[str, _Served] = {}

    def predict(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V1 `:predict`."""
        return self._answer(V1, name, body, headers)

    def infer(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V2 `infer`."""
        return self._answer(V2, name, body, headers)

    async def is_ready(self) -> bool:
        """Whether every registered model is ready."""
        return all([await self.repository.is_model_ready(name) for name in list(self.repository.get_models())])

    async def metadata(self, name: str) -> tuple[list[TensorMetadata], list[TensorMetadata]]:
        """(inputs, outputs) of a model, ready or not."""
        model = self.repository.existing(name)
        inputs, outputs = model.get_input_types(), model.get_output_types()
        return (
            list(await inputs if inspect.isawaitable(inputs) else inputs),
            list(await outputs if inspect.isawaitable(outputs) else outputs),
        )

    def close(self) -> None:
        for served in self._served.values():
            served.line.close()

    def _answer(self, codec: Codec, name: str, body: bytes, headers: Headers) -> Outcome:
        try:
            served = self._of(self.repository.ready_model(name))
        except InferenceFailure as error:
            return self._refused(codec, name, error)
        if served.waits:
            return _on_loop(codec, served, body, headers)
        return served.line.join(codec, body, headers)

    def _refused(self, codec: Codec, name: str, error: InferenceFailure) -> Answer:
        answer = codec.failure(error)
        # Names that clients make up do not become label values.
        known = "" if isinstance(error, ModelNotFound) else name
        self.metrics.of_model(known).answered(codec.protocol, answer.status)
        return answer

    def _of(self, model: Model) -> _Served:
        served = self._served.get(model.name)
        if served is None or served.model is not model:
            metrics = self.metrics.of_model(model.name)
            line = Line(model, metrics, asyncio.get_running_loop())
            served = self._served[model.name] = _Served(model, metrics, line, _has_async_hook(model))
        return served


async def _on_loop(codec: Codec, served: _Served, body: bytes, headers: Headers) -> Answer:
    """Decode, hooks, encode, for a model whose author wants the event loop."""
    model, metrics = served.model, served.metrics
    try:
        payload = codec.read(body, headers, model)
        start = perf_counter()
        prepared = await _settled(model.validate(await _settled(model.preprocess(payload, headers))))
        ready = perf_counter()
        result = await _settled(model.predict(prepared, headers))
        predicted = perf_counter()
        result = await _settled(model.postprocess(result, headers))
        done = perf_counter()
        answer = codec.write(result, payload)
        metrics.preprocess.observe(ready - start)
        metrics.predict.observe(predicted - ready)
        metrics.postprocess.observe(done - predicted)
    except Exception as error:
        answer = failure(codec, model, error)
    metrics.answered(codec.protocol, answer.status)
    return answer


async def _settled(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value


_HOOKS = ("preprocess", "validate", "predict", "postprocess")


def _has_async_hook(model: Model) -> bool:
    return any(inspect.iscoroutinefunction(getattr(model, hook)) for hook in _HOOKS)


# Content types that hold JSON. `curl -d` labels its body a form; nobody sends a model one.
_JSON_TYPES = {
    "",
    "application/json",
    "application/cloudevents+json",
    "application/ld+json",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
}
_BINARY_LENGTH = "inference-header-content-length"


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _read_v1(body: bytes, headers: Headers, model: Model) -> object:
    if model.takes_arrays:
        return v1.read_arrays(body)
    return v1.read(body) if _media_type(headers) in _JSON_TYPES else body


def _write_v1(result: object, payload: object) -> Answer:
    if isinstance(result, bytes | str):
        return Answer(200, result.encode() if isinstance(result, str) else result, content_type=None)
    if isinstance(result, AsyncIterator):
        return Answer(200, result, content_type=None)
    return Answer(200, v1.write(result))


def _read_v2(body: bytes, headers: Headers, model: Model) -> object:
    if _BINARY_LENGTH in headers:
        raise UnsupportedProtocol(
            "binary tensor data is not supported", fix="send tensors as JSON, content-type application/json"
        )
    return v2.read(body, model.name)


def _write_v2(result: object, payload: object) -> Answer:
    if not isinstance(payload, InferRequest):
        raise InferenceError("a V2 answer needs a V2 request")
    if isinstance(result, InferResponse):
        return Answer(200, v2.write(result, payload, "" if result.id or payload.id else str(uuid.uuid4())))
    if isinstance(result, dict):
        return Answer(200, v1.write(result))
    raise InferenceError(f"expected an InferResponse or a dict from the model, got {type(result).__name__}")


V1 = Codec("v1", _read_v1, _write_v1, answers.of_error)
V2 = Codec("v2", _read_v2, _write_v2, answers.of_v2_error)
