"""The libraries of explainers, or why a test cannot have one."""

import warnings
from importlib import import_module
from types import ModuleType

import pytest


def library(name: str) -> ModuleType:
    """The library; skips the whole module where it is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError as error:
        pytest.skip(f"needs inferplane[{name}]: {error}", allow_module_level=True)
