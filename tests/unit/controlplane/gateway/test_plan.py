"""Routes, gateways and services in; hosts, clusters and verdicts out."""

import msgspec
import pytest

from inferplane.controlplane.gateway.plan import Planner, Snapshot, World, assignment
from inferplane.controlplane.gateway.values import (
    Answer,
    Cluster,
    Endpoint,
    Forward,
    Match,
    PathKind,
    PathRewrite,
    Redirect,
    Target,
)
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.core import Service
from inferplane.resources.discovery import EndpointSlice
from inferplane.resources.gateway import Gateway, GatewayClass, HTTPRoute

CLASS = msgspec.convert(
    {"metadata": {"name": "ours"}, "spec": {"controllerName": "inferplane.dev/gateway"}}, GatewayClass
)
HTTP: JsonObject = {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}


def gateway(*listeners: JsonObject, name: str = "gw", gateway_class: str = "ours") -> Gateway:
    spec: JsonObject = {"gatewayClassName": gateway_class, "listeners": list(listeners) or [HTTP]}
    return msgspec.convert({"metadata": {"name": name, "namespace": "infra"}, "spec": spec}, Gateway)


def service(name: str, app_protocol: str | None = None) -> Service:
    ports: list[Json] = [{"name": "http", "port": 80, "appProtocol": app_protocol}, {"name": "other", "port": 81}]
    return msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": ports}}, Service)


def route(
    *rules: JsonObject,
    name: str = "r",
    hosts: tuple[str, ...] = ("a.b",),
    created: str = "",
    ref: JsonObject | None = None,
) -> HTTPRoute:
    parent: JsonObject = {"name": "gw", "namespace": "infra", **(ref or {})}
    spec: JsonObject = {"parentRefs": [parent], "hostnames": list(hosts), "rules": list(rules)}
    metadata: JsonObject = {"name": name, "namespace": "default", "creationTimestamp": created or None}
    return msgspec.convert({"metadata": metadata, "spec": spec}, HTTPRoute)


def rule(*backends: str, path: str = "", type: str = "PathPrefix", **fields: Json) -> JsonObject:
    refs: list[Json] = [{"name": name, "port": 80} for name in backends or ("s",)]
    matches: list[Json] = [{"path": {"type": type, "value": path}}] if path else []
    return {"backendRefs": refs, "matches": matches} | fields


def world(*routes: HTTPRoute, gateways: tuple[Gateway, ...] = (), services: tuple[Service, ...] = ()) -> World:
    known = {(one.metadata.namespace, one.metadata.name): one for one in services or (service("s"), service("t"))}
    return World([CLASS], gateways or (gateway(),), routes, lambda namespace, name: known.get((namespace, name)))


def plan(planner: Planner, given: World) -> Snapshot:
    """As it is after this: the planner's own goes along with it."""
    planner.plan(given)
    now = planner.now
    return Snapshot(dict(now.listeners), dict(now.hosts), dict(now.clusters), dict(now.routes), dict(now.gateways))


def planned(*routes: HTTPRoute, gateways: tuple[Gateway, ...] = (), services: tuple[Service, ...] = ()) -> Snapshot:
    return plan(Planner(), world(*routes, gateways=gateways, services=services))


def hosts(snapshot: Snapshot) -> set[str]:
    """Virtual hosts that have routes: every listener has one for any host, which may be empty."""
    return {name for name, one in snapshot.hosts.items() if one.routes}


def paths(snapshot: Snapshot, host: str = "http-80/a.b") -> list[str]:
    return [one.match.path for one in snapshot.hosts[host].routes]


def problem(snapshot: Snapshot, name: str = "r") -> str:
    verdict = snapshot.routes[Key("default", name)].parents[0].problem
    return verdict.reason if verdict else ""


def unresolved(snapshot: Snapshot) -> str:
    found = snapshot.routes[Key("default", "r")].unresolved
    return found.reason if found else ""


def only(snapshot: Snapshot) -> Forward:
    action = snapshot.hosts["http-80/a.b"].routes[0].action
    assert isinstance(action, Forward)
    return action


