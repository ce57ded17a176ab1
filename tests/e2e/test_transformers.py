"""A transformer and an explainer of an author's own before a predictor, as an InferenceService on one machine.

They are processes that are told of each other by the names of Services (`--predictor_host chain-predictor.default`),
as in a cluster.
"""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.e2e.whole import REPOSITORY, Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

MODELS = '''
import argparse

from inferplane import InferInput, InferRequest, Model, ModelServer, get_predict_input, get_predict_response
from inferplane import model_server
from inferplane.errors import InvalidInput


class Sum(Model):
    """Row sums; refuses negative numbers."""

    def predict(self, payload, headers=None):
        rows = get_predict_input(payload)
        if (rows < 0).any():
            raise InvalidInput("numbers must not be negative")
        return get_predict_response(payload, rows.sum(axis=1), self.name)


class Tens(Model):
    """Ten times of each number, before the predictor sees it."""

    def preprocess(self, payload, headers=None):
        if isinstance(payload, InferRequest):
            [tensor] = payload.inputs
            tens = InferInput(tensor.name, tensor.shape, tensor.datatype)
            tens.set_data_from_numpy(tensor.as_numpy() * 10, binary_data=False)
            return InferRequest(self.name, [tens], request_id=payload.id)
        return {"instances": [[10 * number for number in row] for row in payload["instances"]]}


class WithoutEach(Model):
    """What the prediction loses without each column."""

    async def explain(self, payload, headers=None):
        [row] = payload["instances"]
        rows = [row, *([0 if i == column else n for i, n in enumerate(row)] for column in range(len(row)))]
        whole, *parts = (await super().predict({"instances": rows}, headers))["predictions"]
        return {"explanations": [whole - part for part in parts]}


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--kind", required=True)
args, _ = parser.parse_known_args()
model = {"sum": Sum, "tens": Tens, "without-each": WithoutEach}[args.kind](args.model_name)
model.load()
ModelServer(enable_grpc=False).start([model])
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    directory = tmp_path_factory.mktemp("transformers")
    script = directory / "models.py"
    script.write_text(MODELS)
    with whole_platform(directory / "home") as started:
        for body in (service(script, "chain", "v1"), service(script, "chain-v2", "v2"), collocated(script)):
            started.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        started.train()
        started.kubectl("apply", "-f", "-", stdin=json.dumps(in_one_process()))
        started.kubectl("apply", "-f", "-", stdin=json.dumps(in_knative_mode(service(script, "chain-knative", "v1"))))
        for name in ("chain", "chain-v2", "together", "chain-knative", "flowers-together"):
            started.run(*("kubectl", "wait", "--for=condition=Ready", f"isvc/{name}", "--timeout=120s"), timeout=130)
        yield started


def container(script: Path, kind: str, *args: str, **fields: object) -> dict[str, object]:
    return {
        "name": "kserve-container",
        "image": "example.test/models:1",
        "command": [sys.executable, str(script)],
        "args": [f"--kind={kind}", *args],
        **fields,
    }


def isvc(name: str, spec: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": spec,
    }


def service(script: Path, name: str, protocol: str) -> dict[str, object]:
    """The controller adds the host of the predictor and the name of the model to transformer and explainer."""
    spec: dict[str, object] = {
        "predictor": {"containers": [container(script, "sum", f"--model_name={name}")]},
        "transformer": {"containers": [container(script, "tens", f"--predictor_protocol={protocol}")]},
    }
    if protocol == "v1":
        spec["explainer"] = {"containers": [container(script, "without-each")]}
    return isvc(name, spec)


def in_one_process() -> dict[str, object]:
    """examples/05-transformer/collocated.yaml with the annotation, and paths that are here."""
    directory = REPOSITORY / "examples" / "05-transformer"
    text = (directory / "collocated.yaml").read_text()
    text = text.replace("/path/to/.venv/bin/python", sys.executable).replace("/path/to/examples", f"{directory.parent}")
    claim, body = yaml.safe_load_all(text)
    body["metadata"]["annotations"] = {"inferplane.dev/collocation": "shared-process"}
    return {"apiVersion": "v1", "kind": "List", "items": [claim, body]}


def in_knative_mode(body: dict[str, object]) -> dict[str, object]:
    meta = body["metadata"]
    assert isinstance(meta, dict)
    return {**body, "metadata": {**meta, "annotations": {"serving.kserve.io/deploymentMode": "Knative"}}}


def collocated(script: Path) -> dict[str, object]:
    """Both in one pod: there the predictor is at localhost."""
    model = container(script, "sum", "--model_name=together")
    args = ("--model_name=together", "--http_port=8060", "--predictor_host=localhost:8080")
    port = {"containerPort": 8060}
    transformer = container(script, "tens", *args, name="transformer-container", ports=[port])
    return isvc("together", {"predictor": {"containers": [model, transformer]}})


HOSTS = {name: f"{name}.default.localhost" for name in ("chain-knative", "flowers-together")}
"""In Knative mode a host is made as Knative makes it."""


def ask(platform: Whole, host: str, path: str, body: object) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(
        platform.gateway + path,
        json.dumps(body).encode(),
        {"Host": HOSTS.get(host, f"{host}-default.localhost"), "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


V1 = {"instances": [[1, 2], [3, 4]]}


@pytest.mark.parametrize("name", ["chain", "together", "chain-knative"])
def test_v1_requests_go_through_the_transformer(platform: Whole, name: str) -> None:
    assert ask(platform, name, f"/v1/models/{name}:predict", V1) == (200, {"predictions": [30, 70]})


def test_transformer_and_predictor_may_share_one_process(platform: Whole) -> None:
    columns = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    rows = [[6.8, 2.8, 4.8, 1.4], [5.1, 3.5, 1.4, 0.2]]
    body = {"instances": [dict(zip(columns, row, strict=True)) for row in rows]}
    path = "/v1/models/flowers-together:predict"
    assert ask(platform, "flowers-together", path, body) == (200, {"predictions": ["versicolor", "setosa"]})
    selector = "serving.kserve.io/inferenceservice=flowers-together"
    pods = json.loads(platform.kubectl("get", "pods", "-l", selector, "-o", "json"))["items"]
    assert [[one["name"] for one in pod["spec"]["containers"]] for pod in pods] == [["transformer-container"]]


def test_v2_requests_go_through_the_transformer(platform: Whole) -> None:
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}
    status, answer = ask(platform, "chain-v2", "/v2/models/chain-v2/infer", {"id": "7", "inputs": [tensor]})
    outputs = answer["outputs"]
    assert isinstance(outputs, list)
    assert (status, answer["id"], outputs[0]["data"]) == (200, "7", [30.0, 70.0])


def test_each_component_has_a_host_of_its_own(platform: Whole) -> None:
    path = "/v1/models/chain:predict"
    assert ask(platform, "chain-predictor", path, V1) == (200, {"predictions": [3, 7]})
    assert ask(platform, "chain-transformer", path, V1) == (200, {"predictions": [30, 70]})


def test_explanations_come_from_the_explainer_on_the_host_of_the_service_and_by_path(platform: Whole) -> None:
    expected = (200, {"explanations": [5, 6]})
    body = {"instances": [[5, 6]]}
    assert ask(platform, "chain", "/v1/models/chain:explain", body) == expected
    assert ask(platform, "chain-explainer", "/v1/models/chain:explain", body) == expected
    assert ask(platform, "chain-knative", "/v1/models/chain-knative:explain", body) == expected
    request = urllib.request.Request(
        f"{platform.gateway}/serving/default/chain/v1/models/chain:explain", json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert (answer.status, json.load(answer)) == expected


def test_what_the_predictor_refuses_keeps_its_status_and_words(platform: Whole) -> None:
    status, answer = ask(platform, "chain", "/v1/models/chain:predict", {"instances": [[-1, 2]]})
    assert status == 400
    assert "numbers must not be negative" in str(answer["error"])


def test_the_status_counts_all_components(platform: Whole) -> None:
    status = json.loads(platform.kubectl("get", "isvc", "chain", "-o", "json"))["status"]
    conditions = {one["type"]: one["status"] for one in status["conditions"]}
    assert conditions == {
        "ExplainerReady": "True",
        "IngressReady": "True",
        "PredictorReady": "True",
        "Ready": "True",
        "Stopped": "False",
        "TransformerReady": "True",
    }
    assert sorted(status["components"]) == ["explainer", "predictor", "transformer"]
    assert status["address"] == {"url": "http://chain-transformer.default.svc.cluster.local"}


def test_a_service_that_is_made_anew_is_reached_by_those_who_know_its_address(platform: Whole) -> None:
    platform.kubectl("delete", "service", "chain-predictor")

    def answers() -> bool:
        return ask(platform, "chain", "/v1/models/chain:predict", V1) == (200, {"predictions": [30, 70]})

    eventually(answers, 60)


def test_with_the_gateway_api_switched_off_the_way_in_is_an_ingress(platform: Whole) -> None:
    wanted = {"enableGatewayApi": False, "ingressDomain": "localhost", "ingressClassName": "istio"}
    patch = {"data": {"ingress": json.dumps(wanted)}}
    platform.kubectl("patch", "configmap", "-n", "kserve", "inferenceservice-config", "-p", json.dumps(patch))
    found = "{.status.loadBalancer.ingress[0].ip}"

    def is_served() -> bool:
        return platform.kubectl("get", "ingress", "chain", "--ignore-not-found", "-o", f"jsonpath={found}") != ""

    eventually(is_served, 60)
    platform.kubectl("wait", "--for=condition=Ready", "isvc/chain", "--timeout=60s")
    eventually(lambda: platform.kubectl("get", "httproute", "chain", "--ignore-not-found", "-o", "name") == "", 60)
    assert ask(platform, "chain", "/v1/models/chain:predict", V1) == (200, {"predictions": [30, 70]})
    assert ask(platform, "chain-predictor", "/v1/models/chain:predict", V1) == (200, {"predictions": [3, 7]})
    explained = ask(platform, "chain", "/v1/models/chain:explain", {"instances": [[5, 6]]})
    assert explained == (200, {"explanations": [5, 6]})
