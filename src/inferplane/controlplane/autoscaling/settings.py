"""ConfigMap `config-autoscaler`, as it is now. What cannot be changes nothing: what it said before holds."""

import logging
from collections.abc import Callable

from inferplane.client.kubernetes.kinds import CONFIG_MAP
from inferplane.controlplane.machinery.events import Recorder
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import object_reference
from inferplane.resources.autoscaling_knative import config
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.core import ConfigMap

log = logging.getLogger(__name__)

BAD_CONFIG = "InvalidConfiguration"


class Settings:
    """`current` is what holds; `changed` is told after each change."""

    def __init__(self, informers: Informers, recorder: Recorder, changed: Callable[[], None]) -> None:
        self.current = AutoscalerConfig()
        self._recorder = recorder
        self._told = changed
        informers.cache(CONFIG_MAP, ConfigMap).on_change(self._changed)

    def _changed(self, old: ConfigMap | None, new: ConfigMap | None) -> None:
        of = new or old
        if of is None or (of.metadata.namespace, of.metadata.name) != (config.NAMESPACE, config.NAME):
            return
        try:
            found = config.read(new.data) if new else AutoscalerConfig()
        except config.BadConfig as error:
            log.warning("configuration left as it was error=%s", error)
            self._recorder.event(object_reference(CONFIG_MAP, of.metadata), "Warning", BAD_CONFIG, str(error))
            return
        if found != self.current:
            self.current = found
            self._told()