# --- attaching --------------------------------------------------------------------------------------------------------


def test_a_route_becomes_a_virtual_host_for_each_of_its_names_and_a_cluster_for_each_service_port() -> None:
    found = planned(route(rule(), hosts=("a.b", "c.d")))
    assert hosts(found) == {"http-80/a.b", "http-80/c.d"}
    assert found.hosts["http-80/a.b"].domain == "a.b"
    assert list(found.clusters.values()) == [Cluster("default/s:80", "default", "s", 80)]
    assert [(one.name, one.port) for one in found.listeners.values()] == [("http-80", 80)]
    assert found.gateways[Key("infra", "gw")][0].attached == 1


def test_a_route_without_hostnames_takes_the_listeners() -> None:
    assert hosts(planned(route(rule(), hosts=()))) == {"http-80/*"}
    named = gateway(HTTP | {"hostname": "*.b"})
    assert hosts(planned(route(rule(), hosts=()), gateways=(named,))) == {"http-80/*.b"}


@pytest.mark.parametrize(
    ("listener", "ref", "reason"),
    [
        (HTTP, {"sectionName": "https"}, "NoMatchingParent"),
        (HTTP, {"port": 81}, "NoMatchingParent"),
        (HTTP | {"hostname": "x.y"}, {}, "NoMatchingListenerHostname"),
        (HTTP | {"allowedRoutes": {"namespaces": {"from": "Same"}}}, {}, "NotAllowedByListeners"),
        (HTTP | {"allowedRoutes": {"kinds": [{"kind": "GRPCRoute"}]}}, {}, "NotAllowedByListeners"),
        (HTTP, {"sectionName": "http", "port": 80}, ""),
    ],
)
def test_a_route_that_no_listener_takes_is_told_why(listener: JsonObject, ref: JsonObject, reason: str) -> None:
    found = planned(route(rule(), ref=ref), gateways=(gateway(listener),))
    assert problem(found) == reason
    assert bool(hosts(found)) == (not reason)


def test_a_listener_without_routes_has_an_empty_host_so_that_envoy_opens_it() -> None:
    found = planned()
    assert [(one.domain, one.routes) for one in found.hosts.values()] == [("*", ())]


def test_gateways_of_other_controllers_are_none_of_our_business() -> None:
    found = planned(route(rule()), gateways=(gateway(gateway_class="istio"),))
    assert (found.routes, found.listeners, found.gateways) == ({}, {}, {})


def test_namespaces_are_selected_by_their_labels() -> None:
    selector: JsonObject = {"from": "Selector", "selector": {"matchLabels": {"team": "ml"}}}
    gateways = (gateway(HTTP | {"allowedRoutes": {"namespaces": selector}}),)
    given = world(route(rule()), gateways=gateways)
    labelled = World(given.classes, given.gateways, given.routes, given.service, {"default": {"team": "ml"}})
    planner = Planner()
    assert problem(plan(planner, given)) == "NotAllowedByListeners"
    assert problem(plan(planner, labelled)) == ""


def test_a_listener_that_is_not_http_is_not_served() -> None:
    found = planned(gateways=(gateway(HTTP | {"protocol": "TCP"}),))
    verdict = found.gateways[Key("infra", "gw")][0]
    assert verdict.problem is not None
    assert (verdict.problem[0], found.listeners) == ("UnsupportedProtocol", {})


# --- precedence -------------------------------------------------------------------------------------------------------


def test_the_more_specific_path_wins_whatever_the_order_of_rules() -> None:
    found = planned(
        route(
            rule(path="/"),
            rule(path="/v1"),
            rule(path="/v1/models/"),
            rule(path="/v1/[a-z]+", type="RegularExpression"),
            rule(path="/v1", type="Exact"),
        )
    )
    assert paths(found) == ["/v1", "/v1/[a-z]+", "/v1/models", "/v1", "/"]


def test_kserves_catch_all_pattern_is_the_root_prefix_and_stands_behind_longer_ones() -> None:
    found = planned(route(rule(path="^/.*$", type="RegularExpression"), rule(path="/v2")))
    assert [one.match for one in found.hosts["http-80/a.b"].routes] == [Match("/v2"), Match("/", PathKind.PREFIX)]


