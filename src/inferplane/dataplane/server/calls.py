"""Calls that run together: each is decoded and encoded alone, and rows that fit each other are computed in one go.

A group that fails is computed again one by one, so that one bad request fails alone.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, cast

import numpy as np

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.rows import RowModel
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.metrics import ModelMetrics
from inferplane.inference.errors import InferenceFailure
from inferplane.inference.tensors import Array

log = logging.getLogger("inferplane.server")

Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Codec:
    """How a body becomes a payload and a result an answer, for one protocol."""

    protocol: str
    read: Callable[[bytes, Headers, Model], object]
    write: Callable[[object, object], Answer]
    failure: Callable[[Exception], Answer]


class Call(Protocol):
    """A request for a model."""

    codec: Codec
    body: bytes
    headers: Headers


class _Step:
    """A call on its way through the model. `answer` is there as soon as nothing more is to be done."""

    __slots__ = ("answer", "call", "payload", "prepared", "result", "rows")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.payload: object = None
        self.prepared: object = None
        self.rows: object = None
        self.result: object = None
        self.answer: Answer | None = None


def answered(model: Model, metrics: ModelMetrics, calls: Sequence[Call]) -> list[Answer]:
    """The answers to `calls`, in their order; failures are answers too. Runs on the calling thread."""
    steps = [_Step(call) for call in calls]
    for step in steps:
        _attempt(_prepare, model, metrics, step)
    start = perf_counter()
    going = [step for step in steps if step.answer is None]
    if isinstance(model, RowModel) and model.joins_requests and len(going) > 1:
        _predict_together(model, metrics, going)
    else:
        for step in going:
            _attempt(_predict, model, metrics, step)
    seconds = perf_counter() - start
    for step in going:
        if step.answer is None:
            metrics.predict.observe(seconds)
            _attempt(_write, model, metrics, step)
    return [cast(Answer, step.answer) for step in steps]


_Stage = Callable[[Model, ModelMetrics, _Step], None]


def _attempt(stage: _Stage, model: Model, metrics: ModelMetrics, step: _Step) -> None:
    try:
        stage(model, metrics, step)
    except Exception as error:
        step.answer = failure(step.call.codec, model, error)


def failure(codec: Codec, model: Model, error: Exception) -> Answer:
    """The error as the protocol words it. What the model's own code raised goes to the log with its traceback."""
    answer = codec.failure(error)
    if answer.status >= 500 and not isinstance(error, InferenceFailure):
        log.error("model failed model=%s protocol=%s", model.name, codec.protocol, exc_info=error)
    return answer


def _prepare(model: Model, metrics: ModelMetrics, step: _Step) -> None:
    call = step.call
    step.payload = call.codec.read(call.body, call.headers, model)
    start = perf_counter()
    step.prepared = model.validate(model.preprocess(step.payload, call.headers))
    metrics.preprocess.observe(perf_counter() - start)


def _predict(model: Model, metrics: ModelMetrics, step: _Step) -> None:
    step.result = model.predict(step.prepared, step.call.headers)


def _write(model: Model, metrics: ModelMetrics, step: _Step) -> None:
    start = perf_counter()
    result = model.postprocess(step.result, step.call.headers)
    metrics.postprocess.observe(perf_counter() - start)
    step.answer = step.call.codec.write(result, step.payload)


def _predict_together(model: RowModel, metrics: ModelMetrics, steps: Sequence[_Step]) -> None:
    groups: dict[object, list[_Step]] = {}
    for step in steps:
        _attempt(_find_rows, model, metrics, step)
        if step.answer is None:
            groups.setdefault(_kind(step), []).append(step)
    for group in groups.values():
        if len(group) == 1 or not _joined(model, group):
            for step in group:
                _attempt(_predict, model, metrics, step)


def _find_rows(model: Model, metrics: ModelMetrics, step: _Step) -> None:
    step.rows = cast(RowModel, model).rows(step.prepared)


def _kind(step: _Step) -> object:
    """Equal for rows that fit into one array: same type and same shape but for their number."""
    rows = step.rows
    if isinstance(rows, np.ndarray) and rows.ndim > 1 and rows.dtype.kind in "biuf":
        return (rows.dtype, rows.shape[1:])
    return id(step)


def _joined(model: RowModel, group: Sequence[_Step]) -> bool:
    """Computes the group's rows in one go; false when that fails or the answers are not one a row."""
    parts = [cast(Array, step.rows) for step in group]
    try:
        predicted = model.predict_rows(np.concatenate(parts))
        if len(predicted) != sum(map(len, parts)):
            return False
        start = 0
        for step, part in zip(group, parts, strict=True):
            step.result = model.result(step.prepared, predicted[start : start + len(part)])
            start += len(part)
    except Exception as error:
        log.debug("batch failed, computing its requests one by one model=%s error=%s", model.name, error)
        return False
    return True
