from pathlib import Path

import pytest

from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.local import fetch


def model_at(directory: Path) -> Path:
    (directory / "sub").mkdir(parents=True)
    (directory / "model.joblib").write_text("weights")
    return directory


@pytest.mark.parametrize("prefix", ["", "file://", "file://localhost"])
def test_top_level_entries_are_linked_into_the_destination(tmp_path: Path, prefix: str) -> None:
    source, destination = model_at(tmp_path / "a model"), tmp_path / "mnt" / "models"
    assert fetch(f"{prefix}{source}", destination) == destination
    assert {entry.name: entry.readlink() for entry in destination.iterdir()} == {
        "model.joblib": source / "model.joblib",
        "sub": source / "sub",
    }


def test_percent_signs_in_a_file_uri_are_decoded(tmp_path: Path) -> None:
    source = model_at(tmp_path / "a model")
    assert fetch(f"file://{tmp_path}/a%20model") == source


def test_a_single_file_is_linked_by_its_name(tmp_path: Path) -> None:
    source = model_at(tmp_path / "m") / "model.joblib"
    fetch(str(source), tmp_path / "models")
    assert (tmp_path / "models" / "model.joblib").read_text() == "weights"


def test_without_a_destination_the_directory_is_used_in_place(tmp_path: Path) -> None:
    source = model_at(tmp_path / "m")
    assert fetch(str(source)) == source
    assert fetch(f"file://{source}/model.joblib") == source


def test_doing_it_again_leads_to_the_new_place(tmp_path: Path) -> None:
    old, new, destination = model_at(tmp_path / "old"), model_at(tmp_path / "new"), tmp_path / "models"
    fetch(str(old), destination)
    fetch(str(new), destination)
    assert (destination / "model.joblib").readlink() == new / "model.joblib"


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    source, destination = model_at(tmp_path / "m"), model_at(tmp_path / "models")
    with pytest.raises(StorageError, match=r"is in the way of the model's model.joblib: remove it$"):
        fetch(str(source), destination)


@pytest.mark.parametrize("uri", ["/no/such/model", "file:///no/such/model"])
def test_what_is_not_there_cannot_be_located(uri: str) -> None:
    with pytest.raises(StorageError) as caught:
        fetch(uri)
    assert str(caught.value) == f"Cannot locate source uri {uri}: there is no /no/such/model on this machine"


def test_a_file_uri_with_a_host_is_refused() -> None:
    with pytest.raises(StorageError, match=r"file URIs name no host: write file:///the/path"):
        fetch("file://models/iris")
