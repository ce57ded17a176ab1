"""The revision of a Configuration's template, and which of its revisions is the latest ready one. Pure.

Rules: knative/serving `pkg/reconciler/configuration`.
"""

from collections.abc import Iterable, Sequence

from inferplane.client.kubernetes.kinds import KNATIVE_CONFIGURATION, KNATIVE_REVISION
from inferplane.controlplane.machinery.owners import owner_reference
from inferplane.kernel.json import JsonObject
from inferplane.resources.autoscaling_knative import annotations as scaling
from inferplane.resources.autoscaling_knative.config import AutoscalerConfig
from inferplane.resources.conditions import READY
from inferplane.resources.knative import Configuration, Revision, names, words
from inferplane.resources.knative.config import Config
from inferplane.resources.knative.defaulting import defaulted
from inferplane.resources.knative.validation import metadata_problems, template_problems
from inferplane.resources.meta import ConditionStatus, condition


def problems(configuration: Configuration, config: Config, autoscaler: AutoscalerConfig) -> list[str]:
    """What keeps the template from becoming a revision."""
    template = configuration.spec.template
    return [
        *metadata_problems(configuration.metadata),
        *template_problems(template, config, parent=configuration.metadata.name),
        *scaling.problems(template.metadata.annotations, autoscaler),
    ]


def revision_name(configuration: Configuration) -> str:
    given = configuration.spec.template.metadata.name
    return given or names.revision(configuration.metadata.name, configuration.metadata.generation)


def revision(configuration: Configuration, config: Config, now: str) -> JsonObject:
    """It starts as active when a Route leads to the Configuration already. `now` is RFC 3339."""
    meta, template = configuration.metadata, configuration.spec.template
    routes = meta.annotations.get(words.ROUTES, "")
    inherited = {name: meta.labels[name] for name in (words.SERVICE, words.SERVICE_UID) if name in meta.labels}
    labels: JsonObject = {
        **template.metadata.labels,
        **inherited,
        words.CONFIGURATION: meta.name,
        words.CONFIGURATION_GENERATION: str(meta.generation),
        words.CONFIGURATION_UID: meta.uid,
        words.ROUTING_STATE: words.ACTIVE if routes else words.PENDING,
    }
    annotations: JsonObject = {**template.metadata.annotations, words.ROUTING_STATE_MODIFIED: now}
    if routes:
        annotations[words.ROUTES] = routes
    if words.LAST_MODIFIER in meta.annotations:
        annotations[words.CREATOR] = meta.annotations[words.LAST_MODIFIER]
    return {
        "apiVersion": KNATIVE_REVISION.api_version,
        "kind": KNATIVE_REVISION.kind,
        "metadata": {
            "name": revision_name(configuration),
            "namespace": meta.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner_reference(KNATIVE_CONFIGURATION, meta)],
        },
        "spec": defaulted(template.spec, config),
    }


def belongs(found: Revision, configuration: Configuration, config: Config) -> bool:
    """Whether a revision is that of the present template: of this generation, or else just the same."""
    owner = found.metadata.controller_of()
    if owner is None or owner.uid != configuration.metadata.uid:
        return False
    same_spec = found.spec == defaulted(configuration.spec.template.spec, config)
    return found.number == configuration.metadata.generation or same_spec


def is_ready(found: Revision) -> bool:
    ready = condition(found.status.conditions, READY)
    current = found.status.observed_generation == found.metadata.generation
    return ready is not None and ready.status is ConditionStatus.TRUE and current


def latest_ready(configuration: Configuration, owned: Sequence[Revision]) -> str:
    """The newest ready one that is not older than the one that was the latest so far, which else stays.

    An explicitly named latest revision goes first: it may be an older one that is wanted again.
    """
    before = configuration.status.latest_ready_revision_name
    oldest = next((one.number for one in owned if one.metadata.name == before), 0)
    found = [one for one in _by_age(configuration, owned) if oldest <= one.number and is_ready(one)]
    return found[0].metadata.name if found else before


def _by_age(configuration: Configuration, owned: Iterable[Revision]) -> list[Revision]:
    named = configuration.spec.template.metadata.name
    newest = [one for one in owned if one.number <= configuration.metadata.generation]
    return sorted(newest, key=lambda one: (one.metadata.name == named and bool(named), one.number), reverse=True)
