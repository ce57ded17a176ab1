"""The READMEs of examples that need no platform: their commands print what they say."""

import shutil
from pathlib import Path

import pytest
from tests.manual.blocks import Reader, blocks

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "name", ["03-own-model", "04-batching", "05-transformer", "06-explainer", "07-logger", "08-graph", "09-many-models"]
)
def test_an_example_prints_what_its_readme_says(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    shutil.copytree(EXAMPLES / name, directory)
    reader = Reader(directory)
    try:
        for block in blocks(directory / "README.md"):
            if block.language == "text":
                assert reader.printed == block.text, f"{name}:{block.line}"
            else:
                reader.follow(block)
    finally:
        reader.close()
