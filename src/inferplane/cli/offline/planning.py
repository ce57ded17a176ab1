"""What the controller would plan for a service on a cluster where everything goes well."""

import msgspec

from inferplane.cli.offline.world import World
from inferplane.controlplane.serving.fetching import completed
from inferplane.controlplane.serving.knative import plan as knative
from inferplane.controlplane.serving.plan import KNATIVE, Plan, mode, plan
from inferplane.kernel.json import text_at
from inferplane.resources.knative import (
    CONFIGURATIONS_READY,
    READY,
    ROUTES_READY,
    KnativeService,
    KnativeServiceStatus,
    TrafficTarget,
)
from inferplane.resources.meta import Condition, ConditionStatus, ObjectMeta
from inferplane.resources.serving.config import Config
from inferplane.resources.serving.defaulting import DEPLOYMENT_MODE
from inferplane.resources.serving.inferenceservice import InferenceService


def plan_of(isvc: InferenceService, world: World) -> Plan:
    """As it stands once all replicas are there: canaries with their shares, in Knative mode with the way in."""
    return completed(_planned(isvc, world), world.stores(isvc.metadata.namespace))


def _planned(isvc: InferenceService, world: World) -> Plan:
    runtimes = world.for_namespace(isvc.metadata.namespace)
    if mode(isvc, world.config) != KNATIVE:
        first = plan(isvc, world.config, runtimes)
        return plan(isvc, world.config, runtimes, [one.name for one in first.objects])
    first = knative.plan(isvc, world.config, runtimes, knative.World())
    names = [text_at(one.body, "metadata", "name") for one in first.objects]
    ready = {name: _ready(name, isvc.metadata.namespace, world.config) for name in names}
    return knative.plan(isvc, world.config, runtimes, knative.World(ready))


def in_mode(isvc: InferenceService, wanted: str) -> InferenceService:
    annotations = isvc.metadata.annotations | {DEPLOYMENT_MODE: wanted}
    return msgspec.structs.replace(isvc, metadata=msgspec.structs.replace(isvc.metadata, annotations=annotations))


def _ready(name: str, namespace: str, config: Config) -> KnativeService:
    """What Knative says of a Service whose first revision is ready, at its default host."""
    revision = f"{name}-00001"
    status = KnativeServiceStatus(
        conditions=[
            Condition(type=one, status=ConditionStatus.TRUE) for one in (READY, CONFIGURATIONS_READY, ROUTES_READY)
        ],
        latest_created_revision_name=revision,
        latest_ready_revision_name=revision,
        url=f"http://{name}.{namespace}.{config.ingress.ingress_domain}",
        traffic=[TrafficTarget(revision_name=revision, latest_revision=True, percent=100)],
    )
    return KnativeService(metadata=ObjectMeta(name=name, namespace=namespace), status=status)
