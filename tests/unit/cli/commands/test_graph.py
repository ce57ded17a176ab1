import json
from pathlib import Path

import pytest
from tests.fakes.api import Write
from tests.unit.cli.commands.test_predict import gateway
from tests.unit.cli.desk import Desk

from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH
from inferplane.kernel.json import Json, JsonObject

Captured = pytest.CaptureFixture[str]
STEPS: list[Json] = [{"serviceUrl": "http://x.example/"}]
SPEC: JsonObject = {"nodes": {"root": {"routerType": "Sequence", "steps": STEPS}}}
GRAPH = """\
apiVersion: serving.kserve.io/v1alpha1
kind: InferenceGraph
metadata: {name: chain}
spec:
  nodes:
    root: {routerType: Sequence, steps: [{serviceUrl: "http://x.example/"}]}
"""


def stored(status: str = "True", reason: str = "", message: str = "") -> JsonObject:
    ready: list[Json] = [{"type": "Ready", "status": status, "reason": reason, "message": message}]
    told: JsonObject = {"url": "http://chain.default.localhost", "conditions": ready, "observedGeneration": 1}
    return {"metadata": {"name": "chain"}, "spec": SPEC, "status": told}


@pytest.mark.parametrize("name", ["chain", "ig/chain", "inferencegraph/chain"])
def test_a_graph_is_drawn_and_the_next_command_asks_it(desk: Desk, capsys: Captured, name: str) -> None:
    desk.server.add(INFERENCE_GRAPH, stored())
    assert desk.type("graph", name) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "└─ 1.   ○ http://x.example/"
    assert desk.said == "next: inferplane predict ig/chain -d JSON\n"


def test_for_programs_it_is_a_document(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_GRAPH, stored())
    assert desk.type("graph", "chain", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "name": "chain",
        "namespace": "default",
        "ready": True,
        "url": "http://chain.default.localhost",
        "nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceUrl": "http://x.example/"}]}},
    }


def test_a_graph_that_is_not_there_names_those_that_are(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_GRAPH, stored())
    assert desk.type("graph", "chian") == 1
    assert capsys.readouterr().err == "there is no inferencegraph/chian in namespace default: there are: chain\n"


def test_a_request_to_a_graph_goes_to_its_root(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.server.add(INFERENCE_GRAPH, stored())
    sent = gateway(monkeypatch, 200, b"{}").sent
    assert desk.type("predict", "ig/chain", "-d", "{}") == 0
    assert sent == [("http://chain.default.localhost:8080/", b"{}")]


def test_a_refusal_of_a_graph_points_to_its_drawing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    desk.server.add(INFERENCE_GRAPH, stored())
    gateway(monkeypatch, 404, b'{"error": "Failed to process request", "cause": "root: none of its conditions holds"}')
    assert desk.type("predict", "ig/chain", "-d", "{}") == 1
    assert capsys.readouterr().err.endswith("if the service is at fault: inferplane graph chain\n")


def test_why_sends_a_graph_to_its_drawing(desk: Desk, capsys: Captured) -> None:
    assert desk.type("why", "ig/chain") == 1
    assert capsys.readouterr().err == "a graph says it in its drawing: inferplane graph chain\n"


def test_apply_waits_for_a_graph(desk: Desk, tmp_path: Path) -> None:
    assert applied(desk, tmp_path, stored()) == 0
    assert desk.said.splitlines()[-1] == "next: inferplane graph chain"


def test_apply_says_at_once_why_a_graph_will_never_be_ready(desk: Desk, tmp_path: Path, capsys: Captured) -> None:
    assert applied(desk, tmp_path, stored("False", "InvalidGraphSpec", "spec.nodes: no node is named root")) == 1
    assert capsys.readouterr().err == (
        "inferencegraph/chain: InvalidGraphSpec: spec.nodes: no node is named root\n  see   inferplane graph chain\n"
    )


def applied(desk: Desk, directory: Path, becomes: JsonObject) -> int:
    """The exit code of `apply`; from the first watch on the graph is as `becomes` says."""

    def controller(write: Write) -> None:
        if write.verb == "watch":
            spec = desk.server.peek(INFERENCE_GRAPH, "chain") or {}
            desk.server.add(INFERENCE_GRAPH, spec | {"status": becomes["status"]})

    desk.server.intercept = controller
    (directory / "graph.yaml").write_text(GRAPH)
    return desk.type("apply", "-f", str(directory / "graph.yaml"))
