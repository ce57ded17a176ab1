"""The class that model authors subclass. Names, signatures and defaults are KServe's.

A request goes through `preprocess → validate → predict (or explain) → postprocess`; each hook may be sync or async. A
payload is a dict (V1) or an InferRequest (V2, REST and gRPC alike); a result is whatever JSON can carry, bytes, text or
an iterator of them (V1), or an InferResponse (V2). `headers` is one mutable dict a request, with lower-case keys.

What this class itself does for `preprocess` and `postprocess` is nothing; its `predict` asks the predictor that the
server was told of, its `explain` asks the explainer. The server looks at which hooks an author wrote (`hooks.py`).
"""

from collections.abc import Awaitable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from inferplane.dataplane.model import forwarding
from inferplane.dataplane.model.predictor import PredictorConfig, PredictorProtocol, current_predictor
from inferplane.inference.errors import InvalidInput
from inferplane.inference.tensors import TensorMetadata

if TYPE_CHECKING:
    from inferplane.dataplane.model.example import Example

Headers: TypeAlias = dict[str, str]

Types: TypeAlias = Sequence[TensorMetadata | dict[str, Any]]
"""Tensors for V2 metadata; KServe's authors write them as dicts of name, datatype and shape."""


class InferenceVerb(Enum):
    EXPLAIN = 1
    PREDICT = 2


class Model:
    """One servable model. `ready` gates every request: `load` sets it.

    With `return_response_headers`, `predict` and `postprocess` get a third argument: a dict whose entries become
    headers of the answer.
    """

    takes_arrays: ClassVar[bool] = False
    """Whether V1 rows of numbers arrive as numpy arrays; authors who ported from KServe expect lists."""

    example: "Example | None" = None
    """A request that the model answers, shown to who asks what it takes."""

    max_batch_size: int | None = None
    """Set it, and `predict` is given the rows of several waiting requests as one payload, up to so many rows (V1: an
    object with nothing but rows; V2: tensors without parameters), and answers with as many. The headers are those of
    the first. A larger `--max_batch_size` does not raise it."""

    max_latency: float | None = None
    """Milliseconds that a request may wait for others to join it. None leaves it to `--max_latency`."""

    def __init__(self, name: str, return_response_headers: bool = False) -> None:
        self.name = name
        self.ready = False
        self.engine = False
        """Whether `start_engine` is to be awaited when the server starts."""
        self.explainer_host: str | None = None
        self.enable_latency_logging = False
        self.required_response_headers = return_response_headers

    # Life.

    def load(self) -> bool | Awaitable[bool]:
        """Makes the model ready to answer; false, or an exception, when it cannot."""
        self.ready = True
        return self.ready

    def start(self) -> None:
        """Called once for each model that the server starts with, on its main thread."""
        self.ready = True

    async def start_engine(self) -> None:
        """Awaited beside the running server when `engine` is true; what it makes may live on the server's loop."""
        self.ready = True

    def stop(self) -> None:
        """Lets go of what `load` took, at unload and when the server ends."""
        self.ready = False

    def stop_engine(self) -> None:
        """Lets go of what `start_engine` took."""
        self.ready = False

    def healthy(self) -> Any:
        """What the readiness endpoints report, sync or async. Base class: an awaitable of `ready`."""
        return _settled(self.ready)

    # What V2 metadata tells.

    def get_input_types(self) -> Types | Awaitable[Types]:
        """The inputs; empty when not known."""
        return []

    def get_output_types(self) -> Types | Awaitable[Types]:
        """The outputs; empty when not known."""
        return []

    # The way of a request. Authors write these sync or async, with or without the later arguments: the types here fit
    # every form. The base class's return awaitables, since `await super().predict(…)` is how they are called.

    def preprocess(self, payload: Any, *_: Any, **__: Any) -> Any:
        """(payload, headers) → what `predict` takes. Base class: the payload itself."""
        return _settled(payload)

    def validate(self, payload: Any) -> Any:
        """The payload, or InvalidInput: refuses V1 payloads whose rows are not a list."""
        key = "inputs" if _protocol() is PredictorProtocol.REST_V2 else "instances"
        if isinstance(payload, dict) and not isinstance(payload.get(key, []), list | np.ndarray):
            raise InvalidInput(f'Expected "{key}" to be a list')
        return payload

    def predict(self, payload: Any, *headers: Any, **named: Any) -> Any:
        """(payload, headers[, response_headers]) → result. Base class: asks the predictor for it.

        Raises NotImplementedError (501) when the server was told of none.
        """
        return forwarding.predict(self.name, payload, self.predictor_config, *headers, **named)

    def explain(self, payload: Any, *headers: Any, **named: Any) -> Any:
        """(payload, headers) → explanation. Base class: asks `explainer_host` for it, over V1.

        Raises NotImplementedError (501) without one.
        """
        return forwarding.explain(self.name, payload, self.explainer_host, self.predictor_config, *headers, **named)

    def postprocess(self, result: Any, *_: Any, **__: Any) -> Any:
        """(result, headers[, response_headers]) → the answer. Base class: the result itself."""
        return _settled(result)

    async def __call__(
        self, body: Any, headers: Headers | None = None, verb: InferenceVerb = InferenceVerb.PREDICT
    ) -> tuple[Any, Headers]:
        """All hooks in order, as for a request: (answer, headers for it)."""
        from inferplane.dataplane.model.hooks import Hooks  # hooks.py imports this module

        response_headers: Headers = {}
        answer = await Hooks(self).in_order(verb, body, {} if headers is None else headers, response_headers)
        return answer, response_headers

    @property
    def predictor_config(self) -> PredictorConfig | None:
        """The predictor that the server was told of."""
        return current_predictor()


async def _settled(value: Any) -> Any:
    return value


def _protocol() -> PredictorProtocol:
    config = current_predictor()
    return PredictorProtocol.REST_V1 if config is None else config.wire
