"""One HTTPRoute's rules → routes of ours, each with its rank, and what is wrong with the route, in the API's own words.

The result doesn't depend on the Gateways the route attaches to, nor on endpoints: it is made once for a route and the
Services that it names. Source of the rules: the Gateway API v1 specification of HTTPRoute.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from inferplane.controlplane.gateway import durations
from inferplane.controlplane.gateway.values import (
    AGAIN,
    Answer,
    Cluster,
    Forward,
    HeaderEdits,
    Match,
    Mirror,
    PathKind,
    PathRewrite,
    Redirect,
    Route,
    Target,
    ValueMatch,
    cluster_name,
)
from inferplane.resources.activator import (
    BACKEND,
    IDLE_TIMEOUT,
    NAMESPACE_HEADER,
    REVISION_HEADER,
    SHARED_BACKEND,
    read_backend,
)
from inferplane.resources.core import Service, ServicePort
from inferplane.resources.gateway import (
    MIRROR_HOST,
    BackendObjectReference,
    HTTPBackendRef,
    HTTPHeaderFilter,
    HTTPHeaderMatch,
    HTTPPathModifier,
    HTTPQueryParamMatch,
    HTTPRequestMirrorFilter,
    HTTPRoute,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRule,
)

FindService: TypeAlias = Callable[[str, str], Service | None]
Action: TypeAlias = Forward | Redirect | Answer
Rank: TypeAlias = tuple[int, int, bool, int, int, str, str, int, int]

# Gateway API: a Service port that says so is spoken to in HTTP/2 without TLS.
H2C = "kubernetes.io/h2c"

GRPC_ON_HTTP = "inferplane.dev/grpc-bridge"
"""Annotation of a Service, "true" where its HTTP port takes gRPC calls too, over HTTP/2 without TLS.

A hint for this gateway only: the routes are the same for one that does not know it (docs/grpc.md).
"""

_WAYS = 2
"""Routes that one match becomes, at most."""

_GRPC = ValueMatch("content-type", "application/grpc.*", regex=True)


class Reason(StrEnum):
    """Reasons of the conditions Accepted and ResolvedRefs."""

    NO_MATCHING_PARENT = "NoMatchingParent"
    NO_MATCHING_HOSTNAME = "NoMatchingListenerHostname"
    NOT_ALLOWED = "NotAllowedByListeners"
    UNSUPPORTED_VALUE = "UnsupportedValue"
    INCOMPATIBLE_FILTERS = "IncompatibleFilters"
    BACKEND_NOT_FOUND = "BackendNotFound"
    INVALID_KIND = "InvalidKind"
    REF_NOT_PERMITTED = "RefNotPermitted"


@dataclass(frozen=True, slots=True)
class Problem:
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class RankedRoute:
    """`rank` sorts routes of one virtual host: the lowest is tried first."""

    rank: Rank
    route: Route


@dataclass(frozen=True, slots=True)
class Compiled:
    """`clusters` are all that the routes name; `live` the names of those with a weight that isn't 0.

    `unsupported` refuses the whole route (it then has no routes); `unresolved` names the first missing backend.
    """

    routes: tuple[RankedRoute, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    live: tuple[str, ...] = ()
    unsupported: Problem | None = None
    unresolved: Problem | None = None

    @property
    def in_order(self) -> tuple[Route, ...]:
        """The routes as they are tried when there are no others."""
        return tuple(one.route for one in sorted(self.routes, key=lambda one: one.rank))


class _Unsupported(Exception):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(reason, message)


def compile_route(route: HTTPRoute, service: FindService) -> Compiled:
    """Never fails: what can't be served is in the result's `unsupported` and `unresolved`."""
    made = _Compilation(route, service)
    try:
        routes = tuple(made.routes())
    except _Unsupported as refused:
        return Compiled(unsupported=refused.problem)
    return Compiled(routes, tuple(made.clusters.values()), tuple(made.live), None, made.unresolved)


def backends(route: HTTPRoute) -> list[tuple[str, str]]:
    """(namespace, name) of every Service that the route names: the result depends on these and no others."""
    named = [ref for rule in route.spec.rules for ref in (*rule.backend_refs, *_mirrored(rule.filters))]
    return [(ref.namespace or route.metadata.namespace, ref.name) for ref in named]


def _mirrored(filters: list[HTTPRouteFilter]) -> list[BackendObjectReference]:
    return [one.request_mirror.backend_ref for one in filters if one.request_mirror is not None]


def stand_in(service: Service) -> tuple[str, str, int] | None:
    """(namespace, name, port) of the Service that takes this one's requests, as long as that one allows it."""
    return read_backend(service.metadata.annotations.get(BACKEND, ""))


