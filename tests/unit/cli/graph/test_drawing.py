"""A graph as lines in a terminal, and as a document."""

from inferplane.cli.graph.drawing import drawn
from inferplane.cli.graph.facts import document, facts
from inferplane.kernel.json import Json, JsonObject, object_at

READY: list[Json] = [{"type": "Ready", "status": "True"}]
BROKEN: list[Json] = [{"type": "Ready", "status": "False", "reason": "RevisionFailed", "message": "it broke"}]
URL = "http://mixed.default.localhost:8080"


def service(name: str, conditions: list[Json]) -> JsonObject:
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


SERVICES = [service("steady", READY), service("large", BROKEN), service("fresh", [])]


def graph(nodes: JsonObject, conditions: list[Json] | None = None) -> JsonObject:
    status: JsonObject = {"url": URL, "conditions": READY if conditions is None else conditions}
    return {"metadata": {"name": "mixed", "namespace": "default"}, "spec": {"nodes": nodes}, "status": status}


def node(kind: str, *steps: JsonObject) -> JsonObject:
    return {"routerType": kind, "steps": [*steps]}


def lines(nodes: JsonObject, conditions: list[Json] | None = None) -> list[str]:
    return drawn(facts(graph(nodes, conditions), SERVICES))


def test_nodes_hang_below_the_steps_that_lead_to_them() -> None:
    nodes: JsonObject = {
        "root": node("Splitter", {"serviceName": "steady", "weight": 80}, {"nodeName": "judge", "weight": 20}),
        "judge": node(
            "Switch",
            {"serviceName": "large", "condition": "instances.#(0>6)"},
            {"nodeName": "both", "condition": "@this"},
        ),
        "both": node("Ensemble", {"serviceName": "steady", "name": "a"}, {"serviceName": "gone"}),
    }
    assert lines(nodes) == [
        f"mixed   Ready   {URL}",
        "",
        "root · Splitter",
        "├─ 80 %   ● steady",
        "└─ 20 %   judge · Switch",
        "          ├─ if instances.#(0>6)   ✗ large: it broke",
        "          └─ if @this              both · Ensemble",
        "                                   ├─ a:   ● steady",
        "                                   └─ 1:   ✗ gone: does not exist",
    ]


def test_a_step_says_what_is_not_the_rule() -> None:
    steps: list[Json] = [
        {"serviceName": "steady"},
        {"serviceName": "fresh", "data": "$response", "mapPredictionsToInstances": True, "dependency": "Hard"},
        {"serviceUrl": "http://x.example/", "condition": "predictions.0", "data": "$request"},
    ]
    assert lines({"root": {"routerType": "Sequence", "steps": steps}})[2:] == [
        "root · Sequence",
        "├─ 1.                    ● steady",
        "├─ 2.                    ✗ fresh: its status is not known yet   ($response, predictions as instances, hard)",
        "└─ 3. if predictions.0   ○ http://x.example/",
    ]


def test_a_node_that_two_steps_lead_to_is_drawn_once() -> None:
    nodes: JsonObject = {
        "root": node("Ensemble", {"nodeName": "n"}, {"nodeName": "n"}),
        "n": node("Sequence", {"serviceName": "steady"}),
    }
    assert lines(nodes)[2:] == [
        "root · Ensemble",
        "├─ 0:   n · Sequence",
        "│       └─ 1.   ● steady",
        "└─ 1:   n · Sequence",
    ]


def test_a_graph_with_mistakes_is_drawn_as_far_as_it_goes() -> None:
    nodes: JsonObject = {
        "root": node("Sequence", {"nodeName": "root"}, {"nodeName": "lost"}, {}),
        "left": node("Sequence", {"serviceName": "steady"}),
    }
    said: list[Json] = [{"type": "Ready", "status": "False", "reason": "InvalidGraphSpec", "message": "in a circle"}]
    assert lines(nodes, said) == [
        f"mixed   not ready   {URL}",
        "",
        "root · Sequence",
        "├─ 1.   root · Sequence",
        "├─ 2.   ✗ lost: there is no such node",
        "└─ 3.   ○ nowhere",
        "",
        "nothing leads to: left",
        "",
        "InvalidGraphSpec: in a circle",
    ]


def test_without_a_root_and_a_controller() -> None:
    assert lines({"a": node("Sequence", {"serviceName": "steady"})}, [])[2:] == [
        "there is no node root",
        "",
        "nothing leads to: a",
        "",
        "no controller has looked at it yet",
    ]


def test_a_document_has_the_nodes_as_written_with_what_is_known_of_services() -> None:
    nodes: JsonObject = {"root": node("Splitter", {"serviceName": "large", "weight": 100})}
    found = document(facts(graph(nodes, BROKEN), SERVICES))
    assert object_at(found, "nodes", "root")["steps"] == [
        {"serviceName": "large", "weight": 100, "ready": False, "problem": "it broke"}
    ]
    assert (found["ready"], found["problem"], found["url"]) == (False, "it broke", URL)
