"""A shadow: a share of the requests to an InferenceService goes to another one too, and its answers are dropped.

`inferplane.dev/shadow: "NAME=PERCENT"` puts Gateway API's RequestMirror on the routes to the service. Where the gateway
is ours, a mirrored request comes in there once more, by a route of its own (`{isvc}-shadow`): it leads where the
target's route leads, canaries and sleeping revisions included, with the target's model in the path. So it is load of
the target, and none of the service's own. Pure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

import msgspec

from inferplane.client.kubernetes import kinds
from inferplane.controlplane.serving import names, routes
from inferplane.controlplane.serving.conditions import SHADOW_READY, TRUE, Verdict, failed
from inferplane.controlplane.serving.plan import Plan, Shadow
from inferplane.controlplane.serving.render import Desired
from inferplane.kernel.json import Json, JsonObject, list_at, object_at
from inferplane.resources.conditions import copied
from inferplane.resources.gateway import MIRROR_HOST, HTTPRoute, HTTPRouteRule
from inferplane.resources.serving.config import ConfigError
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.templates import TemplateError

_VALUE = re.compile(r"\s*([a-z0-9]([-a-z0-9]*[a-z0-9])?)\s*=\s*(\d{1,3}(?:\.\d{1,2})?)\s*%?\s*")
_MIRROR = "RequestMirror"
_MODEL_NAME = "--model_name"
INVALID, NOT_FOUND, NOT_READY, NOT_POSSIBLE = (
    "InvalidShadow",
    "ShadowTargetNotFound",
    "ShadowTargetNotReady",
    "ShadowNotPossible",
)


@dataclass(frozen=True, slots=True)
class Asked:
    target: str
    percent: float


def asked(isvc: InferenceService) -> Asked | None:
    """None for none, and for what says nothing that can be understood."""
    found = _VALUE.fullmatch(isvc.metadata.annotations.get(names.SHADOW, ""))
    if found is None or float(found[3]) > 100 or found[1] == isvc.metadata.name:
        return None
    return Asked(found[1], float(found[3]))


def with_shadow(todo: Plan, target: InferenceService | None, route: HTTPRoute | None) -> Plan:
    """`route` is the one to the target itself, if there is one. What cannot be mirrored is told of, and no more."""
    if names.SHADOW not in todo.isvc.metadata.annotations:
        return todo
    if todo.blocked is not None or todo.ingress_blocked is not None:
        # The routes that are there stay as they are.
        return _told(todo, copied(todo.isvc.status.conditions, SHADOW_READY))
    found = asked(todo.isvc)
    if found is None:
        return _told(todo, failed(INVALID, _misunderstood(todo.isvc)))
    checked = _checked(todo, found, target, route)
    if isinstance(checked, Verdict):
        return _told(todo, checked)
    try:
        host = routes.host(todo.isvc, f"{todo.isvc.metadata.name}-shadow", todo.config.ingress)
        return _Made(todo, found, *checked, host).plan()
    except (ConfigError, TemplateError, routes.InvalidHost) as error:
        return _told(todo, failed(NOT_POSSIBLE, str(error)))


def _told(todo: Plan, verdict: Verdict) -> Plan:
    return replace(todo, shadow=Shadow(verdict))


def _misunderstood(isvc: InferenceService) -> str:
    value = isvc.metadata.annotations[names.SHADOW]
    return (
        f"metadata.annotations[{names.SHADOW}]: expected NAME=PERCENT, such as iris-v2=20, with another "
        f"InferenceService of this namespace, got {value!r}"
    )


def _checked(
    todo: Plan, asked: Asked, target: InferenceService | None, route: HTTPRoute | None
) -> tuple[InferenceService, HTTPRoute] | Verdict:
    """The target and its route, or why nothing can be mirrored there."""
    where = f"{todo.isvc.metadata.namespace}/{asked.target}"
    if target is None:
        return failed(NOT_FOUND, f"no InferenceService {where}: nothing is mirrored")
    owner = route.metadata.controller_of() if route else None
    if route is None or owner is None or owner.uid != target.metadata.uid or not _rules_of(route):
        return failed(NOT_READY, f"InferenceService {where} has no route yet: nothing is mirrored")
    if not todo.config.ingress.enable_gateway_api:
        return failed(NOT_POSSIBLE, "only HTTPRoutes mirror: set ingress.enableGatewayApi to true in its ConfigMap")
    if not todo.ingress:
        return failed(NOT_READY, "the service itself has no routes (yet): nothing is mirrored")
    return target, route


def _rules_of(route: HTTPRoute) -> list[HTTPRouteRule]:
    """Those that lead somewhere, without mirrors of their own: a shadow throws no shadow."""
    kept = [one for one in route.spec.rules if one.backend_refs]
    return [
        msgspec.structs.replace(one, filters=[each for each in one.filters if each.type != _MIRROR]) for one in kept
    ]


def model_name(isvc: InferenceService) -> str:
    """What the model is called in paths: the service's name, unless an argument of its server says another."""
    predictor = object_at(isvc.spec, "predictor")
    for container in _containers(predictor):
        if said := _argument([one for one in list_at(container, "args") if isinstance(one, str)]):
            return said
    return isvc.metadata.name


