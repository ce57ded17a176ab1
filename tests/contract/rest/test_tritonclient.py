"""tritonclient's HTTP client, in an environment of its own, against our server."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.rest.running import Running, running

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parents[2] / ".venv-peers" / "triton-http"


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the environment; made with uv when it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(ENVIRONMENT)], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(python), "tritonclient[http]>=2.60"], check=True
        )
    return python


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


def test_tritonclient_gets_what_it_expects(python: Path, server: Running) -> None:
    command = [str(python), str(HERE / "peer_triton.py"), f"127.0.0.1:{server.port}"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    told = json.loads(out)
    assert (told["live"], told["ready"], told["server"]) == (True, False, "inferplane")  # one model is never ready
    assert told["model_ready"] == [True, True, False]
    assert told["metadata"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert told["config"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}]
    assert told["index"] == ["m", "shaped", "talking", "unready"]
    assert [name for form in ("binary", "json") for name, same in told[form].items() if not same] == []
    assert (told["mixed"], told["gzip"], told["statistics"]) == ([True, True], True, True)
    assert told["classes"].endswith(":0")
    assert told["unknown"] == ["404", "Model with name nobody does not exist."]
    assert told["version_7"][0] == "404"
