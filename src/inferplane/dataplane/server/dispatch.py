"""The one way through the server, whatever the protocol: model? → ready? → decode → model → encode.

A model whose hooks are all sync and whose calls are known to be short is called in place, and its answer is there when
the function returns. A long one (or one not yet known) runs on the model's own thread, so nothing else waits for it. A
model with an async hook runs on the event loop, as its author wants.
"""

import inspect
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server import answers
from inferplane.dataplane.server.answers import Answer, Outcome
from inferplane.dataplane.server.metrics import Metrics, ModelMetrics
from inferplane.dataplane.server.pace import Pace, Worker
from inferplane.inference import v1, v2
from inferplane.inference.errors import (
    InferenceError,
    InferenceFailure,
    ModelNotFound,
    UnsupportedProtocol,
)
from inferplane.inference.tensors import InferRequest, InferResponse, TensorMetadata

log = logging.getLogger("inferplane.server")

T = TypeVar("T")
Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a body becomes a payload and a result an answer."""

    name: str
    read: Callable[[bytes, Headers, Model], object]
    write: Callable[[object, object], Answer]
    failure: Callable[[Exception], Answer]


@dataclass(slots=True)
class _Served:
    """What the server keeps about one model."""

    model: Model
    metrics: ModelMetrics
    worker: Worker
    waits: bool
    """Whether some hook is a coroutine function."""
    pace: Pace = field(default_factory=Pace)


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
            served.worker.close()

    def _answer(self, protocol: Protocol, name: str, body: bytes, headers: Headers) -> Outcome:
        try:
            served = self._of(self.repository.ready_model(name))
        except InferenceFailure as error:
            answer = protocol.failure(error)
            if isinstance(error, ModelNotFound):
                self.metrics.refused(protocol.name, answer.status)
            else:
                self.metrics.of_model(name).answered(protocol.name, answer.status)
            return answer
        if served.waits:
            return self._on_loop(protocol, served, body, headers)
        if served.worker.busy or not served.pace.is_short(len(body)):
            return self._on_thread(protocol, served, body, headers)
        return self._finished(protocol, served, len(body), _called(protocol, served, body, headers))

    def _of(self, model: Model) -> _Served:
        served = self._served.get(model.name)
        if served is None or served.model is not model:
            served = _Served(model, self.metrics.of_model(model.name), Worker(model.name), _has_async_hook(model))
            self._served[model.name] = served
        return served

    async def _on_thread(self, protocol: Protocol, served: _Served, body: bytes, headers: Headers) -> Answer:
        call = await served.worker.submit(lambda: _called(protocol, served, body, headers))
        return self._finished(protocol, served, len(body), call)

    async def _on_loop(self, protocol: Protocol, served: _Served, body: bytes, headers: Headers) -> Answer:
        call = await _awaited(protocol, served, body, headers)
        return self._finished(protocol, served, len(body), call)

    def _finished(self, protocol: Protocol, served: _Served, size: int, call: "_Call") -> Answer:
        served.pace.record(call.seconds, size)
        served.metrics.answered(protocol.name, call.answer.status)
        return call.answer


@dataclass(slots=True)
class _Call:
    answer: Answer
    seconds: float


def _called(protocol: Protocol, served: _Served, body: bytes, headers: Headers) -> _Call:
    """Decode, all hooks, encode, on the calling thread."""
    model, metrics = served.model, served.metrics
    start = perf_counter()
    try:
        payload = protocol.read(body, headers, model)
        decoded = perf_counter()
        prepared = model.validate(model.preprocess(payload, headers))
        ready = perf_counter()
        result = model.predict(prepared, headers)
        predicted = perf_counter()
        result = model.postprocess(result, headers)
        done = perf_counter()
        answer = protocol.write(result, payload)
    except Exception as error:
        return _Call(_failure(protocol, model, error), perf_counter() - start)
    metrics.preprocess.observe(ready - decoded)
    metrics.predict.observe(predicted - ready)
    metrics.postprocess.observe(done - predicted)
    return _Call(answer, perf_counter() - start)


async def _awaited(protocol: Protocol, served: _Served, body: bytes, headers: Headers) -> _Call:
    """The same for a model with async hooks."""
    model, metrics = served.model, served.metrics
    start = perf_counter()
    try:
        payload = protocol.read(body, headers, model)
        decoded = perf_counter()
        prepared = await _settled(model.validate(await _settled(model.preprocess(payload, headers))))
        ready = perf_counter()
        result = await _settled(model.predict(prepared, headers))
        predicted = perf_counter()
        result = await _settled(model.postprocess(result, headers))
        done = perf_counter()
        answer = protocol.write(result, payload)
    except Exception as error:
        return _Call(_failure(protocol, model, error), perf_counter() - start)
    metrics.preprocess.observe(ready - decoded)
    metrics.predict.observe(predicted - ready)
    metrics.postprocess.observe(done - predicted)
    return _Call(answer, perf_counter() - start)


async def _settled(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value


def _failure(protocol: Protocol, model: Model, error: Exception) -> Answer:
    answer = protocol.failure(error)
    if answer.status >= 500 and not isinstance(error, InferenceFailure):
        log.error("model failed model=%s protocol=%s", model.name, protocol.name, exc_info=error)
    return answer


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


V1 = Protocol("v1", _read_v1, _write_v1, answers.of_error)
V2 = Protocol("v2", _read_v2, _write_v2, answers.of_v2_error)
