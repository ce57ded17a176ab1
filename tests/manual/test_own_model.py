"""docs/own-model.md: its code runs and prints what the page says, and its tables are the code's."""

import builtins
import importlib
import re
from pathlib import Path

import pytest
from tests.manual.blocks import Reader, blocks

import inferplane.errors
from inferplane.assembly.serving_flags import parser
from inferplane.dataplane.server.answers import of_error
from inferplane.dataplane.server.grpc.status import of_failure

PAGE = Path(__file__).parents[2] / "docs" / "own-model.md"


def test_every_block_runs_and_prints_what_the_page_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    try:
        for block in blocks(PAGE):
            if block.language == "text":
                assert reader.printed == block.text, f"{PAGE.name}:{block.line}"
            else:
                reader.follow(block)
    finally:
        reader.close()


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without the table's head."""
    section = PAGE.read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_flag_is_on_the_page() -> None:
    flags = {option for action in parser._actions for option in action.option_strings}
    assert {row[0] for row in rows("Flags")} == flags


def test_the_pages_defaults_are_the_flags() -> None:
    for flag, default, _ in rows("Flags"):
        action = next(action for action in parser._actions if flag in action.option_strings)
        if not default.startswith("$"):
            assert default == ("none" if action.default is None else str(action.default).lower())


@pytest.mark.parametrize("row", rows("Errors"), ids=lambda row: row[0])
def test_an_error_has_the_pages_codes(row: list[str]) -> None:
    name, http, grpc = row
    error: Exception = getattr(inferplane.errors if hasattr(inferplane.errors, name) else builtins, name)("why")
    assert (str(of_error(error).status), of_failure(error).code.name) == (http, grpc)


def test_kserves_module_paths_exist() -> None:
    paths = [row[1] for row in rows("Coming from KServe")]
    assert len(paths) > 10
    for path in paths:
        importlib.import_module(path)


def test_nothing_on_the_page_is_left_unrun() -> None:
    known = {("python", "run"), ("sh", ""), ("sh", "serve"), ("text", ""), ("yaml", "")}
    for block in blocks(PAGE):
        assert (block.language, re.sub(r"file=.*", "", block.rest)) in known | {("python", "")}, block
        assert block.language != "python" or block.rest, f"line {block.line}: neither file= nor run"
