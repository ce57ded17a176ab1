"""The hooks of one model: which of them its author wrote, which are async, and how each is called.

The server resolves this once a model. A model whose own hooks are all sync can be computed anywhere, several requests
together; one with an async hook runs on the event loop, and its sync hooks wherever the server finds best.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

from inferplane.dataplane.model.model import Headers, InferenceVerb, Model
from inferplane.dataplane.model.parts import streamed

trace = logging.getLogger("inferplane.trace")

Hook: TypeAlias = Callable[..., Any]

Runner: TypeAlias = Callable[[Hook, tuple[object, ...]], Awaitable[Any]]
"""Calls a sync hook with these arguments, in place or on a thread."""


@dataclass(slots=True)
class Timings:
    """Seconds."""

    preprocess: float = 0.0
    predict: float = 0.0
    explain: float = 0.0
    postprocess: float = 0.0


class Hooks:
    """`waits` and `explain_waits` tell whether predicting, and explaining, must run on the event loop."""

    __slots__ = ("_explain", "_postprocess", "_predict", "_preprocess", "_validate", "explain_waits", "model", "waits")

    def __init__(self, model: Model) -> None:
        self.model = model
        # The base class's do nothing, so they are not called at all.
        self._preprocess = _own(model, "preprocess")
        self._postprocess = _own(model, "postprocess")
        self._validate: Hook = model.validate
        self._predict: Hook = model.predict
        self._explain: Hook = model.explain
        around = any(hook is not None and _is_async(hook) for hook in (self._preprocess, self._postprocess))
        around = around or _is_async(self._validate) or self.calls_itself
        self.waits = around or _own(model, "predict") is None or _is_async(self._predict)
        self.explain_waits = around or _own(model, "explain") is None or _is_async(self._explain)

    @property
    def calls_itself(self) -> bool:
        """Whether the author replaced the whole order of hooks."""
        return type(self.model).__call__ is not Model.__call__

    @property
    def prepares(self) -> bool:
        """Whether the author has a `preprocess`."""
        return self._preprocess is not None

    @property
    def finishes(self) -> bool:
        """Whether the author has a `postprocess`."""
        return self._postprocess is not None

    # For models that wait for nothing.

    def prepared(self, payload: object, headers: Headers) -> object:
        """What `predict` takes."""
        if self._preprocess is not None:
            payload = self._preprocess(payload, headers)
        return self._validate(payload)

    def computed(self, verb: InferenceVerb, prepared: object, headers: Headers, response_headers: Headers) -> object:
        """What `predict`, or `explain`, makes of it."""
        return streamed(self._computing(verb)(*self._arguments(verb, prepared, headers, response_headers)))

    def finished(self, result: object, headers: Headers, response_headers: Headers) -> object:
        """The answer."""
        if self._postprocess is None:
            return result
        return streamed(self._postprocess(*self._arguments(InferenceVerb.PREDICT, result, headers, response_headers)))

    # For the others.

    async def answered(
        self,
        verb: InferenceVerb,
        payload: object,
        headers: Headers,
        response_headers: Headers,
        timings: Timings | None = None,
        run: Runner | None = None,
    ) -> Any:
        """All hooks in order, as the author's own `__call__` has it or as `in_order`."""
        if not self.calls_itself:
            return await self.in_order(verb, payload, headers, response_headers, timings, run)
        result, further = await self.model(payload, headers, verb)
        response_headers.update(further or {})
        return result

    async def in_order(
        self,
        verb: InferenceVerb,
        payload: object,
        headers: Headers,
        response_headers: Headers,
        timings: Timings | None = None,
        run: Runner | None = None,
    ) -> Any:
        """preprocess, validate, predict or explain, postprocess; without `run` sync hooks run in place."""
        took = timings or Timings()
        start = perf_counter()
        if self._preprocess is not None:
            payload = await _called(run, self._preprocess, payload, headers)
        prepared = await _called(None, self._validate, payload)
        ready = perf_counter()
        arguments = self._arguments(verb, prepared, headers, response_headers)
        result = streamed(await _called(run, self._computing(verb), *arguments))
        computed = perf_counter()
        if self._postprocess is not None:
            arguments = self._arguments(InferenceVerb.PREDICT, result, headers, response_headers)
            result = await _called(run, self._postprocess, *arguments)
        took.preprocess, took.postprocess = ready - start, perf_counter() - computed
        if verb is InferenceVerb.PREDICT:
            took.predict = computed - ready
        else:
            took.explain = computed - ready
        return streamed(result)

    def _computing(self, verb: InferenceVerb) -> Hook:
        return self._predict if verb is InferenceVerb.PREDICT else self._explain

    def _arguments(
        self, verb: InferenceVerb, value: object, headers: Headers, response_headers: Headers
    ) -> tuple[object, ...]:
        if self.model.required_response_headers and verb is InferenceVerb.PREDICT:
            return (value, headers, response_headers)
        return (value, headers)


def log_latency(model: Model, headers: Headers, took: Timings) -> None:
    """One line a request, for models that have it on."""
    if model.enable_latency_logging:
        trace.info(
            "requestId: %s, preprocess_ms: %.3f, explain_ms: %.3f, predict_ms: %.3f, postprocess_ms: %.3f",
            headers.get("x-request-id", "N.A."),
            *(1000 * seconds for seconds in (took.preprocess, took.explain, took.predict, took.postprocess)),
        )


def _own(model: Model, name: str) -> Hook | None:
    """The hook, unless it is the base class's. Authors may also set one on the instance."""
    hook: Hook = getattr(model, name)
    return None if getattr(hook, "__func__", None) is getattr(Model, name) else hook


def _is_async(hook: Hook) -> bool:
    return inspect.iscoroutinefunction(hook)


async def _called(run: Runner | None, hook: Hook, *arguments: object) -> Any:
    if run is None or _is_async(hook):
        value = hook(*arguments)
    else:
        value = await run(hook, arguments)
    return await value if inspect.isawaitable(value) else value
