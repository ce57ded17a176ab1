"""MLServer for XGBoost, LightGBM and MLflow, and each feature of the agent before it.

Requests are joined and logged by the agent; pods end and come again; what answers is what the library answers itself.
A transformer and a graph lead to it, its gRPC port answers through the gateway, its models come by TrainedModels, what
it is asked is recorded and replayed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.e2e.sinks import Sink, sink
from tests.e2e.whole import INFERPLANE, eventually
from tests.runtimes.foreign import KNATIVE, PATIENCE, STANDARD, Services, environment, isvc, run_in, services, v2

pytestmark = pytest.mark.e2e

IMAGE = "docker.io/seldonio/mlserver:1.7.1"
ROWS = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]
# Each prints what the library says of ROWS; the first argument is the model's directory, the second ROWS.
BEGIN = """
import json, sys
import numpy as np
directory, rows = sys.argv[1], np.array(json.loads(sys.argv[2]))
draw = np.random.default_rng(7)
x = draw.uniform(0, 8, (200, 4))
y = x[:, 0] - 2 * x[:, 3]
"""
XGBOOST = f"""{BEGIN}
import xgboost
model = xgboost.XGBRegressor(n_estimators=10, n_jobs=1).fit(x, y)
model.save_model(f"{{directory}}/model.json")
print(json.dumps(model.predict(rows).tolist()))
"""
LIGHTGBM = f"""{BEGIN}
import lightgbm
told = {{"verbose": -1, "num_threads": 1}}
model = lightgbm.train(told, lightgbm.Dataset(x, y, params=told), 10)
model.save_model(f"{{directory}}/model.bst")
print(json.dumps(model.predict(rows).tolist()))
"""
MLFLOW = f"""{BEGIN}
import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit(x, y)
mlflow.sklearn.save_model(model, f"{{directory}}/m", signature=infer_signature(x, y), pip_requirements=["scikit-learn"])
import os
for one in os.listdir(f"{{directory}}/m"):
    os.rename(f"{{directory}}/m/{{one}}", f"{{directory}}/{{one}}")
