"""`--graph-json` as the router carries it out."""

import msgspec
import pytest
from tests.unit.dataplane.graph.steps import node, text, url

from inferplane.dataplane.graph.plan import InvalidGraph, Timeouts, read


def test_steps_are_named_by_node_and_name_or_number() -> None:
    graph = read(text(root=node("Sequence", url("a", name="first"), url("b"))))
    assert [(step.place, step.key) for step in graph.root.steps] == [("root/first", "first"), ("root/1", "1")]


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ("http://iris.ml/v1/models/iris:predict", b"POST /v1/models/iris:predict HTTP/1.1\r\nhost: iris.ml\r\n"),
        ("http://127.0.0.1:8080", b"POST / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"),
        ("https://[::1]:1/x?y=1", b"POST /x?y=1 HTTP/1.1\r\nhost: [::1]:1\r\n"),
    ],
)
def test_a_url_becomes_a_request_line(given: str, start: bytes) -> None:
    target = read(text(root=node("Sequence", {"serviceUrl": given}))).root.steps[0].target
    assert target is not None
    assert target.start == start


def test_the_url_beside_a_services_name_is_what_is_asked() -> None:
    step = {"serviceName": "iris", "serviceUrl": "http://iris.ml/"}
    assert read(text(root=node("Sequence", {**step}))).root.steps[0].target is not None


@pytest.mark.parametrize(
    ("given", "timeouts"),
    [
        ({}, Timeouts(60.0, 60.0, 180.0, None)),
        ({"serverRead": 1, "serverWrite": 2, "serverIdle": 3, "serviceClient": 4}, Timeouts(1.0, 2.0, 3.0, 4.0)),
        ({"serverWrite": 0, "serviceClient": 0}, Timeouts(60.0, None, 180.0, None)),
    ],
)
def test_timeouts_are_kserves_unless_given(given: dict[str, int], timeouts: Timeouts) -> None:
    spec = {"nodes": {"root": node("Sequence", url("a"))}, "routerTimeouts": given}
    assert read(msgspec.json.encode(spec).decode()).timeouts == timeouts


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ("{", "--graph-json: Input data was truncated"),
        ('{"nodes": {"root": {"routerType": "Fork"}}}', "--graph-json: Invalid enum value 'Fork' - at `$.nodes[...]"),
        (text(a=node("Sequence", url("x"))), "--graph-json: spec.nodes: no node is named root"),
        (
            text(root=node("Sequence", {"serviceName": "iris"})),
            "--graph-json: spec.nodes.root.steps[0].serviceName: 'iris' has no URL beside it",
        ),
        (text(root=node("Sequence", {"serviceUrl": "ftp://x"})), "expected http://HOST or https://HOST"),
    ],
)
def test_g26_a_graph_that_cannot_be_carried_out_is_refused(graph: str, said: str) -> None:
    with pytest.raises(InvalidGraph) as caught:
        read(graph)
    assert said in str(caught.value)
