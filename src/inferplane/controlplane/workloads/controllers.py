"""All workload controllers, for `assembly` to run."""

from inferplane.client.kubernetes.api import Api
from inferplane.client.kubernetes.discovery import Discovery
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.workloads.deployments.controller import DeploymentController
from inferplane.controlplane.workloads.endpoints.controller import EndpointSliceController
from inferplane.controlplane.workloads.replicasets.controller import ReplicaSetController
from inferplane.controlplane.workloads.scheduling.controller import Scheduler
from inferplane.kernel.clock import Clock


def controllers(informers: Informers, discovery: Discovery, clock: Clock, recorder: Recorder) -> list[Controller]:
    """They write through `informers.api`, so that each sees the others' writes at once. Run them when it is synced."""
    api: Api = informers.api
    return [
        DeploymentController(api, informers, clock, recorder).controller,
        ReplicaSetController(api, informers, clock, recorder).controller,
        Scheduler(api, informers, clock, recorder).controller,
        EndpointSliceController(api, informers, clock).controller,
    ]
