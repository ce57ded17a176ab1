"""What a platform keeps to itself: where it listens, who can read its files, what secrets and settings never reach."""

import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.e2e.whole import INFERPLANE, Whole, eventually, free_port, whole_platform

pytestmark = pytest.mark.e2e

SECRET = "correct-horse-battery-staple"
PLATFORMS_OWN = "only-for-the-platform"
MARK = "a pod that only waits"
WAITS = f"import signal; print('started', flush=True); signal.pause()  # {MARK}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    os.environ["A_SETTING"] = PLATFORMS_OWN
    try:
        with whole_platform(tmp_path_factory.mktemp("security")) as started:
            started.kubectl("create", "secret", "generic", "keys", f"--from-literal=password={SECRET}")
            started.kubectl("apply", "-f", "-", stdin=json.dumps(pod()))
            started.kubectl("wait", "--for=condition=Ready", "pod/waits", "--timeout=60s")
            yield started
    finally:
        del os.environ["A_SETTING"]


def pod() -> object:
    """It has a secret in its environment and in a file."""
    reference = {"secretKeyRef": {"name": "keys", "key": "password"}}
    container = {
        "name": "main",
        "image": "python",
        "command": ["python", "-c", WAITS],
        "env": [{"name": "PASSWORD", "valueFrom": reference}],
        "volumeMounts": [{"name": "keys", "mountPath": "/keys"}],
    }
    volumes = [{"name": "keys", "secret": {"secretName": "keys"}}]
    metadata = {"name": "waits", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container], "volumes": volumes},
    }


def family(platform: Whole) -> list[psutil.Process]:
    """The platform's processes and those of its pods."""
    roots = [psutil.Process(pid) for pid in platform.status().processes.values()]
    return [*roots, *(child for one in roots for child in children(one))]


def children(one: psutil.Process) -> list[psutil.Process]:
    try:
        return one.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def the_pod(platform: Whole) -> psutil.Process:
    found, _ = eventually(lambda: [one for one in family(platform) if MARK in " ".join(command(one))], 60)
    return found[-1]


def command(one: psutil.Process) -> list[str]:
    try:
        return one.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_nothing_listens_for_others_than_this_machine(platform: Whole) -> None:
    pids = {one.pid for one in family(platform)}
    listening = [one for one in psutil.net_connections("inet") if one.pid in pids and one.status == "LISTEN"]
    places = {one.laddr.ip for one in listening if one.laddr}
    assert places
    assert {ip for ip in places if not (ip.startswith("127.") or ip == "::1")} == set()


def test_who_holds_a_token_or_a_secret_in_a_file_holds_it_alone(platform: Whole) -> None:
    token = (platform.home / "pki" / "token").read_text().strip()
    files = [one for one in platform.home.rglob("*") if one.is_file() and not one.is_symlink()]
    holding = [one for one in files if holds(one, token) or holds(one, SECRET)]
    names = {one.name for one in holding}
    assert {"token", "kubeconfig"} <= names
    assert [str(one) for one in holding if open_to_others(platform.home, one)] == []


def holds(file: Path, words: str) -> bool:
    try:
        return words.encode() in file.read_bytes()
    except FileNotFoundError:
        # SQLite's and the node's come and go.
        return False


def open_to_others(home: Path, file: Path) -> bool:
    """Readable by others, through directories that let them pass."""
    way = [home, *(one for one in file.parents if home in one.parents)]
    passed = all(stat.S_IMODE(one.stat().st_mode) & 0o011 for one in way)
    return passed and bool(stat.S_IMODE(file.stat().st_mode) & 0o044)


def test_a_secret_is_in_no_log_no_event_and_no_argument(platform: Whole) -> None:
    assert environment(the_pod(platform))["PASSWORD"] == SECRET
    logs = [one for one in platform.home.rglob("*.log*") if one.is_file()]
    assert logs
    assert [str(one) for one in logs if holds(one, SECRET)] == []
    told = platform.kubectl("get", "events,pods", "-A", "-o", "json")
    assert (SECRET in told, "waits" in told) == (False, True)
    assert [command(one) for one in family(platform) if SECRET in " ".join(command(one))] == []


def test_a_pod_does_not_inherit_the_platforms_environment(platform: Whole) -> None:
    supervisor = psutil.Process(platform.pid("supervisor"))
    assert supervisor.environ()["A_SETTING"] == PLATFORMS_OWN
    found = environment(the_pod(platform))
    assert PLATFORMS_OWN not in found.values()
    assert {name for name in found if name.startswith("INFERPLANE_")} <= {"INFERPLANE_TERMINATION_LOG"}


def environment(one: psutil.Process) -> dict[str, str]:
    return dict(one.environ())


@pytest.mark.parametrize("place", ["0.0.0.0", "[::]:8443"])
def test_others_are_let_in_only_with_tls_and_keys_and_it_is_said_how(tmp_path: Path, place: str) -> None:
    done = subprocess.run(
        [INFERPLANE, "up", "-d", "--port", str(free_port()), "--api-port", str(free_port()), "--listen", place],
        env={**os.environ, "INFERPLANE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert (
        f"--listen {place} lets others reach the models; without TLS and API keys or JWTs anybody could" in done.stderr
    )
    for way in ("--tls-cert", "--tls-key", "--api-keys", "--jwt-issuer", "openssl req -x509", "umask 077"):
        assert way in done.stderr


def test_the_gateways_socket_is_of_loopback_alone(platform: Whole) -> None:
    """Asked from an address of this machine that is not loopback, where there is one."""
    others = [one.address for found in psutil.net_if_addrs().values() for one in found if one.family == socket.AF_INET]
    port = int(platform.gateway.rpartition(":")[2])
    for address in (one for one in others if not one.startswith("127.")):
        with socket.socket() as probe:
            assert probe.connect_ex((address, port)) != 0
