"""Inferplane: model serving that speaks KServe.

Importing the package is cheap (no numpy, no web server): names that model authors use are resolved on first access.
Their types are in `__init__.pyi`. KServe's module paths (`inferplane.model_server`, …)
are found in `compat/`, where this package's search path ends (docs/decisions/0005).
"""

from importlib import import_module
from os import path

__version__ = "0.1.0"

__path__ = [*__path__, path.join(__path__[0], "compat")]

_HOMES = {
    "Model": "inferplane.dataplane.model.model",
    "InferenceVerb": "inferplane.dataplane.model.model",
    "ModelRepository": "inferplane.dataplane.model.repository",
    "ModelServer": "inferplane.assembly.serving_api",
    "PredictorConfig": "inferplane.dataplane.model.predictor",
    "PredictorProtocol": "inferplane.dataplane.model.predictor",
    "InferInput": "inferplane.inference.tensors",
    "InferOutput": "inferplane.inference.tensors",
    "InferRequest": "inferplane.inference.tensors",
    "InferResponse": "inferplane.inference.tensors",
    "RequestedOutput": "inferplane.inference.tensors",
    "TensorMetadata": "inferplane.inference.tensors",
    "get_predict_input": "inferplane.dataplane.model.payloads",
    "get_predict_response": "inferplane.dataplane.model.payloads",
    "Client": "inferplane.client.inference.sync",
    "AsyncClient": "inferplane.client.inference.aio",
    "GrpcClient": "inferplane.client.inference.grpc_client",
    "AsyncGrpcClient": "inferplane.client.inference.grpc_client",
    "InferenceRESTClient": "inferplane.client.inference.kserve_rest",
    "RESTConfig": "inferplane.client.inference.kserve_rest",
    "InferenceGRPCClient": "inferplane.client.inference.kserve_grpc",
    "InferenceError": "inferplane.inference.errors",
    "InvalidInput": "inferplane.inference.errors",
    "ModelMissingError": "inferplane.inference.errors",
    "ModelNotFound": "inferplane.inference.errors",
    "ModelNotReady": "inferplane.inference.errors",
    "UnsupportedProtocol": "inferplane.inference.errors",
}

_MODULES = ("constants", "context", "errors", "logging", "model_server", "utils")
"""Modules that are attributes of the package without having been imported, as KServe's are."""

__all__ = [*_HOMES, *_MODULES]  # noqa: PLE0604  # all are strings


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"inferplane.{name}")
    raise AttributeError(f"module 'inferplane' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