class _Compilation:
    """Collects clusters and the first unresolved backend while the rules are gone through."""

    def __init__(self, route: HTTPRoute, service: FindService) -> None:
        self._route = route
        self._service = service
        self.clusters: dict[str, Cluster] = {}
        self.live: dict[str, None] = {}
        self.unresolved: Problem | None = None
        self._grpc: dict[str, Cluster] = {}
        # Clusters with a target that takes no gRPC: of Services that share a cluster one may and another not.
        self._plain: set[str] = set()

    def routes(self) -> Iterator[RankedRoute]:
        meta = self._route.metadata
        # Of two equal matches the older route wins, then the first by name, then the order of the rules.
        age = (meta.creation_timestamp or "", f"{meta.namespace}/{meta.name}")
        for index, rule in enumerate(self._route.spec.rules):
            where = f"spec.rules[{index}]"
            filters = _Filters.read(rule.filters, where)
            action = self._forward(rule, filters, where) if not filters.redirect else filters.redirect
            for position, spec in enumerate(rule.matches or [HTTPRouteMatch()]):
                match = _match(spec, f"{where}.matches[{position}]")
                _check_rewrite(action, match, where)
                rank = _specificity(match)
                for order, (part, way) in enumerate(self._ways(match, action)):
                    route = Route(part, way, filters.request, filters.response)
                    yield RankedRoute((*rank, *age, index, _WAYS * position + order), route)

    def _ways(self, match: Match, action: Action) -> Iterator[tuple[Match, Action]]:
        """A route to an HTTP port that takes gRPC too becomes two, as Envoy speaks one protocol to a cluster."""
        calls = self._for_grpc(action) if isinstance(action, Forward) else None
        if calls is not None:
            named = any(header.name == _GRPC.name for header in match.headers)
            yield match if named else replace(match, headers=(*match.headers, _GRPC)), calls
            if named:
                return
        yield match, action

    def _for_grpc(self, action: Forward) -> Forward | None:
        """The action for gRPC calls, where all of its targets take them over HTTP/2 on their HTTP port."""
        if not all(target.cluster in self._grpc.keys() - self._plain for target in action.targets):
            return None
        targets: list[Target] = []
        for target in action.targets:
            cluster = self._grpc[target.cluster]
            self.clusters[cluster.name] = cluster
            targets.append(replace(target, cluster=cluster.name))
        return replace(action, targets=tuple(targets))

    def _forward(self, rule: HTTPRouteRule, filters: "_Filters", where: str) -> Forward | Answer:
        targets = tuple(
            target
            for index, ref in enumerate(rule.backend_refs)
            if (target := self._target(ref, f"{where}.backendRefs[{index}]")).weight
        )
        if not targets:
            return Answer(500, f"{where} of HTTPRoute {self._route.metadata.name} has no backend to send requests to")
        timeout, try_timeout = (
            _seconds(text, f"{where}.timeouts") for text in (rule.timeouts.request, rule.timeouts.backend_request)
        )
        if timeout and try_timeout > timeout:
            raise _Unsupported(Reason.UNSUPPORTED_VALUE, f"{where}.timeouts: backendRequest is longer than request")
        idle = _seconds(self._route.metadata.annotations.get(IDLE_TIMEOUT), f"metadata.annotations[{IDLE_TIMEOUT}]")
        mirrors = tuple(made for one in filters.mirrors if (made := self._mirror(one, f"{where}.filters")) is not None)
        return Forward(targets, timeout, try_timeout, filters.host, filters.path, idle, mirrors)

    def _mirror(self, mirror: HTTPRequestMirrorFilter, where: str) -> Mirror | None:
        """None for one whose backend is not there: requests go on without it (Gateway API)."""
        share = (100, 100) if mirror.percent is None else (mirror.percent, 100)
        if mirror.fraction is not None:
            if mirror.percent is not None:
                raise _Unsupported(Reason.UNSUPPORTED_VALUE, f"{where}: a mirror has either percent or fraction")
            share = (mirror.fraction.numerator, mirror.fraction.denominator)
        if host := self._route.metadata.annotations.get(MIRROR_HOST, ""):
            return Mirror(AGAIN, *share, host)
        found = self._cluster(mirror.backend_ref, f"{where}.requestMirror.backendRef")
        if isinstance(found, Problem):
            self.unresolved = self.unresolved or found
            return None
        self.clusters[found.name] = found
        return Mirror(found.name, *share)

    def _target(self, ref: HTTPBackendRef, where: str) -> Target:
        edits = _Filters.read(ref.filters, where)
        if edits.redirect or edits.host or edits.path or edits.mirrors:
            raise _Unsupported(
                Reason.UNSUPPORTED_VALUE, f"{where}.filters: only header modifiers are supported on a backend"
            )
        found = self._cluster(ref, where)
        if isinstance(found, Problem):
            self.unresolved = self.unresolved or found
            return Target("", ref.weight, edits.request, edits.response)
        self.clusters[found.name] = found
        if ref.weight:
            self.live[found.name] = None
        return Target(found.name, ref.weight, self._addressed(edits.request, ref, found), edits.response)

    def _addressed(self, edits: HeaderEdits, ref: HTTPBackendRef, cluster: Cluster) -> HeaderEdits:
        """Requests that another Service takes say whom they are for."""
        namespace = ref.namespace or self._route.metadata.namespace
        if (cluster.namespace, cluster.service) == (namespace, ref.name):
            return edits
        said = {name.lower() for name, _ in edits.set}
        whom = ((REVISION_HEADER, ref.name), (NAMESPACE_HEADER, namespace))
        return _shared(replace(edits, set=(*edits.set, *(one for one in whom if one[0].lower() not in said))))

    def _cluster(self, ref: BackendObjectReference, where: str) -> Cluster | Problem:
        home = self._route.metadata.namespace
        namespace = ref.namespace or home
        if (ref.group, ref.kind) not in (("", "Service"), ("core", "Service")):
            return Problem(Reason.INVALID_KIND, f"{where}: expected a Service, got {ref.kind} of group {ref.group!r}")
        if namespace != home:
            return Problem(
                Reason.REF_NOT_PERMITTED,
                f"{where}: a route in {home} may not send requests to a Service in {namespace}",
            )
        service = self._service(namespace, ref.name)
        if service is None:
            return Problem(Reason.BACKEND_NOT_FOUND, f"{where}: no Service {namespace}/{ref.name}")
        if service.spec.type == "ExternalName":
            return Problem(Reason.INVALID_KIND, f"{where}: Service {namespace}/{ref.name} is an ExternalName")
        if (port := _port(service, ref.port)) is None:
            have = ", ".join(str(one.port) for one in service.spec.ports) or "none"
            return Problem(
                Reason.BACKEND_NOT_FOUND, f"{where}: Service {namespace}/{ref.name} has no port {ref.port}; has {have}"
            )
        target, target_port = self._stand_in(service) or (service, port)
        cluster = _cluster(target, target_port, http2=target_port.app_protocol == H2C)
        if not cluster.http2 and service.metadata.annotations.get(GRPC_ON_HTTP) == "true":
            self._grpc[cluster.name] = _cluster(target, target_port, http2=True)
        elif not cluster.http2:
            self._plain.add(cluster.name)
        return cluster

    def _stand_in(self, service: Service) -> tuple[Service, ServicePort] | None:
        """Where all of the Service's requests go instead. The Service's own endpoints are right too, just dearer: a
        reference that leads nowhere is passed over."""
        if (named := stand_in(service)) is None:
            return None
        found = self._service(named[0], named[1])
        if found is None or found.metadata.labels.get(SHARED_BACKEND) != "true":
            return None
        port = _port(found, named[2])
        return None if port is None else (found, port)


