"""The child objects of a service, as a cluster would get them."""

from inferplane.cli.manifests import Manifest
from inferplane.cli.offline import planning
from inferplane.cli.offline.world import World, service_of
from inferplane.kernel.json import JsonObject, object_at


def children(manifest: Manifest, world: World, namespace: str, mode: str = "") -> list[JsonObject]:
    """Of a service that has no faults. `mode` takes the place of the one that it asks for.

    Without owner references: who owns them has no uid before it is created.
    """
    isvc = service_of(manifest, namespace)
    todo = planning.plan_of(planning.in_mode(isvc, mode) if mode else isvc, world)
    return [unowned(one.body) for one in todo.objects]


def unowned(body: JsonObject) -> JsonObject:
    metadata = {key: value for key, value in object_at(body, "metadata").items() if key != "ownerReferences"}
    return body | {"metadata": metadata}
