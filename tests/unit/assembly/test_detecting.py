"""The format of models that nobody has named, by their files."""

import logging
from pathlib import Path

import joblib
import pytest
from sklearn.svm import SVC

from inferplane.assembly.detecting import detected, disagreement
from inferplane.dataplane.runtimes.registry import UnknownFormat
from inferplane.inference.errors import ModelMissingError

ONNX = bytes.fromhex("08093a0442000a0042040a001012")


def estimator(directory: Path) -> None:
    joblib.dump(SVC().fit([[0.0], [1.0]], [0, 1]), directory / "model.joblib")


def test_what_was_found_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    estimator(tmp_path)
    with caplog.at_level(logging.INFO, "inferplane.server"):
        assert detected(tmp_path) == "sklearn"
    (said,) = caplog.messages
    assert said.startswith("found sklearn ")
    assert said.endswith("(SVC), from model.joblib")


def test_a_damaged_file_is_what_its_name_says(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"?")
    assert detected(tmp_path) == "onnx"


def test_models_of_several_formats_are_named(tmp_path: Path) -> None:
    estimator(tmp_path)
    (tmp_path / "model.onnx").write_bytes(ONNX)
    with pytest.raises(UnknownFormat, match=r"several formats: sklearn .*model\.joblib; ONNX .*model\.onnx"):
        detected(tmp_path)


def test_what_is_not_served_by_hand_says_how_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.pbtxt").write_text('backend: "python"')
    with pytest.raises(
        UnknownFormat, match=r"Triton model \(python\).*an InferenceService with modelFormat\.name: triton"
    ):
        detected(tmp_path)


@pytest.mark.parametrize(("there", "said"), [((), "found nothing"), (("notes.md",), "found notes.md")])
def test_a_directory_without_a_model_is_described(tmp_path: Path, there: tuple[str, ...], said: str) -> None:
    for name in there:
        (tmp_path / name).write_text("?")
    with pytest.raises(UnknownFormat, match=said):
        detected(tmp_path)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="absent does not exist"):
        detected(tmp_path / "absent")


def test_another_format_than_the_one_that_was_named_is_told(tmp_path: Path) -> None:
    estimator(tmp_path)
    said = disagreement("onnx", str(tmp_path))
    assert said is not None
    assert said.startswith(f"{tmp_path}: the service says onnx, model.joblib is a sklearn ")
    assert disagreement("sklearn", str(tmp_path)) is None
    assert disagreement("", str(tmp_path)) is None
    assert disagreement("onnx", "s3://bucket/model") is None
    assert disagreement("onnx", str(tmp_path / "absent")) is None
