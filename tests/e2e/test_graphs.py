"""Inference graphs through the gateway, with real routers, model servers, and a controller that follows them."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

PATIENCE = 120.0
MODELS = '''
import argparse

from inferplane import Model, ModelServer, model_server
from inferplane.errors import InvalidInput


class Times(Model):
    """Multiplies; refuses negative numbers."""

    def predict(self, payload, headers=None):
        factor = args.factor
        rows = payload["instances"]
        if any(number < 0 for row in rows for number in row):
            raise InvalidInput("numbers must not be negative")
        return {"predictions": [[factor * number for number in row] for row in rows]}


parser = argparse.ArgumentParser(parents=[model_server.parser])
parser.add_argument("--factor", type=int, required=True)
args, _ = parser.parse_known_args()
model = Times(args.model_name)
model.load()
ModelServer(enable_grpc=False).start([model])
'''
# Knative scales the router to zero after this without requests.
WINDOW = "6s"


def container(script: Path, name: str, factor: int) -> dict[str, object]:
    return {
        "name": "kserve-container",
        "image": "example.test/models:1",
        "command": [sys.executable, str(script)],
        "args": [f"--model_name={name}", f"--factor={factor}"],
    }


def service(script: Path, name: str, factor: int) -> dict[str, object]:
    predictor = {"containers": [container(script, name, factor)]}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "annotations": {"serving.kserve.io/deploymentMode": "Standard"}},
        "spec": {"predictor": predictor},
    }


def graph(
    name: str, nodes: dict[str, object], mode: str = "Standard", spec: dict[str, object] | None = None
) -> dict[str, object]:
    annotations = {"serving.kserve.io/deploymentMode": mode}
    if mode == "Knative":
        annotations["autoscaling.knative.dev/window"] = WINDOW
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"nodes": nodes, **(spec or {})},
    }


def node(kind: str, *steps: dict[str, object]) -> dict[str, object]:
    return {"routerType": kind, "steps": [*steps]}


TWICE: dict[str, object] = {"serviceName": "twice"}
THRICE: dict[str, object] = {"serviceName": "thrice"}
THEN: dict[str, object] = {"data": "$response", "mapPredictionsToInstances": True}
GRAPHS = (
    graph(
        "all",
        {
            "root": node(
                "Switch",
                {"condition": "chain", "nodeName": "chain"},
                {"condition": "split", "nodeName": "split"},
                {"condition": "both", "nodeName": "both"},
            ),
            "chain": node("Sequence", TWICE, THRICE | THEN),
            "split": node("Splitter", TWICE | {"weight": 0}, THRICE | {"weight": 100}),
            "both": node("Ensemble", TWICE | {"name": "two"}, THRICE | {"name": "three", "dependency": "Hard"}),
        },
    ),
    graph("sleepy", {"root": node("Sequence", TWICE, THRICE | THEN)}, "Knative", {"minReplicas": 0}),
    graph("lost", {"root": node("Sequence", TWICE, {"serviceName": "late"})}),
    graph("odd", {"root": node("Splitter", TWICE | {"weight": 50}, THRICE | {"weight": 49})}),
)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    directory = tmp_path_factory.mktemp("graphs")
    script = directory / "models.py"
    script.write_text(MODELS)
    with whole_platform(directory / "home") as started:
        config = {"data": {"scale-to-zero-grace-period": "1s"}}
        started.kubectl(
            "patch", "configmap/config-autoscaler", "-n", "knative-serving", "--type=merge", "-p", json.dumps(config)
        )
        for body in (service(script, "twice", 2), service(script, "thrice", 3), *GRAPHS):
            started.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        for name in ("all", "sleepy"):
            started.kubectl("wait", "--for=condition=Ready", f"ig/{name}", f"--timeout={PATIENCE:g}s")
        (directory / "late.json").write_text(json.dumps(service(script, "late", 5)))
        yield started


def ask(platform: Whole, name: str, **body: object) -> tuple[int, object]:
    url = platform.kubectl("get", f"ig/{name}", "-o", "jsonpath={.status.url}")
    request = urllib.request.Request(platform.gateway, json.dumps(body).encode(), {"Host": str(urlsplit(url).hostname)})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


ROWS = [[1, 2]]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"chain": 1}, {"predictions": [[6, 12]]}),
        ({"split": 1}, {"predictions": [[3, 6]]}),
        ({"both": 1}, {"two": {"predictions": [[2, 4]]}, "three": {"predictions": [[3, 6]]}}),
    ],
    ids=["sequence", "splitter", "ensemble"],
)
def test_a_switch_leads_to_each_kind_of_node(platform: Whole, body: dict[str, object], answer: object) -> None:
    assert ask(platform, "all", instances=ROWS, **body) == (200, answer)


def test_a_request_that_fits_nothing_is_404(platform: Whole) -> None:
    status, answer = ask(platform, "all", instances=ROWS)
    assert (status, answer) == (
        404,
        {"error": "Failed to process request", "cause": "None of the routes matched with the switch condition"},
    )


def test_a_branch_that_fails_answers_for_the_ensemble(platform: Whole) -> None:
    status, answer = ask(platform, "all", both=1, instances=[[-1]])
    assert (status, answer) == (400, {"error": "numbers must not be negative"})


def test_a_graph_sleeps_and_wakes(platform: Whole) -> None:
    def replicas() -> str:
        path = "jsonpath={.spec.replicas}/{.status.replicas}"
        return platform.kubectl("get", "deployment/sleepy-00001-deployment", "-o", path)

    eventually(lambda: replicas() in ("0/", "0/0"), PATIENCE)
    assert ask(platform, "sleepy", instances=ROWS) == (200, {"predictions": [[6, 12]]})
    platform.kubectl("wait", "--for=condition=Ready", "ig/sleepy", f"--timeout={PATIENCE:g}s")


def test_a_graph_whose_service_is_missing_comes_up_with_it(platform: Whole) -> None:
    assert "✗ late: does not exist" in platform.inferplane("graph", "lost")
    [late] = platform.home.parent.glob("late.json")
    platform.kubectl("apply", "-f", late)
    platform.kubectl("wait", "--for=condition=Ready", "ig/lost", f"--timeout={PATIENCE:g}s")
    assert ask(platform, "lost", instances=ROWS) == (200, {"predictions": [[5, 10]]})
    assert "● late" in platform.inferplane("graph", "lost")


def test_weights_that_do_not_sum_are_said_in_the_status(platform: Whole) -> None:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].reason} {.status.conditions[?(@.type=='Ready')].message}"
    said = platform.kubectl("get", "ig/odd", "-o", path)
    assert said == "InvalidGraphSpec spec.nodes.root.steps: the weights of a Splitter sum to 100, got 99"
