"""The errors that model authors raise and catch. Names and constructors are KServe's (docs/own-model.md)."""

from inferplane.inference.errors import (
    DeadlineExceeded,
    InferenceError,
    InferenceFailure,
    InvalidInput,
    ModelLoadError,
    ModelMissingError,
    ModelNotFound,
    ModelNotReady,
    NoModelReady,
    Overloaded,
    ServerNotLive,
    ServerNotReady,
    Unimplemented,
    UnsupportedProtocol,
    WorkersShouldBeLessThanMaxWorkersError,
)
from inferplane.kernel.errors import InferplaneError

__all__ = [
    "DeadlineExceeded",
    "InferenceError",
    "InferenceFailure",
    "InferplaneError",
    "InvalidInput",
    "ModelLoadError",
    "ModelMissingError",
    "ModelNotFound",
    "ModelNotReady",
    "NoModelReady",
    "Overloaded",
    "ServerNotLive",
    "ServerNotReady",
    "Unimplemented",
    "UnsupportedProtocol",
    "WorkersShouldBeLessThanMaxWorkersError",
]
