"""The one way through the server, whatever the protocol: model? → ready? → decode → model → encode.

A model whose hooks are all sync gets a `Line`, which decides when, where and with which others a call runs. A model
with an async hook runs on the event loop, as its author wants.
"""

import asyncio
import inspect
import math
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import Protocol

from inferplane.dataplane.model.hooks import Hooks, Timings, log_latency
from inferplane.dataplane.model.metadata import described
from inferplane.dataplane.model.model import InferenceVerb, Model
from inferplane.dataplane.model.repository import Arrival, ModelRepository
from inferplane.dataplane.server.admission import Admission
from inferplane.dataplane.server.answers import Answer, Outcome, with_headers
from inferplane.dataplane.server.calls import Codec, Headers, failure, own_timeout
from inferplane.dataplane.server.gathered import Gathered
from inferplane.dataplane.server.line import Line, Watcher
from inferplane.dataplane.server.metrics import Metrics, ModelMetrics
from inferplane.dataplane.server.pace import Traffic
from inferplane.dataplane.server.promptness import Promptness, be_patient
from inferplane.dataplane.server.protocols import V2, v1_codec
from inferplane.dataplane.server.settings import Execution
from inferplane.inference import cloudevents
from inferplane.inference.errors import DeadlineExceeded, InferenceFailure, InvalidInput, ModelNotFound, ModelNotReady
from inferplane.inference.tensors import TensorMetadata

TIMEOUT_HEADER = "x-request-timeout-ms"
"""How long the client waits, in milliseconds."""


@dataclass(frozen=True, slots=True)
class _Served:
    """What the server keeps about one model."""

    model: Model
    metrics: ModelMetrics
    line: Line
    hooks: Hooks
    admission: Admission
    watcher: Watcher | None
    gathered: Gathered | None
    """KServe's batcher, where it was asked for and the line cannot do its work."""


class Everywhere(Protocol):
    async def everywhere(self, event: str, name: str) -> None:
        """Has every worker `load` or `unload` a model; raises what the first failing one raised."""
        ...


