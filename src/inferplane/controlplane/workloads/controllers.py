"""All workload controllers, for `assembly` to run."""

from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.discovery import Discovery
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.workloads.autoscaling.controller import AutoscalerController
from inferplane.controlplane.workloads.autoscaling.decide import Settings
from inferplane.controlplane.workloads.autoscaling.scaled_objects import ScaledObjectController
from inferplane.controlplane.workloads.census import Census
from inferplane.controlplane.workloads.deployments.controller import DeploymentController
from inferplane.controlplane.workloads.endpoints.controller import EndpointSliceController
from inferplane.controlplane.workloads.garbage.controller import GarbageCollector
from inferplane.controlplane.workloads.namespaces.controller import NamespaceCloser, NamespaceFurnisher
from inferplane.controlplane.workloads.replicasets.controller import ReplicaSetController
from inferplane.controlplane.workloads.scheduling.controller import Scheduler
from inferplane.kernel.clock import Clock


def controllers(
    informers: Informers,
    discovery: Discovery,
    clock: Clock,
    recorder: Recorder,
    *,
    ca: str,
    autoscaling: Settings | None = None,
    scaled_objects: bool = False,
    first: Precedence | None = None,
    patience: float = 0.0,
) -> list[Controller]:
    """Run them when the informers are synced. `ca` is the API server's CA (PEM), put into each namespace.

    `scaled_objects`: the server has KEDA's kind, and nobody else honours it. `first`: what statuses stand back for.
    `patience`: seconds that one may wait that only tells of progress.

    They write through `informers.api`, so that each sees the others' writes at once.
    """
    api: Api = informers.api
    census = Census(informers, discovery, clock)
    scheduler = Scheduler(api, informers, clock, recorder)
    keda = [ScaledObjectController(api, informers, clock, recorder).controller] if scaled_objects else []
    return [
        *keda,
        census.controller,
        NamespaceFurnisher(api, informers, clock, ca).controller,
        NamespaceCloser(api, informers, discovery, census, clock).controller,
        GarbageCollector(api, census, clock).controller,
        DeploymentController(api, informers, clock, recorder, first, patience).controller,
        ReplicaSetController(api, informers, clock, recorder, scheduler, first, patience).controller,
        AutoscalerController(api, informers, clock, recorder, autoscaling).controller,
        scheduler.controller,
        EndpointSliceController(api, informers, clock).controller,
    ]
