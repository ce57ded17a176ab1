"""The library version that a container's model was saved with."""

import pickle
from pathlib import Path

import pytest

from inferplane.controlplane.node.model_versions import model_directory, recorded


def save(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"_sklearn_version": version}))


@pytest.mark.parametrize("words", [["--model_dir=/m", "--x"], ["--x", "--model_dir", "/m"], ["--model_dir=file:///m"]])
def test_the_model_directory_is_the_servers_argument(words: list[str]) -> None:
    assert model_directory(words) == Path("/m")


@pytest.mark.parametrize("words", [[], ["--model_name=x"], ["--model_dir"], ["--model_dir="]])
def test_a_server_without_the_argument_has_none(words: list[str]) -> None:
    assert model_directory(words) is None


def test_the_model_file_tells(tmp_path: Path) -> None:
    save(tmp_path / "model.joblib", "1.4.2")
    save(tmp_path / "notes.txt", "9.9.9")
    assert recorded("scikit-learn", tmp_path) == "1.4.2"


def test_models_of_a_repository_tell_together(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1" / "model.pkl", "1.4.0")
    save(tmp_path / "b" / "1" / "model.pkl", "1.4.2")
    assert recorded("scikit-learn", tmp_path) == "1.4.2"
    save(tmp_path / "c" / "1" / "model.pkl", "1.6.1")
    assert recorded("scikit-learn", tmp_path) == ""


def test_there_is_nothing_to_tell_without_a_record_a_directory_or_a_need(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1]))
    assert recorded("scikit-learn", tmp_path) == ""
    assert recorded("scikit-learn", tmp_path / "absent") == ""
    assert recorded("xgboost-cpu", tmp_path) == ""
    save(tmp_path / "model.pkl", "nightly")
    assert recorded("scikit-learn", tmp_path) == ""
