"""What a package offers to model authors, as JSON: `surface.py kserve` and `surface.py inferplane`.

Run under either environment's Python: the names of each module, the parameters of what can be called, and what errors
say of themselves.
"""

import importlib
import inspect
import json
import sys
from types import ModuleType

MODULES = (
    "context",
    "errors",
    "inference_client",
    "logging",
    "model",
    "model_repository",
    "model_server",
    "predictor_config",
    "protocol.infer_type",
    "protocol.model_repository_extension",
    "utils.numpy_codec",
    "utils.utils",
)


class Named:
    name = "a"


ERRORS: tuple[tuple[str, list[object], dict[str, object]], ...] = (
    ("InvalidInput", ["why"], {}),
    ("InvalidInput", [], {"reason": "why"}),
    ("InferenceError", ["why"], {}),
    ("InferenceError", [], {"reason": "why", "status": "500", "debug_details": "more"}),
    ("ModelNotFound", [], {}),
    ("ModelNotFound", ["m"], {}),
    ("ModelNotReady", ["m"], {}),
    ("ModelNotReady", [], {"model_name": "m", "detail": "why"}),
    ("ModelMissingError", [], {"path": "/p"}),
    ("UnsupportedProtocol", ["v9"], {}),
    ("UnsupportedProtocol", [], {"protocol_version": "v9"}),
    ("ServerNotReady", [], {}),
    ("ServerNotReady", ["why"], {}),
    ("ServerNotLive", [], {"detail": "why"}),
    ("NoModelReady", [[Named()]], {}),
    ("NoModelReady", [[Named(), Named()]], {"detail": "why"}),
    ("WorkersShouldBeLessThanMaxWorkersError", [1], {}),
)
ATTRIBUTES = ("reason", "status", "debug_details", "model_name", "error_msg", "path", "detail")


def parameters(of: object) -> list[list[str]] | None:
    """[name, kind, default] of each."""
    try:
        found = inspect.signature(of).parameters.values()  # type: ignore[arg-type]  # whatever is not callable raises
    except (TypeError, ValueError):
        return None
    return [[one.name, one.kind.name, "" if one.default is one.empty else repr(one.default)] for one in found]


def offered(module: ModuleType) -> dict[str, dict[str, list[list[str]] | None]]:
    """By name what can be called: itself as "", and the public methods of a class. Of KServe's what is made there."""
    found: dict[str, dict[str, list[list[str]] | None]] = {}
    for name in dir(module):
        value = getattr(module, name)
        elsewhere = module.__name__.startswith("kserve.") and getattr(value, "__module__", "") != module.__name__
        if name.startswith("_") or inspect.ismodule(value) or elsewhere:
            continue
        calls = {"": parameters(value)}
        if inspect.isclass(value):
            members = inspect.getmembers(value, inspect.isroutine)
            calls |= {key: parameters(one) for key, one in members if not key.startswith("_")}
        found[name] = calls
    return found


def said(module: ModuleType) -> list[list[object]]:
    """Of each error: its text, and the attributes that it has."""
    raised = [getattr(module, name)(*arguments, **named) for name, arguments, named in ERRORS]
    return [[str(one), {key: getattr(one, key) for key in ATTRIBUTES if hasattr(one, key)}] for one in raised]


if __name__ == "__main__":
    package = sys.argv.pop()
    modules = {name: importlib.import_module(f"{package}.{name}".rstrip(".")) for name in MODULES}
    print(json.dumps({"names": {key: offered(one) for key, one in modules.items()}, "errors": said(modules["errors"])}))
