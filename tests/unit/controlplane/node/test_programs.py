from pathlib import Path

from inferplane.controlplane.node.programs import nowhere, present


def test_a_program_is_there_by_path_or_by_name(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.touch(mode=0o755)
    (tmp_path / "text").touch(mode=0o644)
    has = present(str(tmp_path))
    assert (has(str(file)), has("tool")) == (True, True)
    assert (has(str(tmp_path / "text")), has("text"), has("/none/tool"), has("ls")) == (False, False, False, False)


def test_no_machine_in_particular_has_none() -> None:
    assert not nowhere("sh")
