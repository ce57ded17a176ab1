"""Triton, from nvidia-pytriton's wheel, with models of its Python back end: asleep and awake, joined and logged, over
REST and gRPC, models that are loaded explicitly, and one that cannot be loaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tests.e2e.sinks import Sink, sink
from tests.runtimes.foreign import KNATIVE, STANDARD, Services, environment, isvc, services

pytestmark = pytest.mark.e2e

IMAGE = "nvcr.io/nvidia/tritonserver:23.05-py3"
ROWS = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]]
DOUBLE = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        found = [pb_utils.get_input_tensor_by_name(one, "x").as_numpy() for one in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("y", 2 * one)]) for one in found]
"""
CONFIG = """
backend: "python"
max_batch_size: 0
input [{ name: "x" data_type: TYPE_FP64 dims: [-1, 4] }]
output [{ name: "y" data_type: TYPE_FP64 dims: [-1, 4] }]
instance_group [{ count: 1 kind: KIND_CPU }]
"""


def put(repository: Path, name: str, code: str = DOUBLE) -> Path:
    """A model in Triton's layout."""
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").write_text(CONFIG)
    (repository / name / "1" / "model.py").write_text(code)
    return repository / name


def predictor(directory: Path | None, **more: object) -> dict[str, object]:
    model: dict[str, object] = {"modelFormat": {"name": "triton"}, **more}
    if directory is not None:
        model["storageUri"] = f"file://{directory}"
    return {"model": model}


def sleepy(directory: Path, url: str) -> dict[str, object]:
    more = {"minReplicas": 0, "batcher": {"maxBatchSize": 8, "maxLatency": 100}, "logger": {"mode": "all", "url": url}}
    return isvc("double", KNATIVE, {"predictor": {**predictor(directory), **more}})


def by_grpc(directory: Path) -> dict[str, object]:
    ports = [{"name": "h2c", "containerPort": 9000, "protocol": "TCP"}]
    return isvc("by-grpc", KNATIVE, {"predictor": predictor(directory, ports=ports)})


@dataclass(frozen=True)
class Tried:
    services: Services
    sink: Sink
    models: Path


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    environment(IMAGE)
    directory = tmp_path_factory.mktemp("triton")
    put(directory / "repository", "double")
    put(directory / "broken", "broken", "import nothing_there")
    (directory / "flat").mkdir()
    (directory / "flat" / "model.onnx").touch()
    with sink() as arrived, services(directory) as found:
        found.apply(sleepy(directory / "repository", arrived.url), by_grpc(directory / "repository"))
        for name in ("broken", "flat"):
            found.apply(isvc(name, STANDARD, {"predictor": predictor(directory / name)}))
        found.wait("double", "by-grpc")
        yield Tried(found, arrived, directory)


def test_requests_are_joined_and_logged(tried: Tried) -> None:
    assert tried.services.containers("double") == ["kserve-container", "agent"]
    before = len(tried.sink.events)
    assert tried.services.at_once("double", ROWS) == [[2 * number for number in row] for row in ROWS]
    pairs = tried.sink.wait(before + 2 * len(ROWS))[before:]
    kinds = [one.kind for one in pairs]
    assert (kinds.count("request"), kinds.count("response")) == (3, 3)
    assert {one.id for one in pairs if one.kind == "request"} == {one.id for one in pairs if one.kind == "response"}


def test_health_readiness_and_metadata_come_through_the_gateway(tried: Tried) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/double/ready"):
        assert tried.services.ask("double", path)[0] == 200, path
    found = tried.services.ask("double", "/v2/models/double")[1]
    assert found["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 4]}]
    assert tried.services.ask("double", "/v2")[1]["name"] == "triton"


def test_its_grpc_port_answers_through_the_gateway(tried: Tried) -> None:
    found = tried.services.infer_grpc("by-grpc", {"x": np.array(ROWS)}, "double")
    assert found["y"].tolist() == (2 * np.array(ROWS)).tolist()


def test_a_tensor_of_another_type_is_the_clients_mistake(tried: Tried) -> None:
    body = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "INT32", "data": [1, 2, 3, 4]}]}
    status, found = tried.services.ask("double", "/v2/models/double/infer", body)
    assert status == 400, found
    assert "FP64" in found["error"]


def test_models_are_loaded_when_they_are_asked_for_to_be(tried: Tried) -> None:
    """Without a `storageUri` Triton starts with none, and KServe's agent has it load what TrainedModels name."""
    many = tried.services
    many.apply(isvc("many", STANDARD, {"predictor": predictor(None)}))
    many.wait("many")
    source = {"storageUri": f"file://{put(tried.models / 'more', 'later')}", "framework": "triton", "memory": "10Mi"}
    made = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "TrainedModel", "metadata": {"name": "later"}}
    many.apply({**made, "spec": {"inferenceService": "many", "model": source}})
    many.model_is("many", "later", ready=True)
    assert many.infer("many", ROWS, "later") == (2 * np.array(ROWS)).ravel().tolist()
    assert many.ask("many", "/v2/repository/models/later/unload", {})[0] == 200
    many.model_is("many", "later", ready=False)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "No module named 'nothing_there'"),
        ("flat", "no model in Triton's layout: expected NAME/VERSION/FILE"),
    ],
)
def test_a_model_that_cannot_be_loaded_says_why(tried: Tried, name: str, words: str) -> None:
    tried.services.says_why(name, words)
    tried.services.delete(name)


def test_it_sleeps_and_wakes_for_whoever_comes(tried: Tried) -> None:
    tried.services.sleeps("double")
    assert tried.services.infer("double", ROWS[:1]) == [2.0, 4.0, 6.0, 8.0]
