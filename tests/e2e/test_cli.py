"""The command line against a platform of its own: what a newcomer types, and what goes wrong for them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "01-sklearn-iris"
INFERPLANE = Path(sys.executable).with_name("inferplane")

ISVC = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {name}
spec:
  predictor:
    model:
      modelFormat:
        name: {format}
      storageUri: {uri}
"""


@dataclass(frozen=True)
class Typed:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Types commands for one home."""

    home: Path

    def __call__(self, *args: str | Path, timeout: float = 90.0) -> Typed:
        done = subprocess.run(
            [INFERPLANE, *args],
            env={**os.environ, "INFERPLANE_HOME": str(self.home)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Typed(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ports() -> list[str]:
    return ["--port", str(free_port()), "--api-port", str(free_port())]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    typed = Shell(tmp_path_factory.mktemp("home"))
    started = typed("up", "-d", *ports())
    assert started.code == 0, started.err
    yield typed
    assert typed("down").code == 0


@pytest.fixture(scope="module")
def model(shell: Shell) -> Path:
    """The example's model, where its claim is."""
    directory = shell.home / "volumes" / "default" / "models" / "sklearn-iris"
    subprocess.run([sys.executable, EXAMPLE / "train.py", "--out", directory], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="module")
def iris(shell: Shell, model: Path) -> Typed:
    return shell("apply", "-f", EXAMPLE / "isvc.yaml")


def test_status_has_the_promised_keys_and_living_processes(shell: Shell) -> None:
    status = json.loads(shell("status", "-o", "json").out)
    assert status.keys() == {"gateway", "api", "kubeconfig", "home", "processes"}
    assert [name for name, pid in status["processes"].items() if not psutil.pid_exists(pid)] == []
    assert shell("kubeconfig").out.strip() == status["kubeconfig"]


def test_apply_shows_the_way_to_ready(iris: Typed) -> None:
    assert iris.code == 0, iris.err
    assert "applied → runtime kserve-sklearnserver → 1 replica → Ready" in iris.err


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_both_protocols_answer(shell: Shell, iris: Typed, protocol: str) -> None:
    answered = shell("predict", "sklearn-iris", "-d", f"@{EXAMPLE / f'request-{protocol}.json'}")
    assert answered.code == 0, answered.err
    answer = json.loads(answered.out)
    assert (answer["predictions"] if protocol == "v1" else answer["outputs"][0]["data"]) == [1, 1]


def test_get_shows_kserve_s_columns(shell: Shell, iris: Typed) -> None:
    head, row = shell("get", "isvc", "sklearn-iris").out.splitlines()
    assert head.split()[:3] == ["NAME", "URL", "READY"]
    assert row.split()[0] == "sklearn-iris"
    assert row.split()[2] == "True"


def test_logs_are_those_of_the_model_server(shell: Shell, iris: Typed) -> None:
    assert "sklearn-iris" in shell("logs", "sklearn-iris").out


def test_why_of_a_fine_service_is_one_line(shell: Shell, iris: Typed) -> None:
    told = shell("why", "sklearn-iris")
    assert (told.code, len(told.out.splitlines())) == (0, 1)
    assert told.out.startswith("inferenceservice/sklearn-iris is ready: 1 replica")


def test_a_body_that_the_model_refuses_is_one_line(shell: Shell, iris: Typed) -> None:
    refused = shell("predict", "sklearn-iris", "-d", '{"instances": [[1, 2]]}')
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)


def test_a_misspelt_field_is_shown_at_its_line(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "typo.yaml"
    file.write_text(ISVC.format(name="typo", format="sklearn", uri="/x").replace("modelFormat:", "modelFormt:"))
    refused = shell("apply", "-f", file)
    assert refused.code == 1
    assert f"{file}:8: spec.predictor.model.modelFormt: unknown field; did you mean modelFormat?" in refused.err


@pytest.mark.parametrize(
    ("name", "format", "uri", "words"),
    [
        ("format", "sklern", "/x", 'no runtime serves format "sklern"'),
        ("missing", "sklearn", "file:///no/such/model", "/no/such/model"),
        ("ftp", "sklearn", "ftp://host/model", "ftp://host/model"),
    ],
)
def test_what_cannot_work_is_explained_and_deleted_again(
    shell: Shell, tmp_path: Path, name: str, format: str, uri: str, words: str
) -> None:
    file = tmp_path / "isvc.yaml"
    file.write_text(ISVC.format(name=name, format=format, uri=uri))
    refused = shell("apply", "-f", file, "--timeout", "30")
    assert refused.code == 1
    assert words in refused.err
    told = shell("why", name)
    assert told.code == 1
    assert words in told.out
    assert shell("delete", "-f", file).code == 0


def test_a_file_that_is_no_model_is_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.joblib").write_bytes(b"not a model")
    file = tmp_path / "isvc.yaml"
    file.write_text(ISVC.format(name="broken", format="sklearn", uri=f"file://{tmp_path / 'model'}"))
    assert shell("apply", "-f", file, "--timeout", "30").code == 1
    told = shell("why", "broken")
    assert "the model did not load" in told.out
    assert "model.joblib" in told.out
    assert shell("delete", "isvc", "broken").code == 0


def test_delete_leaves_nothing_of_the_service(shell: Shell, model: Path, tmp_path: Path) -> None:
    file = tmp_path / "isvc.yaml"
    file.write_text(ISVC.format(name="short", format="sklearn", uri=f"file://{model}"))
    assert shell("apply", "-f", file).code == 0
    assert shell("delete", "isvc", "short").code == 0
    for kind in ("isvc", "deploy", "pods", "httproutes"):
        assert "short" not in shell("get", kind, "-o", "name").out


def test_the_tour_answers_once_and_leaves_nothing_running(tmp_path: Path) -> None:
    typed = Shell(tmp_path / "home")
    toured = typed("tour", "--once", *ports())
    assert toured.code == 0, toured.out + toured.err
    assert '"predictions"' in toured.out
    assert '"outputs"' in toured.out
    assert typed("status").code == 1
    running = [one for one in psutil.process_iter() if str(tmp_path) in _arguments(one)]
    assert running == []


def _arguments(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""
