"""The pod's predictor in the transformer's own process, where the controller says so (`serving/collocation.py`)."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from inferplane.assembly.model_server_options import UsageError, parse
from inferplane.assembly.serving_api import VARIABLE
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.runtimes.options import RuntimeOptions
from inferplane.dataplane.runtimes.registry import models
from inferplane.dataplane.server.near import NearPredictor
from inferplane.kernel.errors import InferplaneError


class CollocationFailed(InferplaneError):
    pass


def collocated(environ: Mapping[str, str]) -> NearPredictor | None:
    """Loads the models that the variable's arguments name; None where there is no such variable.

    Raises CollocationFailed, and what their loading raises.
    """
    text = environ.get(VARIABLE)
    if not text:
        return None
    try:
        options = parse([str(word) for word in json.loads(text)])
    except (UsageError, ValueError, TypeError, SystemExit) as error:
        raise CollocationFailed(f"{VARIABLE}: expected the arguments of a model server as JSON: {error}") from error
    # Read by the OpenMP of libraries that are imported after this.
    os.environ.setdefault("OMP_NUM_THREADS", str(options.nthread))
    wanted = RuntimeOptions(
        method=options.predict_method,
        predict_proba=environ.get("PREDICT_PROBA", "false").lower() == "true",
        nthread=options.nthread,
        providers=options.providers,
        device=options.device,
        allow_pickle_globals=options.allow_pickle_globals,
    )
    found = [_loaded(one) for one in models(options.format, options.model_name, Path(options.model_dir), wanted)]
    return NearPredictor(found, options.execution)


def _loaded(model: Model) -> Model:
    if not model.load():
        raise CollocationFailed(f"model {model.name} did not load")
    return model
