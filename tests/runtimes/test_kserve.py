"""A custom model written for the `kserve` package, unmodified, behind the agent: joined, logged, asleep and awake."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.kserve_sdk.both import AUTHORED, kserve_python
from tests.e2e.sinks import Sink, sink
from tests.e2e.whole import free_port
from tests.runtimes.foreign import KNATIVE, Services, isvc, services

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Tried:
    services: Services
    sink: Sink


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    directory = tmp_path_factory.mktemp("kserve")
    script = directory / "authored.py"
    script.write_text(AUTHORED.read_text())
    with sink() as arrived, services(directory) as found:
        found.apply(custom(kserve_python(), script, arrived.url))
        found.wait("custom")
        yield Tried(found, arrived)


def custom(python: Path, script: Path, url: str) -> dict[str, object]:
    port = free_port()  # KServe's server listens on all addresses, so its port must be free on the whole machine
    container = {
        "name": "kserve-container",
        "image": "example.test/nobody/has:this",
        "command": [str(python), str(script)],
        "args": ["--model_name=iris", f"--http_port={port}", "--enable_grpc=false"],
        "ports": [{"containerPort": port, "protocol": "TCP"}],
    }
    predictor = {
        "minReplicas": 0,
        "containers": [container],
        "batcher": {"maxBatchSize": 8, "maxLatency": 100},
        "logger": {"mode": "all", "url": url},
    }
    return isvc("custom", KNATIVE, {"predictor": predictor})


def ask(tried: Tried, *rows: list[int]) -> dict[str, object]:
    status, found = tried.services.ask("custom", "/v1/models/iris:predict", {"instances": [*rows]})
    assert status == 200, found
    assert isinstance(found, dict)
    return found


def test_the_agent_joins_and_logs_its_requests(tried: Tried) -> None:
    assert tried.services.containers("custom") == ["kserve-container", "agent"]
    before = len(tried.sink.events)
    found = ask(tried, [1, 2], [3, 4])
    assert set(found) == {"message", "batchId", "predictions"}
    request, response = sorted(tried.sink.wait(before + 2)[before:], key=lambda one: one.kind)
    assert json.loads(request.body) == {"instances": [[1, 2], [3, 4]]}
    assert json.loads(response.body)["predictions"] == found["predictions"]


def test_it_sleeps_and_wakes_for_whoever_comes(tried: Tried) -> None:
    before = ask(tried, [1, 2])["predictions"]
    tried.services.sleeps("custom")
    assert ask(tried, [1, 2])["predictions"] == before
