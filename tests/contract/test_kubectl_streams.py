"""kubectl exec, attach, cp and port-forward into a pod of a whole platform; kubectl speaks WebSockets since 1.31."""

import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kubectl,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: install it to run these"),
]
WITHIN = "--timeout=80s"
SERVES = f"exec {sys.executable} -m http.server 8080 --bind $POD_IP"
PORT = 8080
PATIENCE = 60.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("streams")) as started:
        started.kubectl("apply", "-f", "-", stdin=json.dumps(pod()))
        started.kubectl("wait", "--for=condition=Ready", "pod/box", WITHIN)
        yield started


def pod() -> dict[str, object]:
    """A web server with a variable, a mount, and a second container that talks."""
    web = {
        "name": "web",
        "image": "box:1",
        "command": ["sh", "-c", SERVES],
        "env": [{"name": "COLOR", "value": "blue"}],
        "volumeMounts": [{"name": "data", "mountPath": "/mnt/data"}],
        "readinessProbe": {"tcpSocket": {"port": PORT}},
    }
    talks = "import time\nwhile True:\n    print('tick', flush=True)\n    time.sleep(0.1)"
    talker = {"name": "talker", "image": "box:1", "command": [sys.executable, "-c", talks]}
    spec = {
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [web, talker],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "box"}, "spec": spec}


def exec_(
    platform: Whole, *words: str, stdin: str = "", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = ["kubectl", "exec", "box", "-c", "web", *options, "--", *words]
    return subprocess.run(
        command, env=platform.environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def started(platform: Whole, command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Killed at the end of the block, however that comes."""
    with subprocess.Popen(
        command, env=platform.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def python(platform: Whole, code: str, *, stdin: str = "", options: tuple[str, ...] = ()) -> tuple[int, str, str]:
    done = exec_(platform, sys.executable, "-c", code, stdin=stdin, options=options)
    return done.returncode, done.stdout, done.stderr


def test_a_command_has_the_container_s_variables_and_directory(platform: Whole) -> None:
    code, said, _ = python(platform, "import os; print(os.environ['COLOR'], os.getcwd())")
    color, directory = said.split()
    assert (code, color) == (0, "blue")
    assert directory.endswith("/containers/web/root")


def test_output_errors_and_the_exit_code_come_back_apart(platform: Whole) -> None:
    code, said, errors = python(platform, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (code, said) == (7, "out\n")
    assert errors.splitlines() == ["err", "command terminated with exit code 7"]


def test_what_is_typed_is_read_to_its_end(platform: Whole) -> None:
    count = 3_000_000
    read = "import sys; print(len(sys.stdin.read()))"
    assert python(platform, read, stdin="x" * count, options=("-i",))[:2] == (0, f"{count}\n")


def test_paths_of_mounts_lead_to_the_volume(platform: Whole) -> None:
    assert exec_(platform, "sh", "-c", "echo here > /mnt/data/word").returncode == 0
    assert exec_(platform, "cat", "/mnt/data/word").stdout == "here\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("box", "-c", "web", "--", "no-such-program"), 'exec: "no-such-program": executable file not found in $PATH'),
        (("nobody", "--", "true"), 'pods "nobody" not found'),
        (("box", "-c", "other", "--", "true"), "container other is not valid for pod box"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(platform: Whole, words: tuple[str, ...], said: str) -> None:
    done = subprocess.run(
        ["kubectl", "exec", *words], env=platform.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr


def test_a_terminal_is_one_with_its_size_and_signals(platform: Whole) -> None:
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    code = (
        "import os, sys, time\n"
        "end = time.monotonic() + 60\n"
        "while os.get_terminal_size() != (101, 33) and time.monotonic() < end: time.sleep(0.01)\n"
        "try:\n"
        "    print('sized', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt: sys.exit(9)"
    )
    command = ["kubectl", "exec", "-it", "box", "-c", "web", "--", sys.executable, "-c", code]
    with subprocess.Popen(command, env=platform.environ, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        said = b""
        while b"sized" not in said:
            said += os.read(ours, 1024)  # fails once kubectl has ended
        os.write(ours, b"\x03")
    assert running.returncode == 9
    os.close(ours)


def test_a_command_ends_when_its_client_leaves(platform: Whole) -> None:
    word = "86399.125"
    command = ["kubectl", "exec", "box", "-c", "web", "--", "sleep", word]
    with started(platform, command):
        eventually(lambda: len(_with_word(word)) == 2, PATIENCE)  # kubectl's own and the command
    eventually(lambda: not _with_word(word), PATIENCE)


def _with_word(word: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if word in (one.info["cmdline"] or [])]


def test_files_are_copied_there_and_back(platform: Whole, tmp_path: Path) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "bytes").write_bytes(bytes(range(256)) * 4000)
    platform.kubectl("cp", there, "box:/mnt/data/copied", "-c", "web")
    platform.kubectl("cp", "box:/mnt/data/copied", back, "-c", "web")
    assert (back / "deep" / "bytes").read_bytes() == (there / "deep" / "bytes").read_bytes()


def test_a_whole_mount_is_copied(platform: Whole, tmp_path: Path) -> None:
    assert exec_(platform, "sh", "-c", "echo whole > /mnt/data/file").returncode == 0
    platform.kubectl("cp", "box:/mnt/data", tmp_path / "all", "-c", "web")
    assert (tmp_path / "all" / "file").read_text() == "whole\n"


def test_attach_says_what_the_container_says(platform: Whole) -> None:
    command = ["kubectl", "attach", "box", "-c", "talker"]
    with started(platform, command) as running:
        assert running.stdout is not None
        assert [running.stdout.readline() for _ in range(3)] == ["tick\n"] * 3


@contextmanager
def forwarding(platform: Whole, *ports: str) -> Iterator[dict[int, str]]:
    """The local address of each of the pod's ports."""
    command = ["kubectl", "port-forward", "box", *ports, "--address", "127.0.0.1"]
    with started(platform, command) as running:
        assert running.stdout is not None
        found: dict[int, str] = {}
        while len(found) < len(ports):
            told = re.fullmatch(r"Forwarding from (\S+) -> (\d+)\n", running.stdout.readline())
            assert told is not None
            found[int(told[2])] = told[1]
        yield found


def test_a_forwarded_port_answers_many_times(platform: Whole) -> None:
    with forwarding(platform, f":{PORT}") as found:
        for _ in range(5):
            with urllib.request.urlopen(f"http://{found[PORT]}/", timeout=30) as answer:
                assert answer.status == 200
