from pathlib import Path

import msgspec
import pytest

from inferplane.controlplane.node.config_maps import refresh
from inferplane.controlplane.node.volumes import MountError
from inferplane.kernel.json import Json
from inferplane.resources.core import ConfigMap, Volume


def config_map(**data: str) -> ConfigMap:
    return msgspec.convert({"metadata": {"name": "c"}, "data": data}, ConfigMap)


def volume(**more: Json) -> Volume:
    return msgspec.convert({"name": "v", "configMap": {"name": "c", **more}}, Volume)


def files(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_files_become_those_of_the_config_map(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("1")
    (tmp_path / "kept").write_text("before")
    refresh(tmp_path, volume(), config_map(kept="now", new="2"))
    assert files(tmp_path) == {"kept": "now", "new": "2"}


def test_a_file_that_is_the_same_is_not_written(tmp_path: Path) -> None:
    refresh(tmp_path, volume(), config_map(a="1", b="1"))
    before = {name: (tmp_path / name).stat().st_ino for name in ("a", "b")}
    refresh(tmp_path, volume(), config_map(a="1", b="2"))
    after = {name: (tmp_path / name).stat().st_ino for name in ("a", "b")}
    assert (before["a"] == after["a"], before["b"] == after["b"]) == (True, False)


def test_a_file_keeps_the_mode_that_it_was_given(tmp_path: Path) -> None:
    refresh(tmp_path, volume(), config_map(a="1"))
    (tmp_path / "a").chmod(0o640)
    refresh(tmp_path, volume(), config_map(a="2"))
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_only_the_keys_that_are_chosen_have_files_and_a_missing_one_changes_nothing(tmp_path: Path) -> None:
    chosen = volume(items=[{"key": "a", "path": "deep/a"}])
    refresh(tmp_path, chosen, config_map(a="1", b="2"))
    assert files(tmp_path) == {"deep/a": "1"}
    with pytest.raises(MountError, match="has no key 'a'"):
        refresh(tmp_path, chosen, config_map(b="2"))
    assert files(tmp_path) == {"deep/a": "1"}


def test_a_volume_that_was_never_set_up_stays_so(tmp_path: Path) -> None:
    refresh(tmp_path / "none", volume(), config_map(a="1"))
    assert not (tmp_path / "none").exists()
