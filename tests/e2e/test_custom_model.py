"""A file of models written for the `kserve` package, as the custom container of an InferenceService: unmodified, in an
environment that has `kserve`, and with its imports changed, in ours. Both are asked through the gateway."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.kserve_sdk.both import AUTHORED, kserve_python, ported
from tests.e2e.whole import Whole, eventually, free_port, whole_platform

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    directory = tmp_path_factory.mktemp("custom")
    with whole_platform(directory / "home") as started:
        original = directory / "original.py"
        original.write_text(AUTHORED.read_text())
        # KServe's server listens on all addresses, so its port must be free on the whole machine.
        started.run(
            "kubectl", "apply", "-f", "-", stdin=service("unmodified", kserve_python(), original, http=free_port())
        )
        changed = directory / "changed.py"
        changed.write_text(ported(AUTHORED.read_text()))
        started.run("kubectl", "apply", "-f", "-", stdin=service("changed", Path(sys.executable), changed, http=8080))
        for name in ("unmodified", "changed"):
            started.kubectl("wait", "--for=condition=Ready", f"isvc/{name}", "--timeout=60s")
        yield started


def service(name: str, python: Path, script: Path, *, http: int) -> str:
    container = {
        "name": "kserve-container",
        "image": "example.test/nobody/has:this",
        "command": [str(python), str(script)],
        "args": ["--model_name=iris", f"--http_port={http}", "--enable_grpc=false"],
        "ports": [{"containerPort": http, "protocol": "TCP"}],
    }
    return json.dumps(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name},
            "spec": {"predictor": {"containers": [container]}},
        }
    )


def ask(platform: Whole, name: str, path: str, body: object) -> object:
    request = urllib.request.Request(
        platform.gateway + path,
        json.dumps(body).encode(),
        {"Host": f"{name}.default.localhost", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("name", ["unmodified", "changed"])
def test_a_custom_model_answers_through_the_gateway(platform: Whole, name: str) -> None:
    def answers() -> object:
        return ask(platform, name, "/v1/models/iris:predict", {"instances": [[1, 2]]})

    found, _ = eventually(answers, 10)
    assert found == {"predictions": [21.0]}
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [3, 4]}
    answer = ask(platform, name, "/v2/models/iris/infer", {"id": "7", "inputs": [tensor]})
    assert isinstance(answer, dict)
    assert (answer["id"], answer["outputs"][0]["data"]) == ("7", [43.0])


def test_a_custom_model_logs_where_kubectl_finds_it(platform: Whole) -> None:
    for name in ("unmodified", "changed"):
        pods = platform.kubectl("get", "pods", "-l", f"serving.kserve.io/inferenceservice={name}", "-o", "name")
        assert "hello x x" in platform.kubectl("logs", pods.strip())