def test_of_equal_paths_method_then_headers_then_parameters_decide() -> None:
    header: JsonObject = {"name": "X", "value": "1"}
    matches: list[Json] = [
        {"path": {"value": "/"}},
        {"path": {"value": "/"}, "queryParams": [header]},
        {"path": {"value": "/"}, "headers": [header]},
        {"path": {"value": "/"}, "method": "GET"},
    ]
    found = planned(route(rule() | {"matches": matches})).hosts["http-80/a.b"].routes
    assert [(one.match.method, len(one.match.headers), len(one.match.query)) for one in found] == [
        ("GET", 0, 0),
        ("", 1, 0),
        ("", 0, 1),
        ("", 0, 0),
    ]


def test_of_equal_matches_the_older_route_wins_then_the_first_by_name() -> None:
    def target(*routes: HTTPRoute) -> str:
        return only(planned(*routes)).targets[0].cluster

    old, new = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    first, second = route(rule("s"), name="z", created=old), route(rule("t"), name="a", created=new)
    assert target(first, second) == target(second, first) == "default/s:80"
    assert target(route(rule("s"), name="z"), route(rule("t"), name="a")) == "default/t:80"


# --- rules ------------------------------------------------------------------------------------------------------------


def test_weights_and_timeouts_are_kept_and_zero_weights_left_out() -> None:
    refs: list[Json] = [{"name": "s", "port": 80, "weight": 90}, {"name": "t", "port": 80, "weight": 10}]
    refs.append({"name": "s", "port": 81, "weight": 0})
    timeouts: Json = {"request": "60s", "backendRequest": "30s"}
    found = planned(route({"backendRefs": refs, "timeouts": timeouts}))
    assert only(found) == Forward((Target("default/s:80", 90), Target("default/t:80", 10)), 60.0, 30.0)
    assert found.routes[Key("default", "r")].live == ("default/s:80", "default/t:80")


def test_a_port_that_says_h2c_is_spoken_to_in_http2() -> None:
    found = planned(route(rule()), services=(service("s", "kubernetes.io/h2c"),))
    assert [(one.name, one.http2) for one in found.clusters.values()] == [("default/s:80/h2c", True)]


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"name": "nobody", "port": 80}, "BackendNotFound"),
        ({"name": "s", "port": 8080}, "BackendNotFound"),
        ({"name": "s"}, "BackendNotFound"),
        ({"name": "s", "port": 80, "kind": "Pod"}, "InvalidKind"),
        ({"name": "s", "port": 80, "namespace": "infra"}, "RefNotPermitted"),
    ],
)
def test_a_missing_backend_keeps_its_share_of_the_requests_and_is_named(ref: JsonObject, reason: str) -> None:
    found = planned(route({"backendRefs": [ref, {"name": "t", "port": 80}]}))
    assert unresolved(found) == reason
    assert [one.cluster for one in only(found).targets] == ["", "default/t:80"]
    assert problem(found) == ""


def test_a_rule_without_backends_answers_500() -> None:
    action = planned(route({"matches": []})).hosts["http-80/a.b"].routes[0].action
    assert isinstance(action, Answer)
    assert action.status == 500


def test_filters_become_header_edits_rewrites_and_redirects() -> None:
    header: JsonObject = {"name": "A", "value": "1"}
    edits: Json = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header], "remove": ["B"]}}
    path: JsonObject = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x/"}
    rewrite: Json = {"type": "URLRewrite", "urlRewrite": {"hostname": "h.i", "path": path}}
    found = planned(route(rule(path="/a", filters=[edits, rewrite])))
    assert (only(found).host, only(found).path) == ("h.i", PathRewrite("/x", prefix=True))
    sent = found.hosts["http-80/a.b"].routes[0].request
    assert (sent.set, sent.remove) == ((("A", "1"),), ("B",))
    redirect: Json = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    moved = planned(route({"filters": [redirect]})).hosts["http-80/a.b"].routes[0].action
    assert moved == Redirect(301, "https")


