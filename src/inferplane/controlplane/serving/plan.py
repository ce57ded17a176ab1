"""From an InferenceService and its world to what should exist, or to why nothing can.

Steps, in order: fill in defaults, check the spec, refuse what is not there yet, choose the runtime, render. The first
step that cannot go on says so (`Blocked`); what already runs is then left as it is. Pure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.serving import (
    agents,
    canaries,
    components,
    names,
    render,
    routes,
    selection,
    storage,
    workers,
)
from inferplane.controlplane.serving.canaries import Share
from inferplane.controlplane.serving.components import Component
from inferplane.controlplane.serving.conditions import Verdict
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.routes import InvalidHost, Way, Ways
from inferplane.controlplane.serving.workers import InvalidGpuAllocation
from inferplane.kernel.json import JsonObject, list_at
from inferplane.resources.process_image import ProcessImage
from inferplane.resources.serving import localmodel, runtime_validation, validation
from inferplane.resources.serving.config import MODE_ALIASES, Config, ConfigError
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import (
    FailureReason,
    InferenceService,
    InferenceServiceSpec,
    PredictorSpec,
)
from inferplane.resources.serving.localmodel import LocalModelCache
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.storagecontainer import ClusterStorageContainer
from inferplane.resources.serving.templates import TemplateError

NOT_SUPPORTED_YET = "NotSupportedYet"
RECONCILE_FAILED = "ReconcileFailed"
MODE_REJECTED = "ServerlessModeRejected"
KNATIVE = "Knative"
INGRESS = "ingress"
SHADOW = "shadow"
_WITHOUT_KNATIVE = (
    f"metadata.annotations[{names.DEPLOYMENT_MODE}]: Knative mode needs Knative's Service (serving.knative.dev/v1), "
    "which this API server does not have: install Knative Serving, or set it to Standard"
)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a step could not be done. `failure` is set when it is the spec that cannot be served."""

    reason: str
    message: str
    failure: FailureReason | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A component and its objects. `workers` names the Deployment of the other nodes of a model that spans several."""

    component: Component
    objects: tuple[Desired, ...]
    workers: str = ""

    @property
    def service(self) -> JsonObject:
        return next(one.body for one in self.objects if one.resource == kinds.SERVICE)


@dataclass(frozen=True, slots=True)
class Canary:
    """Another version of the predictor; with a transformer it has one of its own. `ready`: it takes its share.

    `problem` says why there is nothing of it.
    """

    share: Share
    parts: tuple[Part, ...] = ()
    ready: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Shadow:
    """Whether requests are mirrored (`shadows`), and the route that mirrored ones take."""

    verdict: Verdict
    route: Desired | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`isvc` is after defaulting. `objects` should exist, and no others that the InferenceService owns.

    `predecessor`: name of the predictor's objects of before, which serve until the present ones are available.
    `leaving`: names of such ones that the service's own transformer or explainer still calls.
    """

    isvc: InferenceService
    config: Config
    mode: str
    spec: InferenceServiceSpec | None = None
    runtime: ServingRuntime | None = None
    parts: tuple[Part, ...] = ()
    canaries: tuple[Canary, ...] = ()
    predecessor: str = ""
    leaving: frozenset[str] = frozenset()
    ingress: tuple[Desired, ...] = ()
    blocked: Blocked | None = None
    ingress_blocked: Blocked | None = None
    shadow: Shadow | None = None

    @property
    def stopped(self) -> bool:
        return self.isvc.metadata.annotations.get(names.STOP, "").lower() == "true"

    @property
    def unsplit(self) -> str:
        """Why nothing splits the requests between the predictor and its canaries; empty when HTTPRoutes do."""
        if routes.is_internal(self.isvc, self.config.ingress):
            return "the service has no routes, which would split them: it is for inside the cluster only"
        if not self.config.ingress.enable_gateway_api:
            return "an Ingress has no weights: set ingress.enableGatewayApi to true in inferenceservice-config"
        return ""

    @property
    def groups(self) -> list[tuple[str, tuple[Desired, ...]]]:
        """What is to be written, by what it is for. Canaries first: the stable predictor gives up replicas to them."""
        made = [*(part for canary in self.canaries for part in canary.parts), *self.parts]
        mirrored = (self.shadow.route,) if self.shadow and self.shadow.route else ()
        return [*((one.component.kind, one.objects) for one in made), (INGRESS, self.ingress), (SHADOW, mirrored)]

    @property
    def objects(self) -> tuple[Desired, ...]:
        return tuple(one for _, objects in self.groups for one in objects)

    def part(self, kind: str) -> Part | None:
        """The component of the service itself; none while nothing could be planned."""
        return next((one for one in self.parts if one.component.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Runtimes:
    """`namespaced` holds those of the service's namespace only. `fetchers` may know schemes that we don't;
    `local_models` are caches on nodes that hold models; `images` is the platform's table, empty on a cluster."""

    namespaced: Sequence[ServingRuntime] = ()
    cluster: Sequence[ServingRuntime] = ()
    fetchers: Sequence[ClusterStorageContainer] = ()
    local_models: Sequence[LocalModelCache] = ()
    images: Sequence[ProcessImage] = ()


def plan(
    isvc: InferenceService,
    config: Config,
    runtimes: Runtimes,
    available: Collection[str] = (),
    called: Collection[str] = (),
) -> Plan:
    """For Standard mode. `available`: names of the service's Deployments that have an available replica; `called`:
    names of its predictors that its transformer or explainer calls (`handover`)."""
    todo = prepared(isvc, config, runtimes)
    spec = todo.spec
    if spec is None:
        return todo
    todo = _with_canaries(todo, spec, runtimes, available)
    return _with_ingress(_with_parts(_with_predecessor(todo, spec, available, called), spec, runtimes.images), spec)


def prepared(isvc: InferenceService, config: Config, runtimes: Runtimes, *, knative: bool = False) -> Plan:
    """The steps that come before there is anything to render, the same in either mode. Without `spec` it ends there.

    `knative`: whether what Knative mode needs is there.
    """
    filled = defaulted(isvc, config)
    filled = localmodel.marked(filled, localmodel.of(filled, runtimes.local_models))
    todo = Plan(filled, config, mode(filled, config))
    if todo.stopped:
        return todo
    try:
        spec = msgspec.convert(filled.spec, InferenceServiceSpec)
    except msgspec.ValidationError as error:
        return invalid(todo, f"spec: {error}")
    todo = _checked(replace(todo, spec=spec), spec, runtimes.fetchers, knative=knative)
    return _with_runtime(todo, spec, runtimes)


def mode(isvc: InferenceService, config: Config) -> str:
    """The mode in the status never changes; then the annotation decides, then the configuration."""
    was = MODE_ALIASES.get(isvc.status.deployment_mode, isvc.status.deployment_mode)
    asked = isvc.metadata.annotations.get(names.DEPLOYMENT_MODE, "")
    return was or MODE_ALIASES.get(asked, asked) or config.deploy.mode


def _checked(
    todo: Plan, spec: InferenceServiceSpec, fetchers: Sequence[ClusterStorageContainer], *, knative: bool
) -> Plan:
    if found := validation.problems(todo.isvc, spec, todo.config.multi_node.custom_gpu_resource_type_list):
        return invalid(todo, "; ".join(found))
    if todo.mode == KNATIVE and not knative:
        return replace(todo, blocked=Blocked(MODE_REJECTED, _WITHOUT_KNATIVE))
    if found := validation.unsupported(todo.isvc, spec, todo.mode):
        return replace(todo, blocked=Blocked(NOT_SUPPORTED_YET, "; ".join(found)))
    refusals = [words for uri in _uris(spec) if (words := storage.refusal(uri, fetchers))]
    return invalid(todo, "; ".join(refusals)) if refusals else todo


def _uris(spec: InferenceServiceSpec) -> list[str]:
    predictors = [spec.predictor, *(one.predictor for one in spec.canary)]
    several = [*predictors, *(one for one in (spec.transformer, spec.explainer) if one is not None)]
    found = [one.uri for component in several for one in component.storage_uris or ()]
    return found + [one.model.storage_uri for one in predictors if one.model and one.model.storage_uri]


def invalid(todo: Plan, message: str) -> Plan:
    """The spec itself cannot be served."""
    failure = FailureReason.INVALID_PREDICTOR_SPEC
    return replace(todo, blocked=Blocked(failure, message, failure))


def _with_runtime(todo: Plan, spec: InferenceServiceSpec, runtimes: Runtimes) -> Plan:
    chosen = None if todo.blocked else _runtime_of(spec.predictor, runtimes, todo.config)
    if isinstance(chosen, selection.NoRuntime):
        blocked = Blocked(chosen.reason, chosen.message, chosen.reason, chosen.summary)
        return replace(todo, blocked=blocked)
    return replace(todo, runtime=chosen)


def _runtime_of(
    predictor: PredictorSpec, runtimes: Runtimes, config: Config
) -> ServingRuntime | selection.NoRuntime | None:
    """None for containers of the user's own."""
    if predictor.model is None:
        return None
    spans = predictor.worker_spec is not None
    chosen = selection.choose(predictor.model, runtimes.namespaced, runtimes.cluster, multi_node=spans)
    if isinstance(chosen, selection.NoRuntime):
        return chosen
    # Of two that have the same priority one is still chosen by their age: that is told of the runtimes, not here.
    if found := runtime_validation.problems(chosen, (), config.multi_node.custom_gpu_resource_type_list):
        words = f"runtime {chosen.metadata.name} breaks a rule for runtimes"
        return selection.NoRuntime(FailureReason.INVALID_PREDICTOR_SPEC, words, "; ".join(found))
    return chosen


def _with_parts(todo: Plan, spec: InferenceServiceSpec, images: Sequence[ProcessImage]) -> Plan:
    if todo.blocked:
        return todo
    left = canaries.stable_replicas(spec.predictor.min_replicas, _ready(todo))
    stable = msgspec.structs.replace(spec.predictor, min_replicas=left)
    try:
        others = (
            components.transformer(todo.isvc, spec, todo.config, images=images, predictor=todo.predecessor),
            components.explainer(todo.isvc, spec, todo.config, images, predictor=todo.predecessor),
        )
        predictor = components.predictor(todo.isvc, stable, todo.runtime, todo.config, images)
        parts = [_predictor_part(todo, predictor), *(_part(todo, one) for one in others if one is not None)]
    except (InvalidPredictor, TemplateError) as error:
        return invalid(todo, str(error))
    except InvalidGpuAllocation as error:
        return replace(todo, blocked=Blocked("InvalidGPUAllocation", str(error)))
    return replace(todo, parts=tuple(parts))


def _predictor_part(todo: Plan, component: Component) -> Part:
    if not isinstance(component.spec, PredictorSpec) or component.spec.worker_spec is None:
        return _part(todo, component)
    if todo.runtime is None:
        raise InvalidPredictor("spec.predictor.workerSpec needs a model, whose runtime has workers")
    span = workers.spanning(todo.isvc, component, todo.runtime, todo.config)
    rest = tuple(render.workers(todo.isvc, span, todo.config))
    head = _part(todo, span.head)
    return replace(head, objects=(*head.objects, *rest), workers=span.workers.name)


def _part(todo: Plan, component: Component) -> Part:
    return Part(component, tuple(render.component(todo.isvc, component, todo.config)))


def _with_predecessor(
    todo: Plan, spec: InferenceServiceSpec, available: Collection[str], called: Collection[str]
) -> Plan:
    """`spec.predictor.name` names the objects, so a change of it makes new ones: those of before go when they can.

    A canary that was taken away goes at once.
    """
    meta, former = todo.isvc.metadata, todo.isvc.status.canary_statuses
    own = names.predictor(meta.name, spec.predictor.name)
    wanted = {own, *(part.component.name for canary in todo.canaries for part in canary.parts)}
    wanted |= {names.predictor(meta.name, one.name) for one in former}
    old = [name for name in sorted(available) if name.endswith(f"-{names.PREDICTOR}") and name not in wanted]
    if todo.blocked or not old:
        return todo
    if own in available:
        return replace(todo, leaving=frozenset(old) & frozenset(called))
    return replace(todo, predecessor=old[0])


# --- canaries ---------------------------------------------------------------------------------------------------------


def _ready(todo: Plan) -> list[Share]:
    """Those that take their share off the predictor."""
    return [one.share for one in todo.canaries if one.ready and not todo.unsplit]


def _with_canaries(todo: Plan, spec: InferenceServiceSpec, runtimes: Runtimes, available: Collection[str]) -> Plan:
    if todo.blocked:
        return todo
    pairs = zip(canaries.raw_predictors(todo.isvc), canaries.shares(spec), strict=True)
    return replace(todo, canaries=tuple(_canary(todo, spec, *pair, runtimes, available) for pair in pairs))


def _canary(
    todo: Plan,
    spec: InferenceServiceSpec,
    raw: JsonObject,
    share: Share,
    runtimes: Runtimes,
    available: Collection[str],
) -> Canary:
    """One that cannot be made is told of, and holds up neither the stable predictor nor the other canaries."""
    isvc = canaries.with_predictor(todo.isvc, raw)
    predictor = msgspec.structs.replace(
        msgspec.convert(raw, PredictorSpec), min_replicas=share.replicas, max_replicas=share.replicas
    )
    runtime = _runtime_of(predictor, runtimes, todo.config)
    if isinstance(runtime, selection.NoRuntime):
        return Canary(share, problem=runtime.message)
    spec = msgspec.structs.replace(spec, predictor=predictor)
    try:
        made = [
            components.predictor(isvc, predictor, runtime, todo.config, runtimes.images, endpoint=agents.CANARY),
            components.transformer(
                isvc, spec, todo.config, _beside(isvc, share), runtimes.images, endpoint=agents.CANARY
            ),
        ]
    except (InvalidPredictor, TemplateError) as error:
        return Canary(share, problem=str(error))
    parts = tuple(_part(todo, one) for one in made if one is not None)
    return Canary(share, parts, all(one.component.name in available for one in parts))


def _beside(isvc: InferenceService, share: Share) -> str:
    """Name of the canary's own transformer: requests must meet one, and the right predictor behind it."""
    return f"{isvc.metadata.name}-{share.name}-{names.TRANSFORMER}"


# --- ingress ----------------------------------------------------------------------------------------------------------


def _with_ingress(todo: Plan, spec: InferenceServiceSpec) -> Plan:
    if todo.blocked:
        return todo
    try:
        objects = render.ingress(todo.isvc, _ways(todo, spec), todo.config)
    except (ConfigError, TemplateError, InvalidHost) as error:
        return replace(todo, ingress_blocked=Blocked(RECONCILE_FAILED, str(error)))
    return replace(todo, ingress=tuple(objects))


def _ways(todo: Plan, spec: InferenceServiceSpec) -> Ways:
    found = {kind: _way(todo, part) for kind in names.COMPONENTS if (part := todo.part(kind)) is not None}
    return Ways(found[names.PREDICTOR], found.get(names.TRANSFORMER), found.get(names.EXPLAINER))


def _way(todo: Plan, part: Part) -> Way:
    kind = part.component.kind
    ports = [one for one in list_at(part.service, "spec", "ports") if isinstance(one, dict)]
    others = tuple(
        (other.component.name, canary.share.percent)
        for canary in todo.canaries
        if canary.ready and not todo.unsplit
        for other in canary.parts
        if other.component.kind == kind
    )
    split = bool(todo.canaries) and kind != names.EXPLAINER
    weight = canaries.stable_percent(_ready(todo)) if split else 1
    name = todo.predecessor if kind == names.PREDICTOR and todo.predecessor else part.component.name
    return Way(((name, weight), *others), ports, part.component.spec.timeout)
