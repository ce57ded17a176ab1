"""From an InferenceService and its world to what should exist, or to why nothing can.

Steps, in order: fill in defaults, check the spec, refuse what is not there yet, choose the runtime, render. The first
step that cannot go on says so (`Blocked`); what already runs is then left as it is. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from inferplane.controlplane.serving import names, render, selection, storage
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.controlplane.serving.render import Desired
from inferplane.controlplane.serving.routes import InvalidHost
from inferplane.resources.serving import validation
from inferplane.resources.serving.config import MODE_ALIASES, Config, ConfigError
from inferplane.resources.serving.defaulting import defaulted
from inferplane.resources.serving.inferenceservice import FailureReason, InferenceService, InferenceServiceSpec
from inferplane.resources.serving.runtime import ServingRuntime
from inferplane.resources.serving.templates import TemplateError

NOT_SUPPORTED_YET = "NotSupportedYet"
RECONCILE_FAILED = "ReconcileFailed"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a step could not be done. `failure` is set when it is the spec that cannot be served."""

    reason: str
    message: str
    failure: FailureReason | None = None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`isvc` is after defaulting. `predictor` and `ingress` are the objects that should exist, no others."""

    isvc: InferenceService
    config: Config
    mode: str
    spec: InferenceServiceSpec | None = None
    runtime: ServingRuntime | None = None
    predictor: tuple[Desired, ...] = ()
    ingress: tuple[Desired, ...] = ()
    blocked: Blocked | None = None
    ingress_blocked: Blocked | None = None

    @property
    def stopped(self) -> bool:
        return self.isvc.metadata.annotations.get(names.STOP, "").lower() == "true"

    @property
    def objects(self) -> tuple[Desired, ...]:
        return self.predictor + self.ingress

    @property
    def not_scaled(self) -> list[str]:
        return validation.not_scaled(self.isvc, self.spec) if self.spec and not self.blocked else []


def plan(
    isvc: InferenceService, config: Config, namespaced: Sequence[ServingRuntime], cluster: Sequence[ServingRuntime]
) -> Plan:
    """`namespaced` holds the runtimes of the service's namespace only."""
    filled = defaulted(isvc, config)
    todo = Plan(filled, config, mode(filled, config))
    if todo.stopped:
        return todo
    try:
        spec = msgspec.convert(filled.spec, InferenceServiceSpec)
    except msgspec.ValidationError as error:
        return _invalid(todo, f"spec: {error}")
    todo = _checked(replace(todo, spec=spec), spec)
    todo = _with_runtime(todo, spec, namespaced, cluster)
    return _with_ingress(_with_predictor(todo, spec), spec)


def mode(isvc: InferenceService, config: Config) -> str:
    """The mode in the status never changes; then the annotation decides, then the configuration."""
    was = MODE_ALIASES.get(isvc.status.deployment_mode, isvc.status.deployment_mode)
    return was or isvc.metadata.annotations.get(names.DEPLOYMENT_MODE) or config.deploy.mode


def _checked(todo: Plan, spec: InferenceServiceSpec) -> Plan:
    if found := validation.problems(todo.isvc, spec):
        return _invalid(todo, "; ".join(found))
    if found := validation.unsupported(todo.isvc, spec, todo.mode):
        return replace(todo, blocked=Blocked(NOT_SUPPORTED_YET, "; ".join(found)))
    uris = [one.uri for one in spec.predictor.storage_uris or ()]
    if spec.predictor.model and spec.predictor.model.storage_uri:
        uris.append(spec.predictor.model.storage_uri)
    refusals = [words for uri in uris if (words := storage.refusal(uri))]
    return _invalid(todo, "; ".join(refusals)) if refusals else todo


def _invalid(todo: Plan, message: str) -> Plan:
    failure = FailureReason.INVALID_PREDICTOR_SPEC
    return replace(todo, blocked=Blocked(failure, message, failure))


def _with_runtime(
    todo: Plan, spec: InferenceServiceSpec, namespaced: Sequence[ServingRuntime], cluster: Sequence[ServingRuntime]
) -> Plan:
    if todo.blocked or spec.predictor.model is None:
        return todo
    chosen = selection.choose(spec.predictor.model, namespaced, cluster)
    if isinstance(chosen, selection.NoRuntime):
        blocked = Blocked(chosen.reason, chosen.message, chosen.reason, chosen.summary)
        return replace(todo, blocked=blocked)
    return replace(todo, runtime=chosen)


def _with_predictor(todo: Plan, spec: InferenceServiceSpec) -> Plan:
    if todo.blocked:
        return todo
    try:
        objects = render.predictor(todo.isvc, spec, todo.runtime, todo.config)
    except (InvalidPredictor, TemplateError) as error:
        return _invalid(todo, str(error))
    return replace(todo, predictor=tuple(objects))


def _with_ingress(todo: Plan, spec: InferenceServiceSpec) -> Plan:
    if todo.blocked:
        return todo
    if not todo.config.ingress.enable_gateway_api:
        words = "inferenceservice-config: ingress.enableGatewayApi: false (Ingress objects) is not supported yet"
        return replace(todo, ingress_blocked=Blocked(NOT_SUPPORTED_YET, words))
    try:
        objects = render.ingress(todo.isvc, spec, todo.config, todo.predictor)
    except (ConfigError, TemplateError, InvalidHost) as error:
        return replace(todo, ingress_blocked=Blocked(RECONCILE_FAILED, str(error)))
    return replace(todo, ingress=tuple(objects))
