"""Which file is the model, for every format; which directories of a repository are models."""

import os
from pathlib import Path

import pytest

from inferplane.dataplane.runtimes.files import find_models
from inferplane.dataplane.runtimes.registry import RuntimeNotInstalled, models, runtime
from inferplane.inference.errors import ModelLoadError, ModelMissingError

HERE = ("sklearn", "xgboost", "lightgbm", "onnx")
"""Formats whose libraries the development environment has; tests/runtimes are of the others."""


@pytest.fixture(params=HERE)
def kind(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    try:
        runtime(name)
    except RuntimeNotInstalled as error:
        pytest.skip(str(error))
    return name


def loaded(kind: str, directory: Path) -> None:
    for model in models(kind, "m", directory):
        model.load()


def test_a_directory_without_a_model_tells_what_was_looked_for_and_found(kind: str, tmp_path: Path) -> None:
    (tmp_path / "weights.h5").touch()
    (tmp_path / "sub").mkdir()
    with pytest.raises(ModelMissingError) as caught:
        loaded(kind, tmp_path)
    wanted = ", ".join(runtime(kind).suffixes)
    assert str(caught.value) == (
        f"no model file in {tmp_path}: looked for one file ending in {wanted}, found sub/, weights.h5"
    )


def test_an_empty_a_missing_and_a_wrong_directory_are_told_apart(kind: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    messages = []
    for name in ("empty", "missing", "file"):
        with pytest.raises(ModelMissingError) as caught:
            loaded(kind, tmp_path / name)
        messages.append(str(caught.value).replace(str(tmp_path), ""))
    assert messages == [
        f"no model file in /empty: looked for one file ending in {', '.join(runtime(kind).suffixes)}, found nothing",
        "model directory /missing does not exist: check --model_dir",
        "/file is a file: name the directory that holds it",
    ]


def test_two_model_files_are_one_too_many(kind: str, tmp_path: Path) -> None:
    suffix = runtime(kind).suffixes[0]
    for name in ("a", "b"):
        (tmp_path / f"{name}{suffix}").touch()
    with pytest.raises(ModelLoadError, match=rf"More than one model file is detected.*: a{suffix}, b{suffix}$"):
        loaded(kind, tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"{", b"\x80\x04", b"tree\n", b"\x08\x09"])
def test_a_file_of_another_kind_is_one_line_with_the_file_and_the_fix(
    kind: str, content: bytes, tmp_path: Path
) -> None:
    for suffix in runtime(kind).suffixes:
        directory = tmp_path / suffix[1:]
        directory.mkdir()
        (directory / f"model{suffix}").write_bytes(content)
        with pytest.raises(ModelLoadError) as caught:
            loaded(kind, directory)
        text = str(caught.value)
        assert text.startswith(f"{directory}/model{suffix}: ")
        assert caught.value.fix
        assert "\n" not in text
        assert "Stack trace" not in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any file")
def test_a_file_that_may_not_be_read_is_named(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"model{runtime(kind).suffixes[0]}"
    file.touch(mode=0o000)
    with pytest.raises(ModelLoadError, match=r"cannot be read: Permission denied: check its permissions$"):
        loaded(kind, tmp_path)


def test_sub_directories_with_a_model_are_models_named_after_them(tmp_path: Path) -> None:
    for name in ("b", "a", "notes", ".hidden"):
        (tmp_path / name).mkdir()
    for file in ("b/model.json", "a/model.ubj", ".hidden/model.json", "notes/README.md"):
        (tmp_path / file).touch()
    assert find_models(tmp_path, (".json", ".ubj")) == [("a", tmp_path / "a"), ("b", tmp_path / "b")]


def test_the_latest_version_of_a_triton_repository_is_taken(tmp_path: Path) -> None:
    for version in ("2", "10", "11"):
        (tmp_path / "resnet" / version).mkdir(parents=True)
    for version in ("2", "10"):
        (tmp_path / "resnet" / version / "model.onnx").touch()
    (tmp_path / "resnet" / "config.pbtxt").touch()
    assert find_models(tmp_path, (".onnx",)) == [("resnet", tmp_path / "resnet" / "10")]
    assert find_models(tmp_path / "resnet", (".onnx",)) == [("", tmp_path / "resnet" / "10")]


def test_a_model_file_beside_sub_directories_is_the_model(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for file in ("model.json", "sub/model.json"):
        (tmp_path / file).touch()
    assert find_models(tmp_path, (".json",)) == [("", tmp_path)]
