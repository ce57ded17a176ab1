"""docs/cli.md lists every cause, and marks those that end a wait."""

import re
from pathlib import Path

from inferplane.cli.main import COMMANDS
from inferplane.cli.progress import FINAL
from inferplane.cli.why.causes import Kind

MANUAL = (Path(__file__).parents[4] / "docs" / "cli.md").read_text()
ROWS = dict(re.findall(r"^\| ([A-Z][A-Za-z]+)( \*)? \|", MANUAL, re.MULTILINE))


def test_every_cause_is_in_the_manual() -> None:
    assert ROWS.keys() == {kind.value for kind in Kind}


def test_the_manual_marks_the_causes_that_end_a_wait() -> None:
    assert {name for name, mark in ROWS.items() if mark} == {kind.value for kind in FINAL}


def test_every_command_is_in_the_manual() -> None:
    assert [name for name in COMMANDS if name != "version" and f"| `{name}" not in MANUAL] == []
