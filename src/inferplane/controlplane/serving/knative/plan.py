"""From an InferenceService to its Knative Services and, once those are ready, to the way in. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from inferplane.controlplane.serving import components, names
from inferplane.controlplane.serving.components import Component
from inferplane.controlplane.serving.knative import ingress, render, status
from inferplane.controlplane.serving.knative.ingress import Target
from inferplane.controlplane.serving.merging import InvalidPredictor
from inferplane.controlplane.serving.plan import RECONCILE_FAILED, Blocked, Part, Plan, Runtimes, invalid, prepared
from inferplane.controlplane.serving.ports import entry_container
from inferplane.kernel.json import list_at
from inferplane.resources.knative import KnativeService
from inferplane.resources.process_image import ProcessImage
from inferplane.resources.serving.config import Config, ConfigError
from inferplane.resources.serving.inferenceservice import ComponentStatus, InferenceService, InferenceServiceSpec
from inferplane.resources.serving.templates import TemplateError


@dataclass(frozen=True, slots=True)
class World:
    """What Knative says: the Knative Services that the InferenceService owns, by name, and its own configuration."""

    services: Mapping[str, KnativeService] = field(default_factory=dict)
    allow_zero_initial_scale: bool = False
    domains: Sequence[str] = ()


def plan(isvc: InferenceService, config: Config, runtimes: Runtimes, world: World | None) -> Plan:
    """`world` is None where the API server does not have Knative's Service."""
    todo = prepared(isvc, config, runtimes, knative=world is not None)
    if todo.spec is None or todo.blocked is not None or world is None:
        return todo
    return _with_ingress(_with_parts(todo, todo.spec, world, runtimes.images), world)


def _with_parts(todo: Plan, spec: InferenceServiceSpec, world: World, images: Sequence[ProcessImage]) -> Plan:
    try:
        made = [
            components.predictor(todo.isvc, spec.predictor, todo.runtime, todo.config, images),
            components.transformer(todo.isvc, spec, todo.config, images=images),
            components.explainer(todo.isvc, spec, todo.config, images),
        ]
    except (InvalidPredictor, TemplateError) as error:
        return invalid(todo, str(error))
    return replace(todo, parts=tuple(_part(todo, one, world) for one in made if one is not None))


def _part(todo: Plan, component: Component, world: World) -> Part:
    allow = world.allow_zero_initial_scale
    service = render.service(todo.isvc, component, todo.config, allow_zero_initial_scale=allow)
    return Part(component, (service,))


def services(todo: Plan, world: World) -> dict[str, KnativeService | None]:
    """Kind of component → its Knative Service, None before there is one."""
    return {one.component.kind: world.services.get(one.component.name) for one in todo.parts}


# --- ingress ----------------------------------------------------------------------------------------------------------


def _with_ingress(todo: Plan, world: World) -> Plan:
    """What is there already stays while a component is not ready."""
    if todo.blocked is not None:
        return todo
    if reason := _waits(services(todo, world)):
        return replace(todo, ingress_blocked=Blocked(reason, "its Knative Service is not ready"))
    try:
        made = ingress.objects(todo.isvc, _targets(todo, world), todo.config, world.domains)
    except (ConfigError, TemplateError) as error:
        return replace(todo, ingress_blocked=Blocked(RECONCILE_FAILED, str(error)))
    return replace(todo, ingress=tuple(made))


def _waits(seen: status.Seen) -> str:
    """Reason why there is no way in yet: the first component that is not ready; "" when all are."""
    kinds = (kind for kind in names.COMPONENTS if kind in seen and not status.is_ready(seen[kind]))
    return next((f"{kind.capitalize()} ingress not created" for kind in kinds), "")


def _targets(todo: Plan, world: World) -> dict[str, Target]:
    return {one.component.kind: _target(todo, one.component, world) for one in todo.parts}


def _target(todo: Plan, component: Component, world: World) -> Target:
    found = component_status(todo, component.kind, world.services.get(component.name))
    return Target(component.name, found.url, found.traffic, component.spec.timeout, _is_h2c(component))


def _is_h2c(component: Component) -> bool:
    """Knative takes the protocol from the name of the one port."""
    ports = [one for one in list_at(entry_container(component.pod), "ports") if isinstance(one, dict)]
    return bool(ports) and ports[0].get("name") == "h2c"


def component_status(todo: Plan, kind: str, service: KnativeService | None) -> ComponentStatus:
    return status.component_status(todo.isvc.status.components.get(kind, ComponentStatus()), service)
