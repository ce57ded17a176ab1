"""Serverless in the control plane: Knative's kinds, the autoscaler that scales their pods, the activator.

Load comes from Envoy's statistics and from the activator, and goes to the one autoscaler. Not to be run where Knative
itself runs.
"""

import asyncio
from pathlib import Path

from inferplane.assembly.activation import activator
from inferplane.controlplane.activator.measures import ColdStarts
from inferplane.controlplane.autoscaling.collect import EnvoyStatistics, collect
from inferplane.controlplane.autoscaling.podautoscaler import PodAutoscalerController, Told
from inferplane.controlplane.autoscaling.serverlessservice import ServerlessServiceController
from inferplane.controlplane.knative.controllers import controllers as knative_controllers
from inferplane.controlplane.machinery.controller import Controller
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.precedence import Precedence
from inferplane.controlplane.machinery.progress import PROGRESS_WAITS
from inferplane.kernel.clock import Clock


class Serverless:
    """To be made before the informers run; `controllers` are to be run when they are synced."""

    def __init__(
        self,
        informers: Informers,
        clock: Clock,
        recorder: Recorder,
        starts: ColdStarts,
        *,
        envoy_admin: Path,
        first: Precedence,
        told: Told,
    ) -> None:
        self._clock = clock
        self._envoy_admin = envoy_admin
        scaling = PodAutoscalerController(informers, clock, recorder, first, told)
        self._autoscaler = scaling.autoscaler
        self._activator = activator(informers, clock, self._autoscaler.record, starts, first)
        self.controllers: list[Controller] = [
            *knative_controllers(informers, recorder, clock, PROGRESS_WAITS),
            scaling.controller,
            ServerlessServiceController(informers, clock).controller,
        ]

    async def run(self) -> None:
        """The activator, and what the autoscaler does by the clock; until cancelled."""
        async with EnvoyStatistics(self._envoy_admin) as statistics, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._activator.run(), name="activator")
            tasks.create_task(self._autoscaler.run(), name="autoscaler")
            tasks.create_task(collect(statistics.page, self._autoscaler.observe, self._clock), name="load")
