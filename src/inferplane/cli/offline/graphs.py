"""The objects of an InferenceGraph, as a cluster would get them.

Services of the files are asked as they will be there; of one that is in no file a scikit-learn model in V1 is assumed,
as its path cannot be known.
"""

import msgspec

from inferplane.cli.manifests import Manifest
from inferplane.cli.offline.rendering import unowned
from inferplane.cli.offline.world import World, is_service, service_of
from inferplane.client.kubernetes.kinds import INFERENCE_GRAPH
from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.graphs import plan
from inferplane.controlplane.serving.graphs.endpoints import Service
from inferplane.controlplane.serving.routes import cluster_local_host
from inferplane.kernel.errors import InferplaneError
from inferplane.kernel.json import JsonObject, object_at
from inferplane.resources.knative import Address
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferencegraph import InferenceGraph
from inferplane.resources.serving.inferenceservice import InferenceService, InferenceServiceStatus

_UNKNOWN: JsonObject = {"predictor": {"sklearn": {"storageUri": "file:///unknown"}}}


def is_graph(manifest: Manifest) -> bool:
    return (manifest.api_version, manifest.kind) == (INFERENCE_GRAPH.api_version, INFERENCE_GRAPH.kind)


def children(
    manifest: Manifest, beside: list[Manifest], world: World, namespace: str, mode: str = ""
) -> list[JsonObject]:
    """Of a graph that has no faults; `beside` are the objects of the files. Raises InferplaneError."""
    graph = _graph(manifest, namespace, mode)
    where = graph.metadata.namespace
    given = {one.name: service_of(one, namespace) for one in beside if is_service(one)}
    services = {name: Service(name, _ready(given.get(name), name, where)) for name in plan.services_of(graph)}
    runtimes = world.for_namespace(where)
    todo = plan.plan(graph, world.config, plan.World(services, [*runtimes.namespaced, *runtimes.cluster]))
    if todo.blocked is not None:
        raise InferplaneError(f"{manifest.where()}: {todo.blocked.message}")
    return [unowned(one.body) for one in todo.objects]


def _graph(manifest: Manifest, namespace: str, mode: str) -> InferenceGraph:
    graph = msgspec.convert(manifest.body, InferenceGraph)
    annotations = graph.metadata.annotations | ({DEPLOYMENT_MODE: mode} if mode else {})
    metadata = msgspec.structs.replace(
        graph.metadata, namespace=graph.metadata.namespace or namespace, annotations=annotations
    )
    return msgspec.structs.replace(graph, metadata=metadata)


def _ready(isvc: InferenceService | None, name: str, namespace: str) -> InferenceService:
    """With the address that its controller will find."""
    found = isvc or InferenceService(metadata=ObjectMeta(name=name, namespace=namespace), spec=_UNKNOWN)
    entry = names.TRANSFORMER if object_at(found.spec, names.TRANSFORMER) else names.PREDICTOR
    address = Address(url=f"http://{cluster_local_host(f'{name}-{entry}', namespace)}")
    return msgspec.structs.replace(found, status=InferenceServiceStatus(address=address))
