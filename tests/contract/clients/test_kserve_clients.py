"""KServe's clients and ours, the same lines of code, against our server: the same results."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from tests.contract.grpc.serving import serving

from inferplane import InferOutput, InferRequest, InferResponse, Model

ROOT = Path(__file__).parents[3]
CONVERSATION = Path(__file__).with_name("conversation.py")
KSERVE = ("kserve==0.21.0",)


class Echo(Model):
    """V1: the instances. V2: each input comes back as an output."""

    def __init__(self, name: str, *, ready: bool = True) -> None:
        super().__init__(name)
        self.ready = ready

    def predict(self, payload: object, headers: dict[str, str]) -> object:
        if isinstance(payload, InferRequest):
            outputs = [InferOutput.decoded(one.name, one.datatype, one.view()) for one in payload.inputs]
            return InferResponse(None, self.name, outputs)
        assert isinstance(payload, dict)
        return {"predictions": payload["instances"]}


@pytest.fixture(scope="session")
def kserve_python() -> Path:
    """The Python of an environment that has `kserve`, made once."""
    python = ROOT / ".venv-peers" / "kserve" / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv")
        if uv is None:
            pytest.skip("kserve's environment is made by uv, which is not installed")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(python.parents[1])], check=True)
        made = subprocess.run(
            [uv, "pip", "install", "-q", "--python", str(python), *KSERVE], check=False, capture_output=True, text=True
        )
        if made.returncode:
            pytest.skip(f"kserve cannot be installed: {made.stderr[-500:]}")
    return python


async def conversation(python: Path, package: str, *where: str) -> dict[str, object]:
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(CONVERSATION),
        package,
        *where,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, complaint.decode()[-3000:]
    found: dict[str, object] = orjson.loads(out)
    return found


async def test_kserves_clients_and_ours_say_the_same(kserve_python: Path) -> None:
    async with serving(Echo("echo"), Echo("lazy", ready=False)) as server:
        where = (f"http://127.0.0.1:{server.http}", server.address)
        theirs = await conversation(kserve_python, "kserve", *where)
        ours = await conversation(Path(sys.executable), "inferplane", *where)
    assert theirs.keys() == ours.keys()
    different = {key: (theirs[key], ours[key]) for key in theirs if theirs[key] != ours[key]}
    assert different == {}
    # The same in both cannot be the same failure in both.
    assert ours["v1 echo infer"] == {"predictions": [[1, 2.5], ["a", None]]}
    for tensors in ("tensors mixed", "binary outputs", "grpc True"):
        answer = ours[tensors]
        assert isinstance(answer, dict)
        assert ["floats", [2, 2], "FP32", [0.10000000149011612, 2.0, 3.0, -4.5]] in answer["outputs"]
        assert ["text", [2], "BYTES", ["cat", "grün"]] in answer["outputs"]