def _containers(predictor: JsonObject) -> Iterator[JsonObject]:
    """The model of any spelling (`model`, `sklearn`, …) and the user's own containers."""
    yield from (one for one in predictor.values() if isinstance(one, dict))
    yield from (one for one in list_at(predictor, "containers") if isinstance(one, dict))


def _argument(args: list[str]) -> str:
    for here, following in zip_longest(args, args[1:], fillvalue=""):
        name, equals, value = here.partition("=")
        if name == _MODEL_NAME:
            return value if equals else following
    return ""


@dataclass(frozen=True, slots=True)
class _Made:
    todo: Plan
    asked: Asked
    target: InferenceService
    route: HTTPRoute
    host: str

    def plan(self) -> Plan:
        name = self.todo.isvc.metadata.name
        entrances = {name, f"{name}-path"}
        ingress = tuple(self._mirrored(one) if one.name in entrances else one for one in self.todo.ingress)
        words = f"{self.asked.percent:g} % of the requests go to {self.asked.target} too"
        shadow = Shadow(Verdict(TRUE.status, "Mirrored", words), self._own_route())
        return replace(self.todo, ingress=ingress, shadow=shadow)

    # The service's routes.

    def _mirrored(self, one: Desired) -> Desired:
        metadata, spec = object_at(one.body, "metadata"), object_at(one.body, "spec")
        annotations = {**object_at(metadata, "annotations"), MIRROR_HOST: self.host}
        rules: list[Json] = [self._with_mirror(rule) for rule in list_at(spec, "rules") if isinstance(rule, dict)]
        body = {**one.body, "metadata": {**metadata, "annotations": annotations}, "spec": {**spec, "rules": rules}}
        return Desired(one.resource, body)

    def _with_mirror(self, rule: JsonObject) -> JsonObject:
        share: JsonObject = (
            {"percent": int(self.asked.percent)}
            if self.asked.percent.is_integer()
            else {"fraction": {"numerator": round(100 * self.asked.percent), "denominator": 10_000}}
        )
        mirror: JsonObject = {"backendRef": self._backend(list_at(rule, "matches")), **share}
        return {**rule, "filters": [*list_at(rule, "filters"), {"type": _MIRROR, "requestMirror": mirror}]}

    def _backend(self, matches: list[Json]) -> JsonObject:
        """Where a gateway that is not ours mirrors to: the Service that gets most of such requests to the target."""
        found = _rules_of(self.route)
        alike = [one for one in found if msgspec.to_builtins(one.matches) == matches]
        most = max((alike or found[-1:])[0].backend_refs, key=lambda one: one.weight)
        named: JsonObject = {"group": most.group, "kind": most.kind, "name": most.name, "port": most.port}
        return named | {"namespace": self.target.metadata.namespace}

    # The shadow's own route.

    def _own_route(self) -> Desired:
        entrance = next(one for one in self.todo.ingress if one.resource == kinds.HTTP_ROUTE)
        metadata, spec = object_at(entrance.body, "metadata"), object_at(entrance.body, "spec")
        name = f"{self.todo.isvc.metadata.name}-shadow"
        rules: list[Json] = [*self._renamed(), *map(_built, _rules_of(self.route))]
        body: JsonObject = {
            **entrance.body,
            "metadata": {**metadata, "name": name},
            "spec": {"parentRefs": spec["parentRefs"], "hostnames": [self.host], "rules": rules},
        }
        return Desired(kinds.HTTP_ROUTE, body)

    def _renamed(self) -> Iterator[JsonObject]:
        """Rules that put the target's model in the place of the service's; gRPC names it in the message, not here."""
        own, other = model_name(self.todo.isvc), model_name(self.target)
        if own == other:
            return
        *_, last = _rules_of(self.route)
        for verb in ("predict", "explain"):
            rule = next(_explaining(self.route), last) if verb == "explain" else last
            match = {"type": "Exact", "value": f"/v1/models/{own}:{verb}"}
            yield _rewriting(rule, match, {"type": "ReplaceFullPath", "replaceFullPath": f"/v1/models/{other}:{verb}"})
        match = {"type": "PathPrefix", "value": f"/v2/models/{own}"}
        path: JsonObject = {"type": "ReplacePrefixMatch", "replacePrefixMatch": f"/v2/models/{other}"}
        yield _rewriting(last, match, path)


def _explaining(route: HTTPRoute) -> Iterator[HTTPRouteRule]:
    return (one for one in _rules_of(route) if any(match.path.value == routes.EXPLAIN for match in one.matches))


def _rewriting(rule: HTTPRouteRule, match: Mapping[str, Json], path: JsonObject) -> JsonObject:
    rewrite: JsonObject = {"type": "URLRewrite", "urlRewrite": {"path": path}}
    made = _built(rule)
    return {**made, "matches": [{"path": dict(match)}], "filters": [*list_at(made, "filters"), rewrite]}


def _built(rule: HTTPRouteRule) -> JsonObject:
    found: JsonObject = msgspec.to_builtins(rule)
    # A rule that says nothing of timeouts has none; the view fills in an empty object.
    return {key: value for key, value in found.items() if value not in (None, {}, [])}


def targets(isvc: InferenceService) -> Iterable[str]:
    """NAMESPACE/NAME of what the service's requests are mirrored to: when that changes, so may its routes."""
    found = asked(isvc)
    return [f"{isvc.metadata.namespace}/{found.target}"] if found else []
