"""The class that model authors subclass. Names, signatures and defaults are KServe's.

A request goes through `preprocess → validate → predict → postprocess`; each hook may be sync or async. A payload is a
dict (V1) or an InferRequest (V2); a result is whatever JSON can carry (V1), or an InferResponse (V2). `headers` is one
mutable dict a request, with lower-case keys.
"""

from collections.abc import Awaitable, Sequence
from typing import ClassVar

import numpy as np

from inferplane.inference.errors import InvalidInput, UnsupportedProtocol
from inferplane.inference.tensors import TensorMetadata


class Model:
    """One servable model. `ready` gates every request: `load` sets it."""

    takes_arrays: ClassVar[bool] = False
    """Whether V1 rows of numbers arrive as numpy arrays; authors who ported from KServe expect lists."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False

    def load(self) -> bool | Awaitable[bool]:
        """Makes the model ready to answer; false, or an exception, when it cannot."""
        self.ready = True
        return self.ready

    def stop(self) -> None:
        """Lets go of what `load` took."""
        self.ready = False

    def healthy(self) -> bool | Awaitable[bool]:
        """What the readiness endpoints report."""
        return self.ready

    def get_input_types(self) -> Sequence[TensorMetadata] | Awaitable[Sequence[TensorMetadata]]:
        """The inputs for V2 metadata; empty when not known."""
        return []

    def get_output_types(self) -> Sequence[TensorMetadata] | Awaitable[Sequence[TensorMetadata]]:
        """The outputs for V2 metadata; empty when not known."""
        return []

    def preprocess(self, payload: object, headers: dict[str, str]) -> object:
        return payload

    def validate(self, payload: object) -> object:
        """Refuses V1 payloads whose rows are not a list."""
        if isinstance(payload, dict) and not isinstance(payload.get("instances", []), list | np.ndarray):
            raise InvalidInput('Expected "instances" to be a list')
        return payload

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        raise UnsupportedProtocol(f"Model {self.name} does not implement predict.")

    def postprocess(self, result: object, headers: dict[str, str]) -> object:
        return result
