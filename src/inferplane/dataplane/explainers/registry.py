"""Explainers by name. Their libraries are imported when one is asked for, not before."""

import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from inferplane.kernel.errors import InferplaneError


@dataclass(frozen=True, slots=True)
class Explainer:
    """`extra` is the distribution's extra that brings the library."""

    module: str
    extra: str


EXPLAINERS = {
    "shap": Explainer("inferplane.dataplane.explainers.shap", "shap"),
    "lime": Explainer("inferplane.dataplane.explainers.lime", "lime"),
    "art": Explainer("inferplane.dataplane.explainers.art", "art"),
}


class ExplainerNotInstalled(InferplaneError):
    pass


def module_of(name: str) -> ModuleType:
    """The module of one of `EXPLAINERS`, with its model class and `Options`."""
    known = EXPLAINERS[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of frameworks that the library knows too and that are not here
            return import_module(known.module)
    except ImportError as error:
        raise ExplainerNotInstalled(
            f"the {name} explainer cannot be imported: {error}", fix=f"pip install 'inferplane[{known.extra}]'"
        ) from error
