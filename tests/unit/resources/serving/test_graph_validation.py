"""What is said of graphs that cannot be carried out."""

import msgspec
import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.serving.graph_validation import problems
from inferplane.resources.serving.inferencegraph import InferenceGraphSpec


def graph(**nodes: JsonObject) -> JsonObject:
    return {"nodes": {**nodes}}


def node(kind: str, *steps: JsonObject) -> JsonObject:
    return {"routerType": kind, "steps": [*steps]}


A: JsonObject = {"serviceName": "a"}
B: JsonObject = {"serviceName": "b"}


def said(spec: JsonObject, name: str = "g") -> list[str]:
    return problems(name, msgspec.convert(spec, InferenceGraphSpec))


@pytest.mark.parametrize(
    "spec",
    [
        graph(root=node("Sequence", A, B | {"data": "$response", "condition": "predictions.0"})),
        graph(root=node("Splitter", A | {"weight": 80}, B | {"weight": 20})),
        graph(root=node("Splitter", A | {"weight": 100}, B | {"weight": 0})),
        graph(root=node("Ensemble", A | {"name": "x"}, {"serviceUrl": "https://models.example/x?y=1"})),
        graph(root=node("Switch", A | {"condition": "[@this].#(kind==a)"}, B | {"condition": "@this"})),
        graph(root=node("Sequence", {"nodeName": "n"}, {"nodeName": "n"}), n=node("Sequence", A)),
        graph(root=node("Sequence", A | {"data": "$request.instances"})),
    ],
)
def test_what_can_be_carried_out_has_no_problems(spec: JsonObject) -> None:
    assert said(spec) == []


WRONG: list[tuple[JsonObject, str]] = [
    (graph(first=node("Sequence", A)), "spec.nodes: no node is named root, which takes the requests; have: first"),
    (graph(root=node("Sequence")), "spec.nodes.root.steps: at least one step is needed"),
    (
        graph(root=node("Sequence", {})),
        "spec.nodes.root.steps[0]: exactly one of nodeName, serviceName and serviceUrl is needed, got none",
    ),
    (
        graph(root=node("Sequence", A | {"serviceUrl": "http://b"})),
        (
            "spec.nodes.root.steps[0]: exactly one of nodeName, serviceName and serviceUrl is needed, "
            "got serviceName and serviceUrl"
        ),
    ),
    (
        graph(root=node("Sequence", A, {"nodeName": "lost"})),
        "spec.nodes.root.steps[1].nodeName: there is no node 'lost'; have: root",
    ),
    (
        graph(root=node("Sequence", {"nodeName": "n"}), n=node("Sequence", A, {"nodeName": "root"})),
        "spec.nodes.root: the nodes go in a circle: root → n → root",
    ),
    (
        graph(root=node("Sequence", A), n=node("Sequence", {"nodeName": "n"})),
        "spec.nodes.n: the nodes go in a circle: n → n",
    ),
    (
        graph(root=node("Splitter", A | {"weight": 80}, B | {"weight": 30})),
        "spec.nodes.root.steps: the weights of a Splitter sum to 100, got 110",
    ),
    (
        graph(root=node("Splitter", A | {"weight": 100}, B)),
        "spec.nodes.root.steps[1].weight: every step of a Splitter needs one",
    ),
    (
        graph(root=node("Splitter", A | {"weight": 120}, B | {"weight": -20})),
        "spec.nodes.root.steps[1].weight: expected 0 or more, got -20",
    ),
    (
        graph(root=node("Ensemble", A | {"name": "x"}, B | {"name": "x"})),
        "spec.nodes.root.steps: 2 steps are named x",
    ),
    (
        graph(root=node("Switch", A)),
        "spec.nodes.root.steps[0].condition: every step of a Switch needs one (@this holds for any request)",
    ),
    (
        graph(root=node("Switch", A | {"condition": "#(x"})),
        "spec.nodes.root.steps[0].condition: '#(x' at 2: '(' is not closed",
    ),
    (
        graph(root=node("Switch", A | {"condition": "{a}"})),
        (
            "spec.nodes.root.steps[0].condition: '{a}' makes a value of its own, so it always holds: "
            "expected a path into the data"
        ),
    ),
    (
        graph(root=node("Sequence", A | {"condition": "x"})),
        "spec.nodes.root.steps[0].condition: there is no response yet that the first step of a Sequence could look at",
    ),
    (
        graph(root=node("Sequence", A | {"data": "response"})),
        "spec.nodes.root.steps[0].data: expected $request or $response, perhaps with .PATH, got 'response'",
    ),
    (
        graph(root=node("Sequence", A | {"data": "$response.#("})),
        "spec.nodes.root.steps[0].data: '#(' at 2: '(' is not closed",
    ),
    (
        graph(root=node("Sequence", {"serviceUrl": "iris.ml"})),
        "spec.nodes.root.steps[0].serviceUrl: expected http://HOST or https://HOST, got 'iris.ml'",
    ),
    (
        graph(root=node("Sequence", {"serviceUrl": "http://a:port/"})),
        (
            "spec.nodes.root.steps[0].serviceUrl: 'http://a:port/' is no URL: "
            "Port could not be cast to integer value as 'port'"
        ),
    ),
    (
        graph(root=node("Sequence", {"serviceUrl": "http://a/b c"})),
        "spec.nodes.root.steps[0].serviceUrl: 'http://a/b c' holds a blank or a control character",
    ),
    (
        graph(root=node("Sequence", A)) | {"minReplicas": 3, "maxReplicas": 2},
        "spec.minReplicas: 3 is more than maxReplicas, 2",
    ),
    (
        graph(root=node("Sequence", A)) | {"routerTimeouts": {"serviceClient": -1}},
        "spec.routerTimeouts.serviceClient: expected 0 (no bound) or more seconds, got -1",
    ),
]


@pytest.mark.parametrize(("spec", "words"), WRONG, ids=[words.partition(": ")[2][:50] for _, words in WRONG])
def test_a_fault_is_said_with_its_place(spec: JsonObject, words: str) -> None:
    assert said(spec) == [words]


def test_a_name_that_no_service_may_have_is_refused() -> None:
    [words] = said(graph(root=node("Sequence", A)), "1st")
    assert words.startswith("metadata.name: ")


def test_all_faults_are_said_at_once() -> None:
    steps: list[Json] = [{}, {"nodeName": "x"}]
    assert len(said({"nodes": {"start": {"routerType": "Splitter", "steps": steps}}})) == 5
