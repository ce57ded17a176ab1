"""Requests recorded at the gateway of a real platform, replayed to another model, and mirrored to one that sleeps."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.whole import INFERPLANE, REPOSITORY, Whole, eventually, whole_platform

from inferplane.client.inference.grpc_client import GrpcClient
from inferplane.client.inference.sync import Client
from inferplane.kernel.json import Json

pytestmark = pytest.mark.e2e

PATIENCE = 60.0
EXAMPLE = REPOSITORY / "examples" / "11-replay"
FLOWER: list[Json] = [[6.8, 2.8, 4.8, 1.4]]
WIDE = """
import sys
from pathlib import Path
import joblib
from sklearn.datasets import load_wine
from sklearn.svm import SVC

data = load_wine()
directory = Path(sys.argv[1])
directory.mkdir(parents=True)
joblib.dump(SVC().fit(data.data, data.target), directory / "model.joblib")
"""


def service(name: str, model: str, annotations: Mapping[str, str], minimum: int = 1) -> str:
    predictor = {
        "minReplicas": minimum,
        "model": {"modelFormat": {"name": "sklearn"}, "storageUri": f"pvc://models/{model}"},
    }
    return json.dumps(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "annotations": dict(annotations)},
            "spec": {"predictor": predictor},
        }
    )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    home = tmp_path_factory.mktemp("replay") / "home"
    with whole_platform(home) as started:
        started.run(sys.executable, EXAMPLE / "train.py")
        started.run(sys.executable, "-c", WIDE, home / "volumes" / "default" / "models" / "wine")
        started.inferplane("apply", "-f", EXAMPLE / "isvc.yaml")
        started.inferplane("apply", "-f", EXAMPLE / "retrained.yaml")
        yield started


@contextmanager
def recording(platform: Whole, name: str, file: Path, *options: str) -> Iterator[None]:
    """What is asked meanwhile is recorded, all of it: the command has said that it is heard, and has ended after."""
    words: list[str | Path] = [INFERPLANE, "record", name, "--out", file, "--duration", f"{PATIENCE:g}s", *options]
    with subprocess.Popen(words, env=platform.environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            assert "is heard now" in line, line
            yield
            assert process.wait(PATIENCE) == 0, process.stderr.read()
        finally:
            process.kill()


def mirrored(platform: Whole, name: str) -> None:
    """Returns when Envoy has the routes by which requests to the service are mirrored."""

    def programmed() -> bool:
        routes = [
            json.loads(platform.kubectl("get", "httproute", one, "-o", "json")) for one in (name, f"{name}-shadow")
        ]
        told = [one for route in routes for parent in route["status"]["parents"] for one in parent["conditions"]]
        seen = {one["observedGeneration"] for one in routes[0]["status"]["parents"][0]["conditions"]}
        return seen == {routes[0]["metadata"]["generation"]} and all(one["status"] == "True" for one in told)

    eventually(programmed, PATIENCE)


def client(platform: Whole, name: str = "flowers") -> Client:
    return Client(f"{platform.gateway}/serving/default/{name}", timeout=PATIENCE)


def said(platform: Whole, *words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of a command that may fail."""
    done = subprocess.run(
        [INFERPLANE, *words], env=platform.environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def recorded(platform: Whole, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 requests over REST, and one over gRPC."""
    file = tmp_path_factory.mktemp("recorded") / "flowers.jsonl"
    with recording(platform, "flowers", file, "--limit", "301"):
        platform.run(sys.executable, EXAMPLE / "ask.py", "300", f"{platform.gateway}/serving/default/flowers")
        place = platform.gateway.removeprefix("http://")
        with GrpcClient(place, host="flowers.default.localhost", timeout=PATIENCE) as grpc:
            grpc.infer("flowers", {"measures": FLOWER})
    return file


def test_the_same_model_gives_the_same_answers(platform: Whole, recorded: Path) -> None:
    code, printed, error = said(platform, "replay", recorded, "--to", "flowers", "-o", "json")
    assert code == 0, error
    found = json.loads(printed)
    assert found["answers"] == {"same": 301, "close": 0, "different": 0, "unanswered": 0, "not_compared": 0}
    assert found["recordedFrom"] == "default/flowers"
    assert found["latencyMs"]["recorded"]["p50"] > 0


def test_a_retrained_model_is_told_apart_and_may_be_allowed(platform: Whole, recorded: Path, tmp_path: Path) -> None:
    page = tmp_path / "diff.html"
    code, printed, _ = said(platform, "replay", recorded, "--to", "flowers-v2", "--report", page)
    assert code == 1
    assert "2 -> 1" in printed
    assert "Answers differ" in page.read_text()
    code, _, error = said(platform, "replay", recorded, "--to", "flowers-v2", "--allow", "20%")
    assert code == 0, error


def test_a_file_of_another_model_is_refused_with_both_models_inputs(platform: Whole, recorded: Path) -> None:
    platform.run(INFERPLANE, "apply", "-f", "-", stdin=service("wine", "wine", {}))
    code, _, error = said(platform, "replay", recorded, "--to", "wine")
    assert code == 1
    assert "was recorded of default/flowers, which was sent" in error
    assert "model wine takes 'input-0' FP64 [-1, 13]" in error


def test_there_is_one_recording_at_a_time(platform: Whole, tmp_path: Path) -> None:
    with recording(platform, "flowers", tmp_path / "first.jsonl", "--limit", "1"):
        code, _, error = said(platform, "record", "flowers", "--out", tmp_path / "second.jsonl")
        assert (code, "one recording at a time" in error) == (1, True), error
        with client(platform) as one:
            one.predict("flowers", FLOWER)
    with recording(platform, "flowers", tmp_path / "third.jsonl", "--limit", "1"), client(platform) as one:
        one.predict("flowers", FLOWER)


@pytest.mark.parametrize("name", ["flowers", "plain"])
def test_mirrored_requests_ask_the_other_model_and_clients_notice_nothing(
    platform: Whole, tmp_path: Path, name: str
) -> None:
    plain = service("plain", "replay-v1", {"serving.kserve.io/deploymentMode": "Standard"})
    platform.run(INFERPLANE, "apply", "-f", "-", stdin=plain)
    platform.inferplane("shadow", name, "--to", "flowers-v2", "--percent", "100")
    mirrored(platform, name)
    file = tmp_path / "shadow.jsonl"
    with recording(platform, "flowers-v2", file, "--limit", "20"), client(platform, name) as one:
        predicted = [one.predict(name, FLOWER) for _ in range(10)]
        inferred = [one.infer(name, {"measures": FLOWER})["output-0"].tolist() for _ in range(10)]
    assert predicted == inferred == [[1]] * 10
    events = [json.loads(line) for line in file.read_text().splitlines()]
    paths = [one["path"] for one in events if one["type"].endswith("request")]
    assert sorted(paths) == ["/v1/models/flowers-v2:predict"] * 10 + ["/v2/models/flowers-v2/infer"] * 10
    assert {one["status"] for one in events if "status" in one} == {200}


def test_a_target_that_sleeps_is_woken_by_what_is_mirrored(platform: Whole, tmp_path: Path) -> None:
    config = {"data": {"scale-to-zero-grace-period": "1s"}}
    platform.kubectl(
        "patch", "configmap", "config-autoscaler", "-n", "knative-serving", "--type=merge", "-p", json.dumps(config)
    )
    marks = {"serving.kserve.io/deploymentMode": "Knative", "autoscaling.knative.dev/window": "6s"}
    platform.run(INFERPLANE, "apply", "-f", "-", stdin=service("sleeper", "replay-v2", marks, minimum=0))

    def sleeps() -> bool:
        of_sleeper = ("-l", "serving.kserve.io/inferenceservice=sleeper")
        return platform.kubectl("get", "deployments", *of_sleeper, "-o", "jsonpath={.items[*].spec.replicas}") == "0"

    eventually(sleeps, PATIENCE)
    platform.inferplane("shadow", "flowers", "--to", "sleeper")
    mirrored(platform, "flowers")
    file = tmp_path / "woken.jsonl"
    with recording(platform, "sleeper", file, "--limit", "1"), client(platform) as one:
        assert one.predict("flowers", FLOWER) == [1]
    assert json.loads(file.read_text().splitlines()[1])["data"] == {"predictions": [1]}


def test_a_shadow_of_nobody_is_said_and_the_service_goes_on(platform: Whole) -> None:
    code, _, error = said(platform, "shadow", "flowers", "--to", "nobody")
    assert (code, "no InferenceService default/nobody: nothing is mirrored" in error) == (1, True), error
    with client(platform) as one:
        assert one.predict("flowers", FLOWER) == [1]
    platform.inferplane("shadow", "flowers", "--off")
    shown = json.loads(platform.kubectl("get", "inferenceservice", "flowers", "-o", "json"))
    assert "inferplane.dev/shadow" not in shown["metadata"].get("annotations", {})
