"""The four kinds as CustomResourceDefinitions, with Knative's names and columns, for a machine without Knative.

What Knative's webhooks refuse of traffic and of names is in rules that the API server itself checks. Rules over
containers cost more than a CRD may: they are `validation`'s, and stand in conditions.
"""

# msgspec copies a mutable default for each instance.

from typing import Annotated

from msgspec import Meta

from inferplane.kernel.json import Json, JsonObject, object_at
from inferplane.resources.crds.definition import Definition, column, crd
from inferplane.resources.crds.rules import Rule
from inferplane.resources.knative.configuration import ConfigurationStatus
from inferplane.resources.knative.revision import RevisionStatus
from inferplane.resources.knative.route import RouteStatus
from inferplane.resources.knative.service import KnativeServiceStatus
from inferplane.resources.knative.template import RevisionLimits, TemplateMeta
from inferplane.resources.knative.traffic import TrafficTarget
from inferplane.resources.knative.words import GROUP
from inferplane.resources.meta import View

MOST_TARGETS = 100
_OPEN = Meta(extra_json_schema={"x-kubernetes-preserve-unknown-fields": True})
_Traffic = Annotated[
    list[TrafficTarget],
    Meta(description="Where requests go.", extra_json_schema={"maxItems": MOST_TARGETS}),
]


class _Template(View, frozen=True, kw_only=True):
    """What the next revision is made of."""

    metadata: Annotated[TemplateMeta, _OPEN] = TemplateMeta()
    spec: RevisionLimits = RevisionLimits()


class _ServiceSpec(View, frozen=True, kw_only=True):
    """What runs, and which of its revisions get requests."""

    template: _Template = _Template()
    traffic: _Traffic = []


class _ConfigurationSpec(View, frozen=True, kw_only=True):
    """What runs."""

    template: _Template = _Template()


class _RouteSpec(View, frozen=True, kw_only=True):
    """Which revisions get requests."""

    traffic: _Traffic = []


def knative_crds() -> list[JsonObject]:
    return [_lenient(crd(one)) for one in _DEFINITIONS]


# --- rules ------------------------------------------------------------------------------------------------------------

_SUM = Rule(
    "size(self) == 0 || self.map(one, has(one.percent) ? one.percent : 0).sum() == 100",
    "the percents of all targets must be 100 together",
)
_TARGETS = (
    Rule(
        "self.all(one, !has(one.tag) || one.tag == ''"
        " || self.exists_one(other, has(other.tag) && other.tag == one.tag))",
        "a tag may be given once only",
    ),
    Rule(
        "self.all(one, !has(one.latestRevision)"
        " || one.latestRevision != (has(one.revisionName) && one.revisionName != ''))",
        "a target has a revisionName or latestRevision: true, not both and not neither",
    ),
    Rule("self.all(one, !has(one.url) || one.url == '')", "url is not to be set"),
)
_SERVICE_TRAFFIC = (
    _SUM,
    *_TARGETS,
    Rule(
        "self.all(one, !has(one.configurationName) || one.configurationName == '')",
        "configurationName is not to be set in a Service",
    ),
)
_ROUTE_TRAFFIC = (
    _SUM,
    *_TARGETS,
    Rule(
        "self.all(one, (has(one.revisionName) && one.revisionName != '')"
        " != (has(one.configurationName) && one.configurationName != ''))",
        "a target has either revisionName or configurationName",
    ),
)
_NAME = "self.spec.template.metadata.name"
_NAMED = f"has(self.spec.template) && has(self.spec.template.metadata) && has({_NAME}) && {_NAME} != ''"
_TEMPLATE_NAME = (
    Rule(
        f"!({_NAMED}) || {_NAME}.startsWith(self.metadata.name + '-')",
        "spec.template.metadata.name must start with the object's own name and '-'",
    ),
    Rule(
        f"!({_NAMED}) || !has(self.metadata.generateName) || self.metadata.generateName == ''",
        "spec.template.metadata.name is not allowed together with metadata.generateName",
    ),
)
_IMMUTABLE = (Rule("self == oldSelf", "the spec of a revision never changes"),)

# --- kinds ------------------------------------------------------------------------------------------------------------

_READY = (
    column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
    column("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
)
_LATEST = (
    column("LatestCreated", ".status.latestCreatedRevisionName"),
    column("LatestReady", ".status.latestReadyRevisionName"),
)
_CATEGORIES = ("all", "knative", "serving")
_DEFINITIONS = (
    Definition(
        GROUP, "v1", "Service", "services", _ServiceSpec, "One workload with all of its versions, and the way to them.",
        (column("URL", ".status.url"), *_LATEST, *_READY),
        status=KnativeServiceStatus,
        short_names=("kservice", "ksvc"),
        categories=_CATEGORIES,
        rules={"": _TEMPLATE_NAME, "spec.traffic": _SERVICE_TRAFFIC},
    ),
    Definition(
        GROUP, "v1", "Configuration", "configurations", _ConfigurationSpec, "The template of the next revision.",
        (*_LATEST, *_READY),
        status=ConfigurationStatus,
        short_names=("config", "cfg"),
        categories=_CATEGORIES,
        rules={"": _TEMPLATE_NAME},
    ),
    Definition(
        GROUP, "v1", "Revision", "revisions", RevisionLimits, "A template as it once was, with the pods that run it.",
        (
            column("Config Name", r".metadata.labels['serving\.knative\.dev/configuration']"),
            column("Generation", r".metadata.labels['serving\.knative\.dev/configurationGeneration']"),
            *_READY,
            column("Actual Replicas", ".status.actualReplicas", "integer"),
            column("Desired Replicas", ".status.desiredReplicas", "integer"),
        ),
        status=RevisionStatus,
        short_names=("rev",),
        categories=_CATEGORIES,
        rules={"spec": _IMMUTABLE},
    ),
    Definition(
        GROUP, "v1", "Route", "routes", _RouteSpec, "Hosts, and which revisions behind them get requests.",
        (column("URL", ".status.url"), *_READY),
        status=RouteStatus,
        short_names=("rt",),
        categories=_CATEGORIES,
        rules={"spec.traffic": _ROUTE_TRAFFIC},
    ),
)  # fmt: skip


def _lenient(definition: JsonObject) -> JsonObject:
    """A probe may leave its port out: it is the container's then."""
    found = _without_port(definition)
    assert isinstance(found, dict)
    return found


def _without_port(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_port(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _without_port(one) for key, one in value.items()}
    for name in ("httpGet", "tcpSocket", "grpc"):
        handler = object_at(made, "properties", name)
        if handler.get("required") == ["port"]:
            properties = object_at(made, "properties")
            made["properties"] = properties | {name: {k: v for k, v in handler.items() if k != "required"}}
    return made
