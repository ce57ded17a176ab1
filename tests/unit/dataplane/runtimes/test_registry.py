import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import pytest

from inferplane.dataplane.runtimes.registry import FORMATS, RuntimeNotInstalled, UnknownFormat, runtime

HERE = {
    "sklearn": (".joblib", ".pkl", ".pickle"),
    "xgboost": (".bst", ".json", ".ubj"),
    "lightgbm": (".bst", ".txt"),
    "onnx": (".onnx",),
}
"""Formats whose libraries the development environment has; tests/runtimes are of the others."""


def test_every_known_format_has_a_runtime() -> None:
    assert [name for name, known in FORMATS.items() if find_spec(known.module) is None] == []
    assert {name: runtime(name).suffixes for name in HERE} == HERE


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UnknownFormat, match=r"format 'onyx': use one of sklearn, xgboost, lightgbm, onnx, "):
        runtime("onyx")


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_sklearn(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> object:
        if name == "sklearn":
            raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.delitem(sys.modules, "inferplane.dataplane.runtimes.sklearn", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    with pytest.raises(
        RuntimeNotInstalled, match=r"imported: No module named 'sklearn': pip install 'inferplane\[sklearn\]'$"
    ):
        runtime("sklearn")
