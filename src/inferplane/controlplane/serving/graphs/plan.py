"""From an InferenceGraph and the services that it names to what should exist, or to why nothing can. Pure.

What already runs stays while a step cannot be done.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from inferplane.controlplane.serving import names
from inferplane.controlplane.serving.autoscalers import AutoscalerClass
from inferplane.controlplane.serving.graphs import endpoints, render
from inferplane.controlplane.serving.graphs.endpoints import NoEndpoint, Service
from inferplane.controlplane.serving.plan import KNATIVE, MODE_REJECTED, RECONCILE_FAILED, Blocked
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.routes import InvalidHost
from inferplane.kernel.errors import InferplaneError
from inferplane.resources.serving import graph_validation
from inferplane.resources.serving.config import MODE_ALIASES, Config, ConfigError
from inferplane.resources.serving.inferencegraph import InferenceGraph, InferenceGraphSpec
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.templates import TemplateError

INVALID = "InvalidGraphSpec"
NOT_FOUND = "InferenceServiceNotFound"
NOT_READY = "InferenceServiceNotReady"
NO_ENDPOINT = "NoEndpoint"
OF_SERVICES = (NOT_FOUND, NOT_READY, NO_ENDPOINT)
_SCALERS = (AutoscalerClass.HPA.value, AutoscalerClass.EXTERNAL.value, AutoscalerClass.NONE.value)
_WITHOUT_KNATIVE = (
    f"metadata.annotations[{names.DEPLOYMENT_MODE}]: Knative mode needs Knative's Service (serving.knative.dev/v1), "
    "which this API server does not have: install Knative Serving, or set it to Standard"
)


@dataclass(frozen=True, slots=True)
class World:
    """`services`: those that the graph names, by name; `runtimes` those of its namespace, then the cluster's.

    `allow_zero_initial_scale` is a setting of Knative's; `has_knative`: the server has its Service.
    """

    services: Mapping[str, Service] = field(default_factory=dict)
    runtimes: Sequence[ServingRuntime] = ()
    has_knative: bool = True
    allow_zero_initial_scale: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """`objects` should exist, and no others that the graph owns. `urls` are those of the services by name.

    `waits`: why a service that is asked does not answer at present. `ingress_blocked`: why there is no way in.
    """

    graph: InferenceGraph
    config: Config
    mode: str
    objects: tuple[Desired, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    blocked: Blocked | None = None
    ingress_blocked: Blocked | None = None
    waits: Blocked | None = None

    @property
    def stopped(self) -> bool:
        return self.graph.metadata.annotations.get(names.STOP, "").lower() == "true"


def services_of(graph: InferenceGraph) -> list[str]:
    """Names of the InferenceServices that its steps lead to; none of a graph that cannot be read."""
    try:
        spec = msgspec.convert(graph.spec, InferenceGraphSpec)
    except msgspec.ValidationError:
        return []
    found = (step.service_name for node in spec.nodes.values() for step in node.steps)
    return sorted({name for name in found if name})


def mode(graph: InferenceGraph, config: Config) -> str:
    """The annotation decides, then the configuration."""
    asked = graph.metadata.annotations.get(names.DEPLOYMENT_MODE, "")
    return MODE_ALIASES.get(asked, asked) or config.deploy.mode


def plan(graph: InferenceGraph, config: Config, world: World) -> Plan:
    todo = Plan(graph, config, mode(graph, config))
    if todo.stopped:
        return todo
    try:
        spec = msgspec.convert(graph.spec, InferenceGraphSpec)
    except msgspec.ValidationError as error:
        return replace(todo, blocked=Blocked(INVALID, f"spec: {error}"))
    if found := graph_validation.problems(graph.metadata.name, spec):
        return replace(todo, blocked=Blocked(INVALID, "; ".join(found)))
    if todo.mode == KNATIVE and not world.has_knative:
        return replace(todo, blocked=Blocked(MODE_REJECTED, _WITHOUT_KNATIVE))
    scaled_by = graph.metadata.annotations.get(names.AUTOSCALER_CLASS, AutoscalerClass.HPA)
    if todo.mode != KNATIVE and scaled_by not in _SCALERS:
        where = f"metadata.annotations[{names.AUTOSCALER_CLASS}]"
        words = f"{where}: a router is scaled by {', '.join(_SCALERS)}, got {scaled_by!r}"
        return replace(todo, blocked=Blocked(INVALID, words))
    return _with_objects(_with_urls(todo, world), spec, world)


def _with_urls(todo: Plan, world: World) -> Plan:
    urls: dict[str, str] = {}
    trouble: dict[str, str] = {}
    for name in services_of(todo.graph):
        service = world.services.get(name) or Service(name, None)
        try:
            urls[name] = endpoints.url(service, world.runtimes, todo.config)
        except NoEndpoint as error:
            return replace(todo, blocked=Blocked(_reason(service), error.message))
        if service.trouble:
            trouble[name] = service.trouble
    waits = Blocked(NOT_READY, "; ".join(trouble.values())) if trouble else None
    return replace(todo, urls=urls, waits=waits)


def _reason(service: Service) -> str:
    if service.isvc is None:
        return NOT_FOUND
    return NOT_READY if service.trouble else NO_ENDPOINT


def _with_objects(todo: Plan, spec: InferenceGraphSpec, world: World) -> Plan:
    if todo.blocked is not None:
        return todo
    router = render.router(todo.graph, spec, todo.urls, todo.config)
    if todo.mode == KNATIVE:
        zero = world.allow_zero_initial_scale
        return replace(todo, objects=(render.knative(router, todo.config, allow_zero_initial_scale=zero),))
    return _with_ingress(replace(todo, objects=tuple(render.standard(router, todo.config))), router)


def _with_ingress(todo: Plan, router: render.Router) -> Plan:
    try:
        routes = render.ingress(router, todo.config)
    except (ConfigError, TemplateError, InvalidHost) as error:
        words: InferplaneError = error
        return replace(todo, ingress_blocked=Blocked(RECONCILE_FAILED, str(words)))
    return replace(todo, objects=(*todo.objects, *routes))
