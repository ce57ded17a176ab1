"""KServe's KServeClient and the `kubernetes` client, unmodified, against a whole platform."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.clients.test_kserve_clients import kserve_python
from tests.e2e.whole import EXAMPLE, Whole, whole_platform

from inferplane.kernel.json import JsonObject

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[3]
CONVERSATION = Path(__file__).with_name("cluster_conversation.py")
__all__ = ["kserve_python"]  # an environment with a newer `kubernetes`
# kserve 0.21 hands its objects to a client that takes dictionaries only since then.
PACKAGES = ("kserve==0.21.0", "kubernetes<34")


@pytest.fixture(scope="module")
def client_python() -> Path:
    """The Python of an environment that has both clients, made once."""
    python = ROOT / ".venv-peers" / "kserve-client" / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv")
        if uv is None:
            pytest.skip("the clients' environment is made by uv, which is not installed")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(python.parents[1])], check=True)
        install = [uv, "pip", "install", "-q", "--python", str(python), *PACKAGES]
        made = subprocess.run(install, check=False, capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"kserve cannot be installed: {made.stderr[-500:]}")
    return python


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with whole_platform(tmp_path_factory.mktemp("clients")) as started:
        yield started


@pytest.fixture(scope="module")
def model(platform: Whole, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a trained model is."""
    directory = tmp_path_factory.mktemp("model")
    platform.run(sys.executable, EXAMPLE / "train.py", "--out", directory)
    return directory.as_uri()


def conversation(python: Path, platform: Whole, what: str, model: str = "") -> JsonObject:
    done = subprocess.run(
        [str(python), str(CONVERSATION), what, model],
        env=platform.environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: JsonObject = json.loads(done.stdout.splitlines()[-1])
    return found


def test_kserve_client_creates_waits_for_patches_and_deletes_a_service(
    client_python: Path, platform: Whole, model: str
) -> None:
    found = conversation(client_python, platform, "kserve", model)
    assert str(found.pop("url")).startswith("http://from-kserve.default.localhost:")
    assert found == {"created": "from-kserve", "ready": True, "timeout": 77, "left": []}


def test_kserve_client_creates_waits_for_and_deletes_a_graph(client_python: Path, platform: Whole) -> None:
    found = conversation(client_python, platform, "graph", "http://model.example/")
    assert str(found.pop("url")).startswith("http://graph-from-kserve.default.localhost:")
    assert found == {"created": "graph-from-kserve"}


def test_the_kubernetes_client_watches_from_the_version_of_a_list(kserve_python: Path, platform: Whole) -> None:
    assert conversation(kserve_python, platform, "watch") == {
        "seen": [["ADDED", "1"], ["MODIFIED", "2"], ["DELETED", "2"]],
        "refused": 'configmaps "watched" not found',
    }


def test_the_kubernetes_client_elects_a_leader_and_another_when_it_fails(kserve_python: Path, platform: Whole) -> None:
    found = conversation(kserve_python, platform, "election")
    assert found == {"stopped": True, "took over": True, "led": ["first", "second"], "holder": "second"}


def test_the_kubernetes_client_runs_commands_and_forwards_ports(kserve_python: Path, platform: Whole) -> None:
    assert conversation(kserve_python, platform, "streams") == {
        "said": ["err", "out"],
        "typed": "got word\n",
        "code": 5,
        "answer": "HTTP/1.0 200 OK",
    }
