"""Tests of runtimes whose libraries are too heavy for the development environment.

`make test-runtimes` makes an environment for each of them and runs its files there; elsewhere they are not collected.
"""

from importlib.util import find_spec

_NEEDS = {"pytorch": "torch", "huggingface": "transformers"}

collect_ignore_glob = [f"test_{name}*.py" for name, library in _NEEDS.items() if find_spec(library) is None]
