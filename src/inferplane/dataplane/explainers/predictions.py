"""The predictor as a function from rows to predictions, for libraries that know no event loop.

They run on a thread; each of their calls is one or several requests, made by the server's loop on its kept connections
as a transformer's are. When nobody waits for the explanation any more, the next call raises and the thread is free.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import numpy as np

from inferplane.dataplane.model import forwarding
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol
from inferplane.inference.datatypes import datatype_of
from inferplane.inference.errors import InferenceError, InvalidInput, UpstreamFailed
from inferplane.inference.tensors import Array, InferInput, InferRequest, InferResponse

Predict: TypeAlias = Callable[[Array], Coroutine[Any, Any, Array]]

ROWS = 4096
"""Rows of one request: kernel SHAP asks for hundreds of thousands at once, and servers bound the size of bodies."""


class NobodyWaits(InferenceError):
    def __init__(self) -> None:
        super().__init__("nobody waits for the explanation any more")


class Predictor:
    """Called with rows on a thread other than the loop's; gives the predictions as an array, one a row.

    Errors are those of a transformer's call: what the predictor refuses keeps its status.
    """

    def __init__(self, predict: Predict, loop: asyncio.AbstractEventLoop) -> None:
        self._predict = predict
        self._loop = loop
        self._left = False
        self.calls = 0

    def __call__(self, rows: Array) -> Array:
        if self._left:
            raise NobodyWaits
        self.calls += 1
        parts = [asyncio.run_coroutine_threadsafe(self._predict(part), self._loop).result() for part in _parts(rows)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def leave(self) -> None:
        self._left = True


def _parts(rows: Array) -> Iterator[Array]:
    for start in range(0, max(len(rows), 1), ROWS):
        yield rows[start : start + ROWS]


@asynccontextmanager
async def predictor_of(
    model: str, config: PredictorConfig | None, headers: Mapping[str, str]
) -> AsyncIterator[Predictor]:
    """The predictor that the server was told of, for one explanation. Raises NotImplementedError without one."""
    if config is None or not config.predictor_host:
        raise NotImplementedError("Could not find predictor_host.")
    loop = asyncio.get_running_loop()
    predictor = Predictor(lambda rows: _asked(model, config, headers, rows), loop)
    try:
        yield predictor
    finally:
        predictor.leave()


async def _asked(model: str, config: PredictorConfig, headers: Mapping[str, str], rows: Array) -> Array:
    payload: object = {"instances": rows}
    if config.wire is not PredictorProtocol.REST_V1:
        payload = InferRequest(model, [_tensor(rows)])
    return _array(await forwarding.predict(model, payload, config, headers), len(rows))


def _tensor(rows: Array) -> InferInput:
    datatype = datatype_of(rows.dtype)
    if datatype is None:
        raise InvalidInput(f"rows: numpy's {rows.dtype} has no datatype in the protocol")
    return InferInput.decoded("input-0", datatype, rows)


def _array(answer: Any, rows: int) -> Array:
    """The predictions in an answer of either protocol; UpstreamFailed when there is not one a row."""
    if isinstance(answer, InferResponse):
        found = answer.outputs[0].as_numpy() if answer.outputs else np.empty(0)
    else:
        found = np.asarray(answer.get("predictions"))
    if found.ndim == 0 or len(found) != rows or found.dtype.kind == "O":
        raise UpstreamFailed(
            502, f"expected one prediction for each of {rows} rows from the predictor, got {str(answer)[:100]}"
        )
    return found
