"""Commands beside a container's process: real ones, of this Python."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from inferplane.controlplane.node import descriptors
from inferplane.controlplane.node.execution import Command, Execution, Wanted, start

OUTPUT = Wanted()


def command(code: str, **variables: str) -> Command:
    return Command([sys.executable, "-c", code], {"PATH": os.environ["PATH"], **variables}, Path("/"))


async def said(execution: Execution) -> bytes:
    return b"".join([block async for block in descriptors.blocks(execution.stdout)])


async def test_it_has_the_variables_and_the_directory_and_no_others() -> None:
    execution = start(command("import os; print(os.getcwd(), os.environ['A'], os.environ.get('HOME'))", A="b"), OUTPUT)
    assert await said(execution) == b"/ b None\n"
    assert await execution.ended() == 0
    execution.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(3)", 3), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137)],
)
async def test_the_exit_code_is_a_shell_s(code: str, expected: int) -> None:
    execution = start(command(code), OUTPUT)
    assert await execution.ended() == expected
    execution.close()


async def test_streams_that_are_not_wanted_lead_nowhere() -> None:
    execution = start(command("import sys; print('x'); sys.exit(len(sys.stdin.read()))"), Wanted(stdout=False))
    assert (execution.stdin, execution.stdout) == (-1, -1)
    assert await execution.ended() == 0
    execution.close()


async def test_more_than_a_pipe_holds_is_written_and_read() -> None:
    execution = start(command("import sys; sys.stdout.write(sys.stdin.read())"), Wanted(stdin=True))
    reading = asyncio.create_task(said(execution))
    await descriptors.write(execution.stdin, b"x" * 1_000_000)
    execution.close_stdin()
    assert len(await reading) == 1_000_000
    assert await execution.ended() == 0
    execution.close()


async def test_a_terminal_has_a_name_and_a_size() -> None:
    code = "import os, sys; sys.stdin.readline(); print(os.ttyname(0) == os.ttyname(2), os.get_terminal_size()[:])"
    execution = start(command(code), Wanted(tty=True, stdin=True))
    execution.resize(80, 25)
    await descriptors.write(execution.stdin, b"\n")
    assert b"True (80, 25)" in await said(execution)
    assert await execution.ended() == 0
    execution.close()


async def test_what_it_leaves_behind_ends_with_it() -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid, flush=True)"
    execution = start(command(code), OUTPUT)
    assert await execution.ended() == 0
    async with asyncio.timeout(60):
        await descriptors.ended(int(await said(execution)))
    execution.close()


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        start(Command(["no-such-program"], {"PATH": "/bin"}, Path("/")), OUTPUT)


async def test_no_descriptor_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for wanted in (Wanted(stdin=True), Wanted(tty=True)):
        execution = start(command("pass"), wanted)
        await execution.ended()
        execution.close()
    with pytest.raises(FileNotFoundError):
        start(Command(["no-such-program"], {"PATH": "/bin"}, Path("/")), Wanted(stdin=True))
    assert len(os.listdir("/proc/self/fd")) == before
