"""tritonclient's and kserve's own gRPC clients against our server, directly and through a real Envoy."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.contract.grpc.gateway import HOST, behind_envoy
from tests.contract.grpc.serving import Echo, serving

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="session")
def tritonclient() -> Path:
    return environment("triton-client", "tritonclient[grpc]>=2.60")


@pytest.fixture(scope="session")
def kserve() -> Path:
    return environment("kserve", "kserve>=0.20")


def environment(name: str, *requirements: str) -> Path:
    """The Python of an environment under .venv-peers; made with uv when it is not there."""
    python = ROOT / ".venv-peers" / name / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(python.parent.parent)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *requirements], check=True)
    return python


async def told(python: Path, script: str, *arguments: str) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        str(python), str(HERE / script), *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    return found


@asynccontextmanager
async def reachable(way: str) -> AsyncIterator[Sequence[str]]:
    """(address, authority) of a server: its gRPC port, or the gateway's port, behind which is its HTTP port."""
    async with serving(Echo()) as server:
        if way == "port":
            yield server.address, ""
            return
        async with behind_envoy(server.http) as platform:
            yield f"127.0.0.1:{platform.port}", f"{HOST}:{platform.port}"


@pytest.mark.parametrize("way", ["port", "gateway"])
async def test_tritonclient_gets_what_it_expects(way: str, tritonclient: Path) -> None:
    async with reachable(way) as (address, authority):
        found = await told(tritonclient, "peer_triton.py", address, authority, "streams")
    assert (found["live"], found["ready"], found["model_ready"]) == (True, True, True)
    assert (found["server"], found["metadata"], found["config"]) == ("inferplane", "echo", "echo")
    assert found["statistics"] == "echo"
    assert found["index"] == [{"name": "echo", "version": "1", "state": "READY"}]
    assert isinstance(found["tensors"], dict)
    assert [name for name, same in found["tensors"].items() if not same] == []
    assert (found["version_1"], found["gzip"], found["only"]) == ("seven", True, ["y"])
    assert found["unknown"] == ["StatusCode.NOT_FOUND", "Model with name nobody does not exist."]
    assert isinstance(found["version_7"], list)
    assert found["version_7"][0] == "StatusCode.NOT_FOUND"
    assert found["streamed"] == [["", "Model with name nobody does not exist."], ["good", ""]]


@pytest.mark.parametrize("way", ["port", "gateway"])
async def test_kserves_client_gets_what_it_expects(way: str, kserve: Path) -> None:
    async with reachable(way) as (address, authority):
        found = await told(kserve, "peer_kserve.py", address, authority)
    assert (found["live"], found["ready"], found["model_ready"]) == (True, True, True)
    assert found["typed"] == ["seven", [[1.5, 2.5]], False]
    assert found["raw"] == ["seven", [[1.5, 2.5]], True]
    assert found["unknown"] == ["NOT_FOUND", "Model with name nobody does not exist."]
