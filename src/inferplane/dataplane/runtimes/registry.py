"""Model formats by name. A runtime's libraries are imported when its format is asked for, not before."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from inferplane.dataplane.model.model import Model
from inferplane.kernel.errors import InferplaneError


class Runtime(Protocol):
    """A runtime module's model class."""

    def __call__(self, name: str, directory: Path, *, predict_proba: bool = False) -> Model: ...


@dataclass(frozen=True, slots=True)
class Format:
    """`extra` is the distribution's extra that brings the runtime's libraries."""

    module: str
    attribute: str
    extra: str


FORMATS = {
    "sklearn": Format("inferplane.dataplane.runtimes.sklearn", "SKLearnModel", "sklearn"),
}


class UnknownFormat(InferplaneError):
    pass


class RuntimeNotInstalled(InferplaneError):
    pass


def runtime(format: str) -> Runtime:
    """The model class for `format`, imported now."""
    known = FORMATS.get(format)
    if known is None:
        raise UnknownFormat(f"no runtime for the model format {format!r}", fix=f"use one of {', '.join(FORMATS)}")
    try:
        module = import_module(known.module)
    except ImportError as error:
        raise RuntimeNotInstalled(
            f"the {format} runtime cannot be imported: {error}", fix=f"pip install 'inferplane[{known.extra}]'"
        ) from error
    return cast(Runtime, getattr(module, known.attribute))