class Dispatch:
    """Answers requests for the models of one repository. Belongs to one event loop."""

    def __init__(
        self,
        repository: ModelRepository,
        metrics: Metrics,
        execution: Execution | None = None,
        events: cloudevents.Settings | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.repository = repository
        self.metrics = metrics
        self.execution = execution or Execution()
        self.events = events or cloudevents.Settings()
        self.everywhere: Everywhere | None = None
        """With several workers, what has all of them load or unload a model."""
        self._watcher = watcher
        self._traffic = Traffic()
        self._promptness = Promptness()
        self._served: dict[str, _Served] = {}
        # A thread a model would be thousands of them.
        self._threads = _shared_threads() if repository.is_many else None

    def predict(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V1 `:predict`."""
        return self._answer(v1_codec(headers, self.events), name, body, headers)

    def explain(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V1 `:explain`."""
        return self._answer(v1_codec(headers, self.events), name, body, headers, InferenceVerb.EXPLAIN)

    def infer(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V2 `infer`."""
        return self._answer(V2, name, body, headers)

    def explain_tensors(self, name: str, body: bytes, headers: Headers) -> Outcome:
        """V2 `explain`."""
        return self._answer(V2, name, body, headers, InferenceVerb.EXPLAIN)

    def call(self, codec: Codec, name: str, body: bytes, headers: Headers, timeout: float | None = None) -> Outcome:
        """Inference over a protocol that brings its own codec. `timeout` in seconds, where the protocol has one."""
        return self._answer(codec, name, body, headers, timeout=timeout)

    @asynccontextmanager
    async def entered(self, name: str, headers: Headers, *, bounded: bool = True) -> AsyncIterator[Model]:
        """A model, ready, for one call of a protocol that asks it in its own way; waited for where it is on its way.

        The block counts as one of the model's calls. It gets the time that client and server allow, unless `bounded`
        is false. Raises ModelNotFound, ModelNotReady, Overloaded and DeadlineExceeded.
        """
        timeout = self._time(headers, None) if bounded else None
        try:
            async with asyncio.timeout(timeout):
                served = self._of(await self._there(name))
        except TimeoutError:
            raise DeadlineExceeded(name) from None
        served.line.used = monotonic()
        async with served.admission.entered(timeout):
            yield served.model

    async def _there(self, name: str) -> Model:
        arrival = self.repository.arrival(name)
        known = self.repository.models.get(name)
        if arrival is not None and (known is None or not known.ready):
            await arrival()
        return self.repository.ready_model(name)

    def answered(self, name: str, protocol: str, status: int) -> None:
        """Counts an answer of a protocol that asks models in its own way."""
        # Names that clients make up do not become label values.
        self.metrics.of_model(name if name in self.repository.models else "").answered(protocol, status)

    async def is_ready(self) -> bool:
        """Whether the server can take requests for its models."""
        return await self.repository.is_ready()

    async def metadata(self, name: str) -> tuple[list[TensorMetadata], list[TensorMetadata]]:
        """(inputs, outputs) of a model, ready or not; one that is on its way is waited for."""
        known = self.repository.models.get(name)
        if (known is None or not known.ready) and (arrival := self.repository.arrival(name)) is not None:
            await arrival()
        model = self.repository.existing(name)
        inputs, outputs = model.get_input_types(), model.get_output_types()
        return (
            described(await inputs if inspect.isawaitable(inputs) else inputs),
            described(await outputs if inspect.isawaitable(outputs) else outputs),
        )

    def is_idle(self, model: Model) -> bool:
        """Whether no request for it waits or runs."""
        served = self._served.get(model.name)
        if served is None or served.model is not model:
            return True
        gathers = served.gathered is not None and not served.gathered.is_idle
        return served.line.idle and not served.admission.inside and not gathers

    def last_used(self, model: Model) -> float:
        """When the last request for it came, on the monotonic clock; 0.0 for never."""
        served = self._served.get(model.name)
        return served.line.used if served is not None and served.model is model else 0.0

    def retire(self, model: Model) -> None:
        """It gets no more requests: stops it once it has answered those that it has."""
        served = self._served.get(model.name)
        if served is None or served.model is not model:
            model.stop()
            return
        del self._served[model.name]
        served.line.retire(model.stop)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Around what computes on a thread, so that requests get their turn."""
        self._promptness.begin()
        try:
            yield
        finally:
            self._promptness.end()

    def close(self) -> None:
        for served in self._served.values():
            served.line.close()
            if served.gathered is not None:
                served.gathered.close()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(
        self,
        codec: Codec,
        name: str,
        body: bytes,
        headers: Headers,
        verb: InferenceVerb = InferenceVerb.PREDICT,
        timeout: float | None = None,
        *,
        gathers: bool = True,
    ) -> Outcome:
        try:
            served = self._of(self.repository.ready_model(name))
            timeout = self._time(headers, timeout)
        except (ModelNotFound, ModelNotReady) as error:
            arrival = self.repository.arrival(name)
            if arrival is None:
                return self._refused(codec, name, error)
            return self._once_there(arrival, codec, name, body, headers, verb, timeout)
        except InferenceFailure as error:
            return self._refused(codec, name, error)
        hooks = served.hooks
        if served.gathered is not None and gathers and verb is InferenceVerb.PREDICT:
            # By name once more: by the time a batch has come together the model may be another.
            run = partial(self._answer, codec, name, verb=verb, timeout=timeout, gathers=False)
            return served.gathered.answer(codec, body, headers, run)
        if hooks.waits if verb is InferenceVerb.PREDICT else hooks.explain_waits:
            return _on_loop(codec, served, body, headers, verb, timeout)
        return served.line.join(codec, body, headers, verb, timeout)

    async def _once_there(
        self,
        arrival: Arrival,
        codec: Codec,
        name: str,
        body: bytes,
        headers: Headers,
        verb: InferenceVerb,
        timeout: float | None,
    ) -> Answer:
        """For a model that has to be loaded first. Its loading goes on though the client may leave."""
        start = monotonic()
        try:
            left = self._time(headers, timeout)
            async with asyncio.timeout(left):
                await arrival()
        except TimeoutError:
            return self._refused(codec, name, DeadlineExceeded(name))
        except InferenceFailure as error:
            return self._refused(codec, name, error)
        left = None if left is None else max(left - (monotonic() - start), 0.001)
        outcome = self._answer(codec, name, body, headers, verb, left)
        return outcome if isinstance(outcome, Answer) else await outcome

    def _time(self, headers: Headers, timeout: float | None) -> float | None:
        """Seconds that the call has: the least that client, protocol and server allow."""
        given = headers.get(TIMEOUT_HEADER)
        if given is None and timeout is None:
            return self.execution.request_timeout
        limits = (None if given is None else _seconds(given), timeout, self.execution.request_timeout)
        return min(limit for limit in limits if limit is not None)

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
            hooks = Hooks(model)
            loop = asyncio.get_running_loop()
            line = Line(
                hooks, metrics, loop, self.execution, self._watcher, self._traffic, self._promptness, self._threads
            )
            admission = Admission(model.name, metrics, self.execution)
            if served is not None:
                served.line.retire(lambda: None)
            gathered = None
            if self.execution.batcher and (hooks.waits or not line.joins):
                gathered = Gathered(self.execution.bounds(model))
            served = self._served[model.name] = _Served(model, metrics, line, hooks, admission, self._watcher, gathered)
        return served


def _shared_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        min(32, len(os.sched_getaffinity(0)) + 4), thread_name_prefix="models", initializer=be_patient
    )


def _seconds(text: str) -> float:
    try:
        milliseconds = float(text)
    except ValueError:
        milliseconds = -1.0
    if not 0 < milliseconds < math.inf:
        raise InvalidInput(f"{TIMEOUT_HEADER}: expected milliseconds above 0, got {text[:40]!r}")
    return milliseconds / 1000


async def _on_loop(
    codec: Codec, served: _Served, body: bytes, headers: Headers, verb: InferenceVerb, timeout: float | None
) -> Answer:
    """Decode, hooks, encode, for a model whose author wants the event loop."""
    model, hooks = served.model, served.hooks
    took = Timings()
    response_headers: Headers = {}
    start = perf_counter()
    served.line.used = monotonic()
    try:
        payload = codec.read(body, headers, model)
        async with served.admission.entered(own_timeout(payload, timeout)):
            if served.watcher is not None:
                served.watcher.computing(model.name, codec.protocol, headers, perf_counter() - start, 1, 1)
            result = await hooks.answered(verb, payload, headers, response_headers, took, served.line.run)
        answer = with_headers(codec.write(result, payload), response_headers)
        _count(served.metrics, verb, took)
        log_latency(model, headers, took)
    except Exception as error:
        answer = failure(codec, model, error)
    served.metrics.answered(codec.protocol, answer.status)
    return answer


def _count(metrics: ModelMetrics, verb: InferenceVerb, took: Timings) -> None:
    metrics.preprocess.observe(took.preprocess)
    if verb is InferenceVerb.PREDICT:
        metrics.predict.observe(took.predict)
    else:
        metrics.explain.observe(took.explain)
    metrics.postprocess.observe(took.postprocess)
    metrics.ran(1, took.preprocess, took.predict if verb is InferenceVerb.PREDICT else took.explain, took.postprocess)
