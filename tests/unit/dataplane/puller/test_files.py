from pathlib import Path

import pytest

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.puller.files import ModelFiles
from inferplane.kernel.errors import InferplaneError

ONE, TWO = ModelSpec(storage_uri="s3://b/1", framework="sklearn"), ModelSpec(storage_uri="s3://b/2")


class Store:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = False

    def __call__(self, uri: str, directory: Path) -> None:
        self.asked.append(uri)
        (directory / "model.txt").write_text(uri)
        if self.broken:
            raise InferplaneError("the store is down")


def files(root: Path) -> tuple[ModelFiles, Store]:
    store = Store()
    return ModelFiles(root, store), store


def test_a_version_is_fetched_once_and_served_from_the_models_own_name(tmp_path: Path) -> None:
    kept, store = files(tmp_path)
    assert kept.bring("m", ONE) == kept.bring("m", ONE) == kept.version("m", ONE)
    kept.place("m", ONE)
    assert (tmp_path / "m" / "model.txt").read_text() == "s3://b/1"
    assert store.asked == ["s3://b/1"]


def test_kserves_mark_tells_what_is_there_after_a_restart(tmp_path: Path) -> None:
    kept, _ = files(tmp_path)
    kept.bring("m", ONE)
    kept.place("m", ONE)
    assert [path.name for path in (tmp_path / "m").glob("SUCCESS.*")] == [f"SUCCESS.{ONE.digest}"]
    assert files(tmp_path)[0].present() == {"m": ONE}


def test_a_version_that_was_not_fetched_whole_is_not_there(tmp_path: Path) -> None:
    kept, store = files(tmp_path)
    store.broken = True
    with pytest.raises(InferplaneError):
        kept.bring("m", ONE)
    assert (kept.present(), kept.version("m", ONE).exists()) == ({}, False)
    store.broken = False
    assert kept.bring("m", ONE).is_dir()


def test_the_old_version_stays_until_the_new_one_has_its_place(tmp_path: Path) -> None:
    kept, _ = files(tmp_path)
    kept.bring("m", ONE)
    kept.place("m", ONE)
    kept.bring("m", TWO)
    assert (tmp_path / "m" / "model.txt").read_text() == "s3://b/1"
    kept.place("m", TWO)
    assert (tmp_path / "m" / "model.txt").read_text() == "s3://b/2"
    assert (kept.version("m", ONE).exists(), kept.present()) == (False, {"m": TWO})


def test_nothing_is_left_of_a_model_that_is_removed(tmp_path: Path) -> None:
    kept, _ = files(tmp_path)
    kept.bring("m", ONE)
    kept.place("m", ONE)
    kept.remove("m")
    kept.remove("m")
    assert [path.name for path in tmp_path.iterdir()] == [".models"]
    assert list((tmp_path / ".models").iterdir()) == []


def test_a_directory_of_kserves_puller_gives_way(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "old.txt").touch()
    kept, _ = files(tmp_path)
    kept.bring("m", ONE)
    kept.place("m", ONE)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [f"SUCCESS.{ONE.digest}", "model.txt"]
