"""Inferplane: model serving that speaks KServe.

Importing the package is cheap (no numpy, no web server): names that model authors use are resolved on first access.
Their types are in `__init__.pyi`.
"""

from importlib import import_module

__version__ = "0.1.0"

__all__ = [
    "InferInput",
    "InferOutput",
    "InferRequest",
    "InferResponse",
    "InferenceError",
    "InvalidInput",
    "Model",
    "ModelMissingError",
    "ModelNotFound",
    "ModelNotReady",
    "ModelRepository",
    "UnsupportedProtocol",
]

_HOMES = {
    "Model": "inferplane.dataplane.model.model",
    "ModelRepository": "inferplane.dataplane.model.repository",
    "InferInput": "inferplane.inference.tensors",
    "InferOutput": "inferplane.inference.tensors",
    "InferRequest": "inferplane.inference.tensors",
    "InferResponse": "inferplane.inference.tensors",
    "InferenceError": "inferplane.inference.errors",
    "InvalidInput": "inferplane.inference.errors",
    "ModelMissingError": "inferplane.inference.errors",
    "ModelNotFound": "inferplane.inference.errors",
    "ModelNotReady": "inferplane.inference.errors",
    "UnsupportedProtocol": "inferplane.inference.errors",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'inferplane' has no attribute {name!r}")
    return getattr(import_module(home), name)
