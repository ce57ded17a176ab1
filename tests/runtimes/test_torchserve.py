"""TorchServe, from its package, behind our own server: archives and `config.properties` as they are for KServe's image.

V1 and V2 by the envelope that the protocol asks for, gRPC, requests joined and logged, asleep and awake, several on one
machine though their files say the same ports, and what is said of archives that cannot be served.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.e2e.sinks import Sink, sink
from tests.runtimes.foreign import KNATIVE, STANDARD, Services, isvc, services

pytestmark = [
    pytest.mark.e2e,
    # TorchScript is deprecated, and what TorchServe's archives mostly hold.
    pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit:DeprecationWarning"),
]

ROWS = [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]
HANDLER = '''
import torch
from ts.torch_handler.base_handler import BaseHandler


class Flowers(BaseHandler):
    """Rows by V1's envelope, tensors by V2's: an answer for each."""

    def preprocess(self, data):
        self.by_tensor = isinstance(data[0], dict)
        rows = data[0]["data"] if self.by_tensor else data
        return torch.tensor(rows, dtype=torch.float32, device=self.device)

    def postprocess(self, data):
        return [data.tolist()] if self.by_tensor else data.tolist()
'''
# As KServe's examples have it.
CONFIG = """inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://0.0.0.0:8082
grpc_inference_port=7070
grpc_management_port=7071
enable_envvars_config=true
install_py_dep_per_model=true
enable_metrics_api=true
metrics_mode=prometheus
NUM_WORKERS=1
number_of_netty_threads=4
job_queue_size=10
model_store=/mnt/models/model-store
model_snapshot={"name":"startup.cfg","modelCount":1,"models":{"NAME":{"1.0":{"defaultVersion":true,"marName":"NAME.mar",\
"minWorkers":1,"maxWorkers":5,"batchSize":1,"maxBatchDelay":10,"responseTimeout":120}}}}
"""


class Flowers(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layer(x), -1)


def archived(directory: Path, name: str, handler: str = HANDLER) -> list[list[float]]:
    """A model directory for TorchServe, made by its archiver. Returns what PyTorch says of ROWS."""
    store = directory / "model-store"
    store.mkdir(parents=True)
    (directory / "config").mkdir()
    (directory / "config" / "config.properties").write_text(CONFIG.replace("NAME", name))
    torch.manual_seed(7)
    model = Flowers().eval()
    file, code = directory.parent / f"{name}.pt", directory.parent / f"{name}_handler.py"
    torch.jit.trace(model, torch.tensor(ROWS)).save(file)
    code.write_text(handler)
    words = [str(Path(sys.executable).with_name("torch-model-archiver")), f"--model-name={name}", "--version=1.0"]
    words += [f"--serialized-file={file}", f"--handler={code}", f"--export-path={store}"]
    subprocess.run(words, check=True)
    with torch.no_grad():
        found: list[list[float]] = model(torch.tensor(ROWS)).tolist()
    return found


def predictor(directory: Path, protocol: str, **more: object) -> dict[str, object]:
    model = {"modelFormat": {"name": "pytorch"}, "protocolVersion": protocol, "storageUri": f"file://{directory}"}
    # Whichever runtime is chosen for PyTorch: this one is asked for.
    return {"model": {**model, "runtime": "kserve-torchserve"}, **more}


@dataclass(frozen=True)
class Tried:
    services: Services
    sink: Sink
    said: list[list[float]]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    directory = tmp_path_factory.mktemp("torchserve")
    said = archived(directory / "flowers", "flowers")
    archived(directory / "broken", "broken", "import nothing_there\n")
    archived(directory / "cut", "cut")
    (directory / "cut" / "model-store" / "cut.mar").write_bytes(b"PK\x03\x04")
    (directory / "flat").mkdir()
    (directory / "flat" / "model.pt").touch()
    with sink() as arrived, services(directory) as found:
        sleepy = {"minReplicas": 0, "logger": {"mode": "all", "url": arrived.url}, "batcher": {"maxBatchSize": 8}}
        found.apply(
            isvc("by-v1", KNATIVE, {"predictor": predictor(directory / "flowers", "v1", **sleepy)}),
            isvc("by-v2", STANDARD, {"predictor": predictor(directory / "flowers", "v2")}),
        )
        found.wait("by-v1", "by-v2")
        for name in ("broken", "cut", "flat"):
            found.apply(isvc(name, STANDARD, {"predictor": predictor(directory / name, "v1")}))
        yield Tried(found, arrived, said)


def test_v1_answers_are_pytorchs_though_they_are_joined_and_logged(tried: Tried) -> None:
    before = len(tried.sink.events)
    status, found = tried.services.ask("by-v1", "/v1/models/flowers:predict", {"instances": ROWS})
    assert status == 200, found
    assert np.array(found["predictions"]) == pytest.approx(np.array(tried.said))
    assert set(found) == {"message", "batchId", "predictions"}  # the form of KServe's batcher
    kinds = [one.kind for one in tried.sink.wait(before + 2)[before:]]
    assert sorted(kinds) == ["request", "response"]


def test_v2_answers_are_pytorchs(tried: Tried) -> None:
    found = tried.services.infer("by-v2", ROWS, "flowers", "FP32")
    assert found == pytest.approx(np.array(tried.said).ravel())


def test_grpc_answers_are_pytorchs(tried: Tried) -> None:
    found = tried.services.infer_grpc("by-v2", {"x": np.array(ROWS, dtype=np.float32)}, "flowers")
    assert found["x"] == pytest.approx(np.array(tried.said).ravel())


def test_health_readiness_and_metadata_come_through_the_gateway(tried: Tried) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/flowers/ready", "/v1/models/flowers"):
        assert tried.services.ask("by-v2", path)[0] == 200, path
    assert tried.services.ask("by-v2", "/v2/models/flowers")[1]["name"] == "flowers"
    assert tried.services.ask("by-v1", "/v1/models")[1] == {"models": ["flowers"]}


def test_the_other_protocol_is_refused_with_the_way_to_have_it(tried: Tried) -> None:
    status, found = tried.services.ask("by-v2", "/v1/models/flowers:predict", {"instances": ROWS})
    assert status == 400
    assert "set protocolVersion: v1 in the InferenceService" in found["error"]


def test_torchserves_own_words_reach_who_asked(tried: Tried) -> None:
    status, found = tried.services.ask("by-v1", "/v1/models/flowers:predict", {"instances": [["a", "b", "c", "d"]]})
    assert (status, found["message"]) == (503, "Prediction failed")


def test_its_metrics_are_where_its_file_says(tried: Tried) -> None:
    path = "jsonpath={.items[0].status.podIP}"
    words = ("get", "pods", "-l", "serving.kserve.io/inferenceservice=by-v2", "-o", path)
    address = tried.services.platform.kubectl(*words)
    found = tried.services.platform.run(
        sys.executable, "-c", f"import urllib.request as u; print(u.urlopen('http://{address}:8082/metrics').read())"
    )
    assert "ts_inference_requests_total" in found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "broken",
            "TorchServe cannot load broken: its worker died: ModuleNotFoundError: No module named 'nothing_there'",
        ),
        ("cut", "cut.mar: not an archive of TorchServe's: 4 bytes that are neither zip nor tar, or cut off"),
        ("flat", "TorchServe's model store is not there"),
    ],
)
def test_an_archive_that_cannot_be_served_says_why(tried: Tried, name: str, words: str) -> None:
    tried.services.says_why(name, words)
    tried.services.delete(name)


def test_it_sleeps_and_wakes_for_whoever_comes(tried: Tried) -> None:
    tried.services.sleeps("by-v1")
    status, found = tried.services.ask("by-v1", "/v1/models/flowers:predict", {"instances": ROWS[:1]})
    assert status == 200, found
    assert np.array(found["predictions"]) == pytest.approx(np.array(tried.said[:1]))
