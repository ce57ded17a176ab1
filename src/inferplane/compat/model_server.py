"""`kserve.model_server`: the server, the argparse parent `parser`, and `app` for routes and middleware."""

import argparse

from inferplane.assembly.server_flags import HTTP_PORT
from inferplane.assembly.serving_api import ModelServer, app
from inferplane.assembly.serving_flags import GRPC_PORT, HTTPS_PORT, flags, parser
from inferplane.dataplane.model.predictor import PredictorConfig
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.inference.errors import NoModelReady

DEFAULT_HTTP_PORT, DEFAULT_GRPC_PORT, DEFAULT_HTTPS_PORT = HTTP_PORT, GRPC_PORT, HTTPS_PORT

args: argparse.Namespace
"""The command line, read when it is asked for."""

__all__ = [
    "DEFAULT_GRPC_PORT",
    "DEFAULT_HTTPS_PORT",
    "DEFAULT_HTTP_PORT",
    "ModelRepository",
    "ModelServer",
    "NoModelReady",
    "PredictorConfig",
    "app",
    "args",
    "parser",
]


def __getattr__(name: str) -> object:
    if name == "args":
        return flags()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
