import subprocess
import sys

import click
import pytest

from inferplane.cli.main import COMMANDS, cli


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "serve"])
def test_every_command_is_there_and_its_help_begins_as_the_list_says(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").startswith(COMMANDS[name][1].split(":")[0].split(";")[0].rstrip("."))


def test_help_waits_for_none_of_the_libraries_that_commands_use() -> None:
    heavy = "{'aiohttp', 'yaml', 'msgspec', 'psutil', 'asyncio', 'grpc', 'numpy'}"
    script = (
        "import sys; from inferplane.cli.main import cli; cli.main(['--help'], standalone_mode=False); "
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "[]"
