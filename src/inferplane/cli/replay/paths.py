"""The model in a path of V1 or V2: what was recorded of one model is asked of another. Pure."""

import re
from urllib.parse import quote, unquote

_MODEL = re.compile(r"(?P<before>.*?/v[12]/models/)(?P<model>[^/:?]+)(?P<after>.*)", re.DOTALL)
_VERSION = re.compile(r"^/versions/[^/]+(?=/)")
GRPC = "/inference.GRPCInferenceService/"


def model_of(path: str) -> str:
    """Empty for a path without one."""
    found = _MODEL.fullmatch(path)
    return unquote(found["model"]) if found else ""


def with_model(path: str, model: str) -> str:
    """The same call of another model, whose versions are its own: a version that was asked for is left out."""
    found = _MODEL.fullmatch(path)
    if found is None or unquote(found["model"]) == model:
        return path
    return found["before"] + quote(model, safe="") + _VERSION.sub("", found["after"])