@lru_cache(maxsize=64)
def _shared(edits: HeaderEdits) -> HeaderEdits:
    """The one that was made for the route before: all routes to a revision say the same."""
    return edits


def _cluster(service: Service, port: ServicePort, *, http2: bool) -> Cluster:
    meta = service.metadata
    name = cluster_name(meta.namespace, meta.name, port.port, http2)
    return Cluster(name, meta.namespace, meta.name, port.port, http2)


def _port(service: Service, number: int | None) -> ServicePort | None:
    return next((one for one in service.spec.ports if one.port == number), None)


def _specificity(match: Match) -> tuple[int, int, bool, int, int]:
    """Gateway API: exact path, then longest prefix, then method, most headers, most query parameters.

    Where a regular expression stands is left to us: after exact paths, before prefixes, the longer one first.
    """
    order = (PathKind.EXACT, PathKind.REGEX, PathKind.PREFIX).index(match.kind)
    return order, -len(match.path), not match.method, -len(match.headers), -len(match.query)


# --- matches ----------------------------------------------------------------------------------------------------------

# Everything, spelled as a regular expression. As a prefix it is the same set of paths, is found faster, and stands
# behind every longer prefix.
_EVERYTHING = frozenset({"^/.*$", "^/.*", "/.*$", "/.*", ".*", "^.*$"})
# Constructs that Python's `re` has and RE2, which Envoy uses, has not.
_NOT_IN_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|>|\(|P=|#)|\\[1-9]|\\Z|[*+?}]\+")
_PATH = re.compile(r"/[^?#]*")


def _match(match: HTTPRouteMatch, where: str) -> Match:
    kind, path = _path(match, f"{where}.path")
    headers = tuple(_value(one, f"{where}.headers") for one in match.headers)
    query = tuple(_value(one, f"{where}.queryParams") for one in match.query_params)
    return Match(path, kind, match.method or "", headers, query)


def _path(match: HTTPRouteMatch, where: str) -> tuple[PathKind, str]:
    kind, path = match.path.type, match.path.value
    if kind not in tuple(PathKind):
        raise _Unsupported(Reason.UNSUPPORTED_VALUE, f"{where}.type: expected {', '.join(PathKind)}, got {kind}")
    if kind == PathKind.REGEX:
        _check_regex(path, f"{where}.value")
        return (PathKind.PREFIX, "/") if path in _EVERYTHING else (PathKind.REGEX, path)
    if not _PATH.fullmatch(path):
        raise _Unsupported(Reason.UNSUPPORTED_VALUE, f"{where}.value: expected a path such as /v1, got {path!r}")
    return (PathKind.EXACT, path) if kind == PathKind.EXACT else (PathKind.PREFIX, path.rstrip("/") or "/")


def _value(match: HTTPHeaderMatch | HTTPQueryParamMatch, where: str) -> ValueMatch:
    if match.type not in ("Exact", "RegularExpression"):
        raise _Unsupported(
            Reason.UNSUPPORTED_VALUE, f"{where}.type: expected Exact or RegularExpression, got {match.type}"
        )
    if match.type == "RegularExpression":
        _check_regex(match.value, f"{where}.value")
    return ValueMatch(
        match.name.lower() if isinstance(match, HTTPHeaderMatch) else match.name, match.value, match.type != "Exact"
    )


def _check_regex(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise _Unsupported(
            Reason.UNSUPPORTED_VALUE, f"{where}: {pattern!r} is no regular expression: {error}"
        ) from error
    if found := _NOT_IN_RE2.search(pattern):
        raise _Unsupported(
            Reason.UNSUPPORTED_VALUE,
            f"{where}: {found.group()!r} in {pattern!r} is not supported by Envoy (RE2 syntax)",
        )


def _seconds(text: str | None, where: str) -> float:
    try:
        return durations.seconds(text) if text else 0.0
    except ValueError as error:
        raise _Unsupported(Reason.UNSUPPORTED_VALUE, f"{where}: {error}") from error


# --- filters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Filters:
    request: HeaderEdits
    response: HeaderEdits
    redirect: Redirect | None = None
    host: str = ""
    path: PathRewrite | None = None
    mirrors: tuple[HTTPRequestMirrorFilter, ...] = ()

    @classmethod
    def read(cls, filters: list[HTTPRouteFilter], where: str) -> "_Filters":
        mirrors = tuple(one.request_mirror for one in filters if one.request_mirror is not None)
        # Only mirrors may be there more than once.
        filters = [one for one in filters if one.type != MIRROR]
        types = [one.type for one in filters]
        if len(set(types)) < len(types) or {"URLRewrite", "RequestRedirect"} <= set(types):
            raise _Unsupported(
                Reason.INCOMPATIBLE_FILTERS, f"{where}.filters: {', '.join(types)} can't be used on one rule"
            )
        parts: dict[str, HTTPRouteFilter] = {one.type: one for one in filters}
        for index, word in enumerate(types):
            if word not in _FILTERS:
                raise _Unsupported(
                    Reason.UNSUPPORTED_VALUE,
                    f"{where}.filters[{index}].type: expected {', '.join((*_FILTERS, MIRROR))}, got {word}",
                )
        request, response, redirect, rewrite = (parts.get(word) for word in _FILTERS)
        url = rewrite.url_rewrite if rewrite else None
        return cls(
            request=_edits(request.request_header_modifier if request else None),
            response=_edits(response.response_header_modifier if response else None),
            redirect=_redirect(redirect) if redirect else None,
            host=(url.hostname or "") if url else "",
            path=_rewrite(url.path) if url else None,
            mirrors=mirrors,
        )


MIRROR = "RequestMirror"
_NO_EDITS = HeaderEdits()
_FILTERS = ("RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite")


def _edits(spec: HTTPHeaderFilter | None) -> HeaderEdits:
    if spec is None:
        return _NO_EDITS
    set_, add = (tuple((one.name, one.value) for one in headers) for headers in (spec.set, spec.add))
    return HeaderEdits(set_, add, tuple(spec.remove))


def _rewrite(spec: HTTPPathModifier | None) -> PathRewrite | None:
    if spec is None:
        return None
    if spec.type == "ReplacePrefixMatch":
        return PathRewrite("/" + (spec.replace_prefix_match or "").strip("/"), prefix=True)
    return PathRewrite(spec.replace_full_path or "/", prefix=False)


def _redirect(spec: HTTPRouteFilter) -> Redirect:
    if (to := spec.request_redirect) is None:
        return Redirect()
    return Redirect(to.status_code, to.scheme or "", to.hostname or "", to.port or 0, _rewrite(to.path))


def _check_rewrite(action: Forward | Redirect | Answer, match: Match, where: str) -> None:
    path = None if isinstance(action, Answer) else action.path
    if path and path.prefix and match.kind is not PathKind.PREFIX:
        raise _Unsupported(
            Reason.INCOMPATIBLE_FILTERS,
            f"{where}: ReplacePrefixMatch needs a PathPrefix match, got {match.kind} {match.path!r}",
        )