print(json.dumps(model.predict(rows).tolist()))
"""


@dataclass(frozen=True)
class Format:
    name: str
    implementation: str
    train: str


FORMATS = (
    Format("xgboost", "mlserver_xgboost.XGBoostModel", XGBOOST),
    Format("lightgbm", "mlserver_lightgbm.LightGBMModel", LIGHTGBM),
    Format("mlflow", "mlserver_mlflow.MLflowRuntime", MLFLOW),
)
IN_PROCESS = [{"name": "MLSERVER_PARALLEL_WORKERS", "value": "0"}]
TRANSFORMER = '''
import argparse

from inferplane import InferInput, InferRequest, Model, ModelServer, model_server


class Tenth(Model):
    """A tenth of each number, before the predictor sees it."""

    def preprocess(self, payload, headers=None):
        [tensor] = payload.inputs
        made = InferInput(tensor.name, tensor.shape, tensor.datatype)
        made.set_data_from_numpy(tensor.as_numpy() / 10, binary_data=False)
        return InferRequest(self.name, [made], request_id=payload.id)


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()
model = Tenth(args.model_name)
model.load()
ModelServer(enable_grpc=False).start([model])
'''


def model(format: str, directory: Path, **more: object) -> dict[str, object]:
    return {
        "modelFormat": {"name": format},
        "protocolVersion": "v2",
        "storageUri": f"file://{directory}",
        "env": IN_PROCESS,
        **more,
    }


def sleepy(one: Format, directory: Path, url: str) -> dict[str, object]:
    predictor = {
        "minReplicas": 0,
        "batcher": {"maxBatchSize": 8, "maxLatency": 100},
        "logger": {"mode": "all", "url": url},
        "model": model(one.name, directory),
    }
    return isvc(one.name, KNATIVE, {"predictor": predictor})


def dressed(script: Path, directory: Path) -> dict[str, object]:
    """A transformer before LightGBM, in Standard mode."""
    container = {
        "name": "kserve-container",
        "image": "example.test/tenth:1",
        "command": [sys.executable, str(script)],
        "args": ["--predictor_protocol=v2"],
    }
    spec = {"predictor": {"model": model("lightgbm", directory)}, "transformer": {"containers": [container]}}
    return isvc("dressed", STANDARD, spec)


def by_grpc(directory: Path) -> dict[str, object]:
    ports = [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    return isvc("by-grpc", KNATIVE, {"predictor": {"model": model("lightgbm", directory, ports=ports)}})


GRAPH = {
    "apiVersion": "serving.kserve.io/v1alpha1",
    "kind": "InferenceGraph",
    "metadata": {"name": "led", "annotations": {"serving.kserve.io/deploymentMode": STANDARD}},
    "spec": {"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceName": "lightgbm"}]}}},
}


@dataclass(frozen=True)
class Tried:
    services: Services
    said: dict[str, list[float]]
    """What the library itself says of ROWS, by format."""
    sinks: dict[str, Sink]
    files: dict[str, Path]
    models: Path


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    directory = tmp_path_factory.mktemp("mlserver")
    made = {one.name: environment(IMAGE, {"MLSERVER_MODEL_IMPLEMENTATION": one.implementation}) for one in FORMATS}
    said: dict[str, list[float]] = {}
    for one in FORMATS:
        (directory / one.name).mkdir()
        said[one.name] = run_in(made[one.name], one.train, directory / one.name, json.dumps(ROWS))
    script = directory / "tenth.py"
    script.write_text(TRANSFORMER)
    with sink() as first, sink() as second, sink() as third, services(directory) as found:
        sinks = dict(zip((one.name for one in FORMATS), (first, second, third), strict=True))
        files = {one.name: directory / f"events-{one.name}" for one in FORMATS}
        for one in FORMATS:
            found.apply(sleepy(one, directory / one.name, f"{sinks[one.name].url},file://{files[one.name]}"))
        found.apply(dressed(script, directory / "lightgbm"), by_grpc(directory / "lightgbm"), GRAPH)
        found.wait(*(one.name for one in FORMATS), "dressed", "by-grpc", "ig/led")
        yield Tried(found, said, sinks, files, directory)


@pytest.fixture(scope="module", params=[one.name for one in FORMATS])
def name(request: pytest.FixtureRequest) -> str:
    """Of the module, so that the tests of one format follow each other: its server falls asleep soon."""
    return str(request.param)


def test_answers_are_the_librarys_though_requests_are_joined(tried: Tried, name: str) -> None:
    found = tried.services.at_once(name, ROWS)
    assert [number for [number] in found] == pytest.approx(tried.said[name], rel=1e-6)
    assert tried.services.containers(name) == ["kserve-container", "agent"]


def test_every_request_is_two_events_in_each_sink(tried: Tried, name: str) -> None:
    arrived, row = tried.sinks[name], [1.0, 2.0, 3.0, float(len(name))]
    before = len(arrived.events)
    answer = tried.services.infer(name, [row])
    pair = arrived.wait(before + 2)[before:]
    request, response = sorted(pair, key=lambda one: one.kind)
    assert (request.kind, response.kind, request.id) == ("request", "response", response.id)
    assert json.loads(request.body)["inputs"][0]["data"] == row
    assert json.loads(response.body)["outputs"][0]["data"] == answer

    def written() -> bool:
        lines = [line for file in tried.files[name].glob("*.jsonl") for line in file.read_text().splitlines()]
        return sum(request.id in line for line in lines) == 2

    eventually(written, PATIENCE)


def test_health_readiness_and_metadata_come_through_the_gateway(tried: Tried, name: str) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{name}/ready"):
        assert tried.services.ask(name, path)[0] == 200, path
    assert tried.services.ask(name, f"/v2/models/{name}")[1]["name"] == name
    assert tried.services.ask(name, "/v2")[1]["name"] == "mlserver"


def test_an_mlflow_models_signature_is_in_the_metadata(tried: Tried) -> None:
    [tensor] = tried.services.ask("mlflow", "/v2/models/mlflow")[1]["inputs"]
    assert (tensor["datatype"], tensor["shape"]) == ("FP64", [-1, 4])


def test_what_mlserver_refuses_is_its_senders_to_know(tried: Tried) -> None:
    status, found = tried.services.ask("lightgbm", "/v2/models/lightgbm/infer", v2([[1.0, 2.0]]))
    assert status >= 400, found
    assert tried.services.ask("lightgbm", "/v2/models/other/infer", v2(ROWS))[0] == 404


def test_its_grpc_port_answers_through_the_gateway(tried: Tried) -> None:
    found = tried.services.infer_grpc("by-grpc", {"x": np.array(ROWS)})
    assert found["predict"].ravel().tolist() == pytest.approx(tried.said["lightgbm"])


def test_a_transformer_stands_before_it(tried: Tried) -> None:
    tens = [[10 * number for number in row] for row in ROWS]
    assert tried.services.infer("dressed", tens) == pytest.approx(tried.said["lightgbm"])


def test_a_graph_leads_to_it(tried: Tried) -> None:
    status, found = tried.services.ask("led", "/", v2(ROWS), "ig")
    assert status == 200, found
    assert found["outputs"][0]["data"] == pytest.approx(tried.said["lightgbm"])


def test_what_it_is_asked_is_recorded_and_replayed(tried: Tried, tmp_path: Path) -> None:
    file, platform = tmp_path / "asked.jsonl", tried.services.platform
    words: list[str | Path] = [INFERPLANE, "record", "dressed", "--out", file, "--limit", "3", "--duration", "60s"]
    with subprocess.Popen(words, env=platform.environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "is heard now" in line, line
        tried.services.at_once("dressed", ROWS)
        assert process.wait(PATIENCE) == 0, process.stderr.read()
    found = json.loads(platform.run(INFERPLANE, "replay", file, "--to", "dressed", "-o", "json"))
    assert found["answers"]["same"] == 3


def test_its_models_come_by_trained_models(tried: Tried) -> None:
    """KServe's agent fetches each into the server's repository and has MLServer load it."""
    many = tried.services
    predictor = {"model": {"modelFormat": {"name": "lightgbm"}, "protocolVersion": "v2", "env": IN_PROCESS}}
    many.apply(isvc("many", STANDARD, {"predictor": predictor}))
    many.wait("many")
    for name in ("one", "two"):
        directory = tried.models / "many" / name
        directory.mkdir(parents=True)
        (directory / "model.bst").write_bytes((tried.models / "lightgbm" / "model.bst").read_bytes())
        told = {"name": name, "implementation": "mlserver_lightgbm.LightGBMModel"}
        (directory / "model-settings.json").write_text(json.dumps(told))
        source = {"storageUri": f"file://{directory}", "framework": "lightgbm", "memory": "10Mi"}
        made = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "TrainedModel", "metadata": {"name": name}}
        many.apply({**made, "spec": {"inferenceService": "many", "model": source}})
    for name in ("one", "two"):
        many.model_is("many", name, ready=True)
        assert many.infer("many", ROWS, name) == pytest.approx(tried.said["lightgbm"])


def test_it_sleeps_and_wakes_for_whoever_comes(tried: Tried, name: str) -> None:
    tried.services.sleeps(name)
    assert tried.services.infer(name, ROWS) == pytest.approx(tried.said[name], rel=1e-6)
