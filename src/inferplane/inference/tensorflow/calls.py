"""A call as TensorFlow Serving knows it, whatever the wire: which version, which signature, what goes in.

And what comes out. `Servables` is what a model has to be to answer such calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from inferplane.inference.errors import InferenceFailure, InvalidInput, Kind
from inferplane.inference.tensorflow.signatures import Signatures
from inferplane.inference.tensors import Array
from inferplane.kernel.json import Json


class Method(StrEnum):
    PREDICT = "predict"
    CLASSIFY = "classify"
    REGRESS = "regress"


@dataclass(frozen=True, slots=True)
class Which:
    """A version by number or by label; neither: the highest that is served."""

    version: int | None = None
    label: str = ""

    def __str__(self) -> str:
        if self.version is not None:
            return f"version {self.version}"
        return f"version label {self.label}" if self.label else "any version"


@dataclass(frozen=True, slots=True)
class Call:
    """Of predict either `rows` or `tensors`, of the others `examples`, serialised.

    `tensors` are whole ones by name; under "" is one for a signature that takes only one. `wanted` are the outputs to
    compute, all where it is empty.
    """

    method: Method
    which: Which = Which()
    signature: str = ""
    rows: "Array | Sequence[Json] | None" = None
    tensors: "Mapping[str, Array | Json] | None" = None
    examples: Sequence[bytes] = ()
    wanted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """The outputs by name, and what gave them."""

    model: str
    version: int
    signature: str
    outputs: Mapping[str, Array]


class State(StrEnum):
    """As TensorFlow Serving names them; a number on the wire."""

    START = "START"
    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@runtime_checkable
class Servables(Protocol):
    """A model of versions and signatures. Its `predict` takes a `Call` and gives an `Answered`."""

    name: str

    @property
    def states(self) -> Mapping[int, State]:
        """By version, the highest first."""
        ...

    def version_of(self, which: Which) -> int:
        """Raises UnknownVersion, UnknownLabel."""
        ...

    def signatures_of(self, version: int) -> Signatures: ...


class UnknownVersion(InferenceFailure):
    kind: ClassVar[Kind] = Kind.NOT_FOUND

    def __init__(self, model: str, version: int, served: Sequence[int]) -> None:
        super().__init__(
            f"Servable not found for request: Specific({model}, {version}); served: {', '.join(map(str, served))}"
        )


class UnknownLabel(InvalidInput):
    def __init__(self, label: str, known: Sequence[str]) -> None:
        super().__init__(f"Unrecognized servable version label: {label}; known: {', '.join(known) or 'none'}")


class NotServables(InferenceFailure):
    """The model is of another format."""

    kind: ClassVar[Kind] = Kind.UNIMPLEMENTED

    def __init__(self, model: str) -> None:
        super().__init__(f"Model with name {model} has no versions and signatures", fix="use V1 or V2 without them")


def servables(model: object) -> Servables:
    """Raises NotServables."""
    if isinstance(model, Servables):
        return model
    raise NotServables(getattr(model, "name", "?"))
