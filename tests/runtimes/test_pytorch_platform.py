"""PyTorch models as InferenceServices: our own runtime for them, in pods forked from a zygote that has PyTorch."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.runtimes.foreign import STANDARD, Services, isvc, services

# TorchScript is deprecated, and still what many models are saved as.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning")

ROWS = np.array([[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]], dtype=np.float32)


class Flowers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layer(x), -1)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with services(tmp_path_factory.mktemp("platform")) as found:
        yield found


@pytest.fixture(scope="module")
def flowers() -> Flowers:
    torch.manual_seed(7)
    model = Flowers()
    model.eval()
    return model


@pytest.fixture(scope="module")
def expected(flowers: Flowers) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(flowers(torch.from_numpy(ROWS)))


def exported(model: torch.nn.Module, directory: Path) -> None:
    batch = torch.export.Dim("batch")
    torch.export.save(
        torch.export.export(model, (torch.from_numpy(ROWS),), dynamic_shapes=({0: batch},)), directory / "model.pt2"
    )


def scripted(model: torch.nn.Module, directory: Path) -> None:
    torch.jit.trace(model, torch.from_numpy(ROWS)).save(directory / "model.pt")


Save = Callable[[torch.nn.Module, Path], None]


def applied(platform: Services, name: str, directory: Path, **model: object) -> None:
    told = {"modelFormat": {"name": "pytorch", "version": "2"}, "storageUri": f"file://{directory}", **model}
    platform.apply(isvc(name, STANDARD, {"predictor": {"model": told}}))


@pytest.mark.parametrize(("name", "save"), [("exported", exported), ("scripted", scripted)])
def test_a_model_is_served_through_the_gateway(
    platform: Services, flowers: Flowers, expected: np.ndarray, tmp_path: Path, name: str, save: Save
) -> None:
    save(flowers, tmp_path)
    applied(platform, name, tmp_path)
    platform.wait(name)
    status, found = platform.ask(name, f"/v1/models/{name}:predict", {"instances": ROWS.tolist()})
    assert status == 200
    np.testing.assert_allclose(found["predictions"], expected, rtol=1e-6)
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": ROWS.ravel().tolist()}
    status, found = platform.ask(name, f"/v2/models/{name}/infer", {"inputs": [tensor]})
    assert status == 200
    np.testing.assert_allclose(found["outputs"][0]["data"], expected.ravel(), rtol=1e-6)
    runtime = platform.platform.kubectl("get", f"isvc/{name}", "-o", "jsonpath={.status.clusterServingRuntimeName}")
    assert runtime == "inferplane-torchserver"


def test_the_runtimes_name_alone_chooses_it_too(platform: Services, flowers: Flowers, tmp_path: Path) -> None:
    scripted(flowers, tmp_path)
    applied(platform, "named", tmp_path, modelFormat={"name": "pytorch"}, runtime="inferplane-torchserver")
    platform.wait("named")


def test_a_pickled_module_is_refused_with_the_way_out(platform: Services, flowers: Flowers, tmp_path: Path) -> None:
    torch.save(flowers, tmp_path / "model.pth")
    applied(platform, "pickled", tmp_path)
    platform.says_why("pickled", "a pickled object, which may run code when it is opened")


FORKING = """
import os, sys
from importlib import import_module
from pathlib import Path
from inferplane.assembly import warming
rehearsal = warming.pytorch()
threads = len(os.listdir("/proc/self/task"))
rehearsal()
child = os.fork()
if child == 0:
    from inferplane.dataplane.runtimes.registry import models
    (model,) = models("pytorch", "m", Path(sys.argv[1]))
    model.load()
    model.predict({"instances": [[6.8, 2.8, 4.8, 1.4]]}, {})
    memory = dict(line.split(":") for line in open("/proc/self/smaps_rollup") if ":" in line[:20])
    private = sum(int(memory[one].split()[0]) for one in ("Private_Clean", "Private_Dirty"))
    print(threads, private // 1024, flush=True)
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("save", [exported, scripted])
def test_a_fork_of_the_zygote_predicts_and_keeps_little_of_its_own(
    flowers: Flowers, tmp_path: Path, save: Save
) -> None:
    save(flowers, tmp_path)
    found = subprocess.run(
        [sys.executable, "-c", FORKING, str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    threads, private = json.loads(f"[{','.join(found.stdout.split())}]")
    assert threads == 1
    assert private < 100  # MiB
