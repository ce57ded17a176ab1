"""Words of the tests of InferenceGraphs."""

from tests.reconcile.serving.world import World

from inferplane.client.kubernetes import kinds
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

GRAPH = "chain"


def step(service: str = "", **fields: Json) -> JsonObject:
    """Of a service, else of a URL."""
    target: JsonObject = {"serviceName": service} if service else {"serviceUrl": "http://model.example.com/predict"}
    return target | fields


def node(kind: str, *steps: JsonObject) -> JsonObject:
    return {"routerType": kind, "steps": [*steps]}


def graph(
    *steps: JsonObject, annotations: dict[str, str] | None = None, spec: JsonObject | None = None, **fields: Json
) -> JsonObject:
    """One node, a sequence of the steps (a URL unless given), and further fields of the spec."""
    nodes: JsonObject = {"root": node("Sequence", *(steps or (step(),)))}
    marks: JsonObject = {**(annotations or {})}
    return {"metadata": {"name": GRAPH, "annotations": marks}, "spec": {"nodes": nodes, **fields, **(spec or {})}}


async def applied(world: World, body: JsonObject) -> None:
    """As a user would: a change keeps the status."""
    before = world.api.peek(kinds.INFERENCE_GRAPH, GRAPH)
    status = object_at(before, "status") if before else {}
    await world.add(kinds.INFERENCE_GRAPH, body | ({"status": status} if status else {}))


def status(world: World) -> JsonObject:
    return object_at(world.peek(kinds.INFERENCE_GRAPH, GRAPH), "status")


def conditions(world: World) -> dict[str, Json]:
    return {str(one["type"]): one["status"] for one in list_at(status(world), "conditions") if isinstance(one, dict)}


def said(world: World, type: str = "Ready") -> tuple[str, str]:
    """Reason and message of a condition."""
    found = [one for one in list_at(status(world), "conditions") if isinstance(one, dict) and one["type"] == type]
    return text_at(found[0], "reason"), text_at(found[0], "message")


def template(world: World) -> JsonObject:
    """Of the router's Knative Service."""
    return object_at(world.peek(kinds.KNATIVE_SERVICE, GRAPH), "spec", "template")


def container(world: World) -> JsonObject:
    [found] = list_at(template(world), "spec", "containers")
    assert isinstance(found, dict)
    return found


async def router_says(world: World, ready: str = "True", url: str = f"http://{GRAPH}.default.example.com") -> None:
    """What Knative would write into the status of the router's Service."""
    why: JsonObject = {} if ready == "True" else {"reason": "RevisionFailed", "message": "it broke"}
    conditions: list[Json] = [
        {"type": one, "status": ready, **why} for one in ("ConfigurationsReady", "Ready", "RoutesReady")
    ]
    await world.says(kinds.KNATIVE_SERVICE, GRAPH, {"conditions": conditions, "url": url})
