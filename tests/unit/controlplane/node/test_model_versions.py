"""The library version that a container's model was saved with."""

import pickle
from pathlib import Path

import pytest

from inferplane.controlplane.node.model_versions import listed, model_directory, recorded


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


MLMODEL = """
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {sklearn_version: 1.4.2}
"""


def mlflow_model(directory: Path, requirements: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "MLmodel").write_text(MLMODEL)
    (directory / "requirements.txt").write_text(requirements)
    return directory


def test_an_mlflow_model_lists_what_it_needs(tmp_path: Path) -> None:
    mlflow_model(tmp_path, "mlflow==3.1.0\nscikit-learn==1.4.2\nprophet==1.1.5\n")
    assert listed(tmp_path, pinned=True) == ("prophet==1.1.*", "scikit-learn==1.4.*")
    assert listed(tmp_path, pinned=False) == ("prophet", "scikit-learn")


def test_two_models_that_differ_in_a_version_get_any(tmp_path: Path) -> None:
    mlflow_model(tmp_path / "a", "scikit-learn==1.4.2\nprophet==1.1.5\n")
    mlflow_model(tmp_path / "b", "scikit-learn==1.4.0\nprophet==1.0.0\n")
    assert listed(tmp_path, pinned=True) == ("prophet", "scikit-learn==1.4.*")


def test_a_directory_without_an_mlflow_model_lists_nothing(tmp_path: Path) -> None:
    assert listed(tmp_path, pinned=True) == ()
    (tmp_path / "MLmodel").write_text("[]")
    assert listed(tmp_path, pinned=True) == ()


def test_xgboosts_old_binary_files_want_the_last_version_that_reads_them(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_bytes(b"binf" + bytes(200))
    assert recorded("xgboost-cpu", tmp_path) == "3.0"
    (tmp_path / "model.bst").write_bytes(b'{"learner": {}}')
    assert recorded("xgboost-cpu", tmp_path) == ""
