"""Many models in one InferenceService, through the gateway: one changes, one goes, the others answer all the while."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from tests.e2e.whole import Whole, eventually, whole_platform

pytestmark = pytest.mark.e2e

BODY = b'{"instances": [[0.0]]}'
MODELS = ("one", "two", "three")


def constant(directory: Path, answer: int) -> Path:
    """A model that always says the same."""
    directory.mkdir(parents=True, exist_ok=True)
    model = DummyClassifier(strategy="constant", constant=answer).fit(np.zeros((2, 1)), [answer, 0])
    joblib.dump(model, directory / "model.joblib")
    return directory


def trained(name: str, uri: Path | str, memory: str = "10Mi", framework: str = "sklearn") -> dict[str, object]:
    source = {"storageUri": str(uri), "framework": framework, "memory": memory}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "TrainedModel",
        "metadata": {"name": name},
        "spec": {"inferenceService": "many", "model": source},
    }


@dataclass
class Service:
    platform: Whole
    models: Path

    def apply(self, *objects: dict[str, object]) -> None:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        self.platform.kubectl("apply", "-f", "-", stdin=json.dumps(everything))

    def ask(self, name: str) -> tuple[int, str]:
        url = f"{self.platform.gateway}/v1/models/{name}:predict"
        request = urllib.request.Request(url, BODY, {"host": "many.default.localhost"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers_with(self, name: str, status: int, text: str) -> None:
        def so() -> bool:
            found = self.ask(name)
            return found[0] == status and text in found[1]

        eventually(so, within=60)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("many")
    with whole_platform(directory / "home") as platform:
        service = Service(platform, directory / "models")
        isvc: dict[str, object] = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "many"},
            "spec": {"predictor": {"sklearn": {}}},
        }
        found = [trained(name, constant(service.models / name, number)) for number, name in enumerate(MODELS, 1)]
        service.apply(isvc, *found)
        platform.kubectl(
            "wait", "--for=condition=Ready", "isvc/many", *(f"tm/{one}" for one in MODELS), "--timeout=120s"
        )
        yield service


class Asking:
    """Asks for models over and over, and keeps what went wrong."""

    def __init__(self, service: Service, *names: str) -> None:
        self._service = service
        self._names = names
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.failures: list[tuple[str, int, str]] = []
        self.asked = 0

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            for name in self._names:
                status, text = self._service.ask(name)
                self.asked += 1
                if status != 200:
                    self.failures.append((name, status, text))


def test_each_model_answers_from_the_first_request_on(many: Service) -> None:
    for number, name in enumerate(MODELS, 1):
        many.answers_with(name, 200, f"[{number}]")
    columns = many.platform.kubectl("get", "trainedmodels", "one").splitlines()
    assert columns[0].split() == ["NAME", "URL", "READY", "AGE"]
    assert f"{columns[1].split()[1]}".endswith("/v1/models/one:predict")
    assert columns[1].split()[2] == "True"


def test_a_model_is_added_changed_and_deleted_while_the_others_answer(many: Service) -> None:
    with Asking(many, "one", "three") as asking, Asking(many, "two") as changing:
        many.apply(trained("four", constant(many.models / "four", 4)))
        many.answers_with("four", 200, "[4]")
        many.apply(trained("two", constant(many.models / "two-new", 22)))
        many.answers_with("two", 200, "[22]")
        many.platform.kubectl("delete", "trainedmodel", "four", "--timeout=60s")
        many.answers_with("four", 404, "Model with name four does not exist.")
    assert (asking.failures, changing.failures) == ([], [])
    assert asking.asked > 0


def test_a_model_that_cannot_be_had_says_why_and_the_others_answer(many: Service) -> None:
    huge = trained("huge", many.models / "one", memory="3Gi")
    many.apply(trained("lost", many.models / "nowhere"), huge, trained("odd", many.models / "one", framework="pmml"))
    many.answers_with("lost", 503, "nowhere")
    many.answers_with("huge", 404, "Model with name huge does not exist.")
    many.answers_with("one", 200, "[1]")

    def says(name: str, reason: str) -> None:
        ready = "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"
        many.platform.kubectl("wait", f"tm/{name}", f"--for={ready}={reason}", "--timeout=60s")

    says("huge", "MemoryResourceNotAvailable")
    says("odd", "FrameworkNotSupported")
    many.platform.kubectl("delete", "tm", "lost", "huge", "odd", "--timeout=60s")


def test_the_memory_that_a_model_was_promised_cannot_be_changed(many: Service) -> None:
    with pytest.raises(AssertionError, match="memory cannot be changed"):
        many.apply(trained("one", many.models / "one", memory="20Mi"))


def test_after_a_restart_of_the_server_all_models_are_there(many: Service) -> None:
    many.platform.kubectl("delete", "pod", "-l", "serving.kserve.io/inferenceservice=many", "--timeout=60s")
    many.platform.kubectl("wait", "--for=condition=Ready", "isvc/many", "--timeout=120s")
    many.answers_with("one", 200, "[1]")
    many.answers_with("three", 200, "[3]")


def test_the_models_go_with_their_service(many: Service) -> None:
    many.platform.kubectl("delete", "isvc", "many", "--timeout=60s")
    eventually(lambda: many.platform.kubectl("get", "tm", "-o", "name") == "", within=60)
