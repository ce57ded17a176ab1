"""Words that the conformance tests share: a service of KServe's tests and what is read of it."""

from collections.abc import Iterable

from tests.reconcile.serving.world import World

from inferplane.client.kubernetes.kinds import DEPLOYMENT
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at

NOW = "2026-01-01T00:00:00Z"
ISVC = "raw-foo"
TRANSFORMER: JsonObject = {
    "minReplicas": 1,
    "maxReplicas": 2,
    "scaleTarget": 80,
    "timeout": 30,
    "containers": [{"image": "transformer:v1", "args": ["--port=8080"], "resources": {"limits": {"cpu": "1"}}}],
}
EXPLAINER: JsonObject = {"timeout": 30, "art": {"type": "SquareAttack", "config": {"nb_classes": "10"}}}


def with_components(body: JsonObject, **components: JsonObject) -> JsonObject:
    return body | {"spec": object_at(body, "spec") | components}


async def ready(world: World, *kinds: str) -> None:
    """All that the components of the service need."""
    for kind in kinds:
        await world.available(f"{ISVC}-{kind}")
    await world.accepted(ISVC, *(f"{ISVC}-{kind}" for kind in kinds))


def main_container(deployment: JsonObject) -> JsonObject:
    [container] = list_at(deployment, "spec", "template", "spec", "containers")
    assert isinstance(container, dict)
    return container


def backends(route: JsonObject) -> list[tuple[str, list[tuple[str, int]], str]]:
    """(path, (Service, weight) …, timeout) of each match of each rule."""
    found = []
    for rule in dicts(list_at(route, "spec", "rules")):
        shares = [(str(one["name"]), int(str(one["weight"]))) for one in dicts(list_at(rule, "backendRefs"))]
        wait = text_at(rule, "timeouts", "request")
        found += [(text_at(match, "path", "value"), shares, wait) for match in dicts(list_at(rule, "matches"))]
    return found


def dicts(values: Iterable[Json]) -> list[JsonObject]:
    return [one for one in values if isinstance(one, dict)]


def replicas(world: World) -> dict[str, Json]:
    return {
        text_at(one, "metadata", "name"): object_at(one, "spec").get("replicas")
        for one in world.api.objects(DEPLOYMENT)
    }


def model(uri: str) -> JsonObject:
    return {"modelFormat": {"name": "tensorflow"}, "storageUri": uri}
