"""Knative's ConfigMaps, as they are now. One that says what cannot be changes nothing: what it said before holds."""

import logging
from collections.abc import Callable

from inferplane.client.kubernetes.kinds import CONFIG_MAP
from inferplane.controlplane.machinery.informers import Informers
from inferplane.controlplane.machinery.owners import key_of_meta
from inferplane.resources.autoscaling_knative import config as autoscaler
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.core import ConfigMap
from inferplane.resources.knative import config
from inferplane.resources.knative.config import Config

log = logging.getLogger(__name__)


class Settings:
    """`serving` and `autoscaler` are current; `on_change` is told after each change."""

    def __init__(self, informers: Informers) -> None:
        self.serving = Config()
        self.autoscaler = AutoscalerConfig()
        self._told: list[Callable[[], None]] = []
        informers.cache(CONFIG_MAP, ConfigMap).on_change(self._changed)

    def on_change(self, told: Callable[[], None]) -> None:
        self._told.append(told)

    def _changed(self, old: ConfigMap | None, new: ConfigMap | None) -> None:
        of = new or old
        if of is None or of.metadata.namespace != config.NAMESPACE or (old and new and old.data == new.data):
            return
        before = self.serving, self.autoscaler
        try:
            self._read(of.metadata.name, new.data if new else {})
        except (config.BadConfig, autoscaler.BadConfig) as error:
            log.error("configuration not taken map=%s error=%s", key_of_meta(of.metadata), error)
            return
        if (self.serving, self.autoscaler) != before:
            for told in self._told:
                told()

    def _read(self, name: str, data: dict[str, str]) -> None:
        if name in config.NAMES:
            self.serving = config.read(name, data, self.serving)
        elif name == autoscaler.NAME:
            self.autoscaler = autoscaler.read(data)
