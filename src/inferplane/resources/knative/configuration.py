"""Configuration: the template of the next revision; each change of it makes one."""

# msgspec copies a mutable default for each instance.

from inferplane.resources.knative.template import RevisionTemplate
from inferplane.resources.meta import Condition, ObjectMeta, View

READY = "Ready"


class ConfigurationSpec(View, frozen=True, kw_only=True):
    template: RevisionTemplate = RevisionTemplate()


class ConfigurationStatus(View, frozen=True, kw_only=True):
    """Which revision was made last, and which was ready last."""

    observed_generation: int = 0
    conditions: list[Condition] = []
    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""


class Configuration(View, frozen=True, kw_only=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ConfigurationSpec = ConfigurationSpec()
    status: ConfigurationStatus = ConfigurationStatus()