PREFIX: JsonObject = {
    "type": "URLRewrite",
    "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (rule(path="/(?=a)", type="RegularExpression"), "UnsupportedValue"),
        (rule(path="/(a)\\1", type="RegularExpression"), "UnsupportedValue"),
        (rule(path="/(", type="RegularExpression"), "UnsupportedValue"),
        (rule(path="v1"), "UnsupportedValue"),
        (rule(path="/v1?x"), "UnsupportedValue"),
        (rule(path="/", type="Glob"), "UnsupportedValue"),
        (rule(filters=[{"type": "CORS"}]), "UnsupportedValue"),
        (rule(timeouts={"request": "1s", "backendRequest": "2s"}), "UnsupportedValue"),
        (rule(path="/a", type="Exact", filters=[PREFIX]), "IncompatibleFilters"),
        (rule(filters=[PREFIX, PREFIX]), "IncompatibleFilters"),
    ],
)
def test_a_route_that_cannot_be_served_as_written_is_refused_whole(bad: JsonObject, reason: str) -> None:
    found = planned(route(rule(), bad))
    assert problem(found) == reason
    assert hosts(found) == set()


# --- remembering ------------------------------------------------------------------------------------------------------


def test_planning_again_makes_only_what_changed() -> None:
    planner = Planner()
    one, two = route(rule(), name="one", hosts=("one",)), route(rule(), name="two", hosts=("two",))
    given = world(one, two)
    before = plan(planner, given)
    changed = route(rule("t"), name="two", hosts=("two",))
    after = plan(planner, World(given.classes, given.gateways, [one, changed], given.service))
    assert after.hosts["http-80/one"] is before.hosts["http-80/one"]
    assert after.hosts["http-80/two"] != before.hosts["http-80/two"]


def test_a_plan_depends_on_the_services_that_its_routes_name_existing_or_not() -> None:
    planner = Planner()
    planner.plan(world(route(rule("s", "nobody"))))
    assert [planner.depends_on(Key("default", name)) for name in ("s", "nobody", "t")] == [True, True, False]


def test_what_was_planned_before_never_shows_in_the_result() -> None:
    planner = Planner()
    worlds = [
        world(route(rule())),
        world(route(rule()), services=(service("t"),)),
        world(route(rule()), gateways=(gateway(HTTP | {"hostname": "x.y"}),)),
        world(),
        world(route(rule("t"), hosts=("c.d",))),
    ]
    assert [plan(planner, one) for one in worlds] == [plan(Planner(), one) for one in worlds]


# --- endpoints --------------------------------------------------------------------------------------------------------


def slice_of(*endpoints: JsonObject, port: int = 8080, name: str = "http") -> EndpointSlice:
    return msgspec.convert({"ports": [{"name": name, "port": port}], "endpoints": list(endpoints)}, EndpointSlice)


def endpoint(address: str, **conditions: bool) -> JsonObject:
    return {"addresses": [address], "conditions": dict(conditions)}


def assigned(*slices: EndpointSlice) -> set[str]:
    found = assignment(Cluster("default/s:80", "default", "s", 80), service("s"), slices)
    return {f"{one.address}:{one.port}" for one in found.endpoints}


def test_requests_go_to_ready_endpoints_on_the_port_of_that_name() -> None:
    ready, starting = endpoint("127.1.0.1", ready=True), endpoint("127.1.0.2", ready=False)
    other = slice_of(endpoint("127.1.0.3", ready=True), name="other")
    assert assigned(slice_of(ready, starting), other) == {"127.1.0.1:8080"}
    assert Endpoint("127.1.0.1", 8080) < Endpoint("127.1.0.2", 80)


def test_ending_endpoints_serve_when_there_is_nobody_else() -> None:
    ending = endpoint("127.1.0.1", ready=False, serving=True, terminating=True)
    assert assigned(slice_of(ending)) == {"127.1.0.1:8080"}
    assert assigned(slice_of(ending, endpoint("127.1.0.2", ready=True))) == {"127.1.0.2:8080"}
    assert assigned(slice_of(endpoint("127.1.0.1", ready=False, serving=False, terminating=True))) == set()
