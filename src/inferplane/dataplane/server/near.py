"""A predictor in the transformer's own process: asked with values, which nobody encodes, sends or copies.

Its calls go through a dispatch of their own: it runs on its threads, joins what waits together, and refuses what its
queue has no room for, as behind a port. Belongs to the event loops that ask it, each with its own dispatch.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from inferplane.dataplane.model.model import Model
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.server.answers import Answer
from inferplane.dataplane.server.calls import Codec
from inferplane.dataplane.server.dispatch import Dispatch
from inferplane.dataplane.server.metrics import Metrics
from inferplane.dataplane.server.settings import Execution


class _Held(Answer, frozen=True, kw_only=True):
    """A result, or what went wrong, as it is."""

    value: Any = None
    error: Exception | None = None


class NearPredictor:
    """`models` are loaded."""

    def __init__(self, models: Sequence[Model], execution: Execution) -> None:
        self._models = models
        self._execution = execution
        self._dispatches: WeakKeyDictionary[asyncio.AbstractEventLoop, Dispatch] = WeakKeyDictionary()

    async def predict(self, name: str, payload: object, headers: Mapping[str, str]) -> Any:
        """What the model makes of an object (V1) or an InferRequest; raises what it raises."""
        codec = Codec("near", lambda body, given, model: payload, _held, _failed)
        outcome = self._dispatch().call(codec, self._name(name), b"", dict(headers))
        answer = outcome if isinstance(outcome, Answer) else await outcome
        if not isinstance(answer, _Held):
            raise RuntimeError(f"the predictor in this process failed with status {answer.status}")
        if answer.error is not None:
            raise answer.error
        return answer.value

    def is_ready(self) -> bool:
        return all(model.ready for model in self._models)

    def _name(self, name: str) -> str:
        """A transformer's model and the predictor's have the same name; one alone is meant whatever it is called."""
        return self._models[0].name if len(self._models) == 1 else name

    def _dispatch(self) -> Dispatch:
        loop = asyncio.get_running_loop()
        found = self._dispatches.get(loop)
        if found is None:
            repository = ModelRepository()
            for model in self._models:
                repository.update(model)
            found = self._dispatches[loop] = Dispatch(repository, Metrics(), self._execution)
        return found


def _held(result: object, payload: object) -> Answer:
    return _Held(200, b"", value=_plain(result))


def _failed(error: Exception) -> Answer:
    return _Held(500, b"", error=error)


def _plain(result: object) -> object:
    """Rows of V1 as the lists that they would be on the wire: authors compare and index them."""
    if not isinstance(result, dict):
        return result
    return {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in result.items()}
