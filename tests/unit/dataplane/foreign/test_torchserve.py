"""What is said when TorchServe cannot start; and which of its workers counts as ready."""

import io
import zipfile
from pathlib import Path

import pytest

from inferplane.dataplane.foreign.torchserve import TorchServeFailed, cause, planned

LOG = """
03:03:45,532 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - model_name: flowers, batchSize: 1
03:03:45,545 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - Backend worker process died.
03:03:45,545 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - Traceback (most recent call last):
03:03:45,550 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG -     import nothing_there
03:03:45,550 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - ModuleNotFoundError: No module named 'nothing_there'
03:03:45,551 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG -
03:03:45,551 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - During handling of the above exception, another
03:03:45,560 [INFO ] W-9000-flowers_1.0-stdout MODEL_LOG - ModuleNotFoundError: No module named 'ts.bad'
"""


def test_the_cause_is_the_first_error_of_the_worker_that_died() -> None:
    assert cause(LOG) == "ModuleNotFoundError: No module named 'nothing_there'"


def test_an_error_without_words_is_one_too() -> None:
    assert (
        cause("x MODEL_LOG - Backend worker process died.\nx MODEL_LOG - ts.errors.LoadError\n")
        == "ts.errors.LoadError"
    )


def test_a_log_without_an_error_has_no_cause() -> None:
    assert cause("x MODEL_LOG - Torch worker started.\n") == ""


def test_a_directory_of_another_layout_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    with pytest.raises(TorchServeFailed) as caught:
        planned(tmp_path / "config" / "config.properties", tmp_path / "model-store", {}, "127.0.0.1", (8080,))
    assert f"{tmp_path}/model-store: TorchServe's model store is not there; {tmp_path} has model.pt" in str(
        caught.value
    )
    assert "model-store/NAME.mar and config/config.properties" in str(caught.value)


def test_a_missing_configuration_says_what_is_beside_the_store(tmp_path: Path) -> None:
    (tmp_path / "model-store").mkdir()
    with pytest.raises(TorchServeFailed) as caught:
        planned(tmp_path / "config" / "config.properties", tmp_path / "model-store", {}, "127.0.0.1", (8080,))
    assert "configuration is not there" in str(caught.value)
    assert "has model-store" in str(caught.value)


def a_store(directory: Path, archive: bytes) -> None:
    (directory / "model-store").mkdir()
    (directory / "model-store" / "a.mar").write_bytes(archive)
    (directory / "config.properties").write_text("load_models=all\n")


def refused(directory: Path) -> str:
    (directory / "java" / "bin").mkdir(parents=True)
    (directory / "java" / "bin" / "java").touch()
    environ = {"JAVA_HOME": str(directory / "java")}
    with pytest.raises(TorchServeFailed) as caught:
        planned(directory / "config.properties", directory / "model-store", environ, "127.0.0.1", (8080,))
    return str(caught.value)


def test_an_archive_that_is_cut_off_is_refused_before_anything_starts(tmp_path: Path) -> None:
    a_store(tmp_path, b"PK\x03\x04")
    assert "a.mar: not an archive of TorchServe's: 4 bytes that are neither zip nor tar" in refused(tmp_path)


def test_a_zip_file_of_something_else_is_no_archive(tmp_path: Path) -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("model.pt", b"")
    a_store(tmp_path, written.getvalue())
    assert "a.mar: not an archive of TorchServe's: no MAR-INF/MANIFEST.json in it" in refused(tmp_path)
