"""All of Knative's serving controllers, for `assembly` to run. Not where Knative itself runs: they would fight."""

from inferplane.controlplane.knative.configurations.controller import ConfigurationController
from inferplane.controlplane.knative.labeler import Labeler
from inferplane.controlplane.knative.revisions.controller import RevisionController
from inferplane.controlplane.knative.routes.controller import RouteController
from inferplane.controlplane.knative.services.controller import ServiceController
from inferplane.controlplane.knative.settings import Settings
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.kernel.clock import Clock


def controllers(informers: Informers, recorder: Recorder, clock: Clock, patience: float = 0.0) -> list[Controller]:
    """Run them when the informers are synced. They write through `informers.api`.

    `patience`: seconds that a status may wait that only tells of progress.
    """
    settings = Settings(informers)
    return [
        ServiceController(informers, settings, recorder, clock, patience).controller,
        ConfigurationController(informers, settings, recorder, clock, patience).controller,
        RevisionController(informers, settings, recorder, clock, patience).controller,
        RouteController(informers, settings, recorder, clock, patience).controller,
        Labeler(informers, clock).controller,
    ]
