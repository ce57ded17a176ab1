"""Tests of runtimes whose libraries are too heavy for the development environment.

`make test-runtimes` makes an environment for each of them and runs its files there; elsewhere they are not collected.
"""

import os
from importlib.util import find_spec

_NEEDS = {
    "mlflow": "mlflow",
    "pmml": "jpmml_evaluator",
    "paddle": "paddle",
    "torchserve": "ts",
    "pytorch": "torch",
    "huggingface": "transformers",
    "tensorflow": "tensorflow",
}

_FOREIGN = ("kserve", "mlserver", "triton")
"""Servers in environments that the platform of the test makes: their tests need nothing here, and take long."""

collect_ignore_glob = [f"test_{name}*.py" for name, library in _NEEDS.items() if find_spec(library) is None]
collect_ignore_glob += [f"test_{name}*.py" for name in _FOREIGN if name != os.environ.get("INFERPLANE_TESTED_RUNTIME")]
