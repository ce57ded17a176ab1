"""Services whose requests another one takes, as the activator does for what sleeps (`resources.activator`)."""

import msgspec
import pytest
from tests.unit.controlplane.gateway.test_plan import plan

from inferplane.controlplane.gateway import translate
from inferplane.controlplane.gateway.plan import Planner, Snapshot, World
from inferplane.controlplane.gateway.rules import H2C
from inferplane.controlplane.gateway.values import Cluster, Forward, HeaderEdits, Target
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import JsonObject
from inferplane.resources.activator import BACKEND, IDLE_TIMEOUT, SHARED_BACKEND, backend, read_backend
from inferplane.resources.core import Service
from inferplane.resources.gateway import Gateway, GatewayClass, HTTPRoute

CLASS = msgspec.convert(
    {"metadata": {"name": "ours"}, "spec": {"controllerName": "inferplane.dev/gateway"}}, GatewayClass
)
GATEWAY = msgspec.convert(
    {
        "metadata": {"name": "gw", "namespace": "infra"},
        "spec": {
            "gatewayClassName": "ours",
            "listeners": [
                {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
            ],
        },
    },
    Gateway,
)
ACTIVATOR = Cluster("knative-serving/activator-service:80", "knative-serving", "activator-service", 80)
CALLS = Cluster("knative-serving/activator-service:80/h2c", "knative-serving", "activator-service", 80, http2=True)
OWN = Cluster("default/iris-00001:80", "default", "iris-00001", 80)


def service(name: str, to: str = "", grpc: bool = False, namespace: str = "default") -> Service:
    annotations: JsonObject = {BACKEND: to} if to else {}
    if grpc:
        annotations["inferplane.dev/grpc-bridge"] = "true"
    meta: JsonObject = {"name": name, "namespace": namespace, "annotations": annotations}
    return msgspec.convert({"metadata": meta, "spec": {"ports": [{"name": "http", "port": 80}]}}, Service)


def activator(label: str = "true") -> Service:
    meta: JsonObject = {"name": "activator-service", "namespace": "knative-serving", "labels": {SHARED_BACKEND: label}}
    ports: list[JsonObject] = [{"name": "http", "port": 80}, {"name": "http2", "port": 81, "appProtocol": H2C}]
    return msgspec.convert({"metadata": meta, "spec": {"ports": ports}}, Service)


def route(*revisions: str, annotations: JsonObject | None = None) -> HTTPRoute:
    refs: list[JsonObject] = [
        {
            "name": one,
            "port": 80,
            "filters": [
                {
                    "type": "RequestHeaderModifier",
                    "requestHeaderModifier": {"set": [{"name": "Knative-Serving-Revision", "value": one}]},
                }
            ],
        }
        for one in revisions
    ]
    spec: JsonObject = {
        "parentRefs": [{"name": "gw", "namespace": "infra"}],
        "hostnames": ["a.b"],
        "rules": [{"backendRefs": [*refs]}],
    }
    meta: JsonObject = {"name": "r", "namespace": "default", "annotations": annotations or {}}
    return msgspec.convert({"metadata": meta, "spec": spec}, HTTPRoute)


def world(route: HTTPRoute, *services: Service) -> World:
    known = {(one.metadata.namespace, one.metadata.name): one for one in services}
    return World([CLASS], [GATEWAY], [route], lambda namespace, name: known.get((namespace, name)))


def planned(route: HTTPRoute, *services: Service) -> Snapshot:
    return plan(Planner(), world(route, *services))


def forwards(snapshot: Snapshot) -> list[Forward]:
    actions = [one.action for one in snapshot.hosts["http-80/a.b"].routes]
    return [one for one in actions if isinstance(one, Forward)]


def test_a_service_that_names_the_activator_is_reached_by_the_activators_cluster_with_its_own_headers() -> None:
    found = planned(route("iris-00001"), service("iris-00001", to=backend(80)), activator())
    edits = HeaderEdits(set=(("Knative-Serving-Revision", "iris-00001"), ("Knative-Serving-Namespace", "default")))
    assert [one.targets for one in forwards(found)] == [(Target(ACTIVATOR.name, request=edits),)]
    assert list(found.clusters.values()) == [ACTIVATOR]


def test_all_that_sleep_share_the_cluster_and_what_is_awake_has_its_own() -> None:
    services = [service("iris-00001"), *(service(f"iris-0000{one}", to=backend(80)) for one in (2, 3)), activator()]
    found = planned(route("iris-00001", "iris-00002", "iris-00003"), *services)
    assert set(found.clusters) == {OWN.name, ACTIVATOR.name}
    assert [one.cluster for one in forwards(found)[0].targets] == [OWN.name, ACTIVATOR.name, ACTIVATOR.name]


@pytest.mark.parametrize("to", ["", "activator", backend(82), "knative-serving/other:80"])
def test_a_reference_that_leads_nowhere_leaves_the_service_its_own_cluster(to: str) -> None:
    found = planned(route("iris-00001"), service("iris-00001", to=to), activator())
    assert list(found.clusters.values()) == [OWN]


def test_a_service_can_not_be_borrowed_without_its_consent() -> None:
    found = planned(route("iris-00001"), service("iris-00001", to=backend(80)), activator(label=""))
    assert list(found.clusters.values()) == [OWN]


def test_the_port_named_says_what_is_spoken() -> None:
    found = planned(route("iris-00001"), service("iris-00001", to=backend(81)), activator())
    assert [(one.port, one.http2) for one in found.clusters.values()] == [(81, True)]


def test_calls_to_a_sleeping_service_that_takes_grpc_on_its_http_port_go_over_http2_too() -> None:
    found = planned(route("iris-00001"), service("iris-00001", to=backend(80), grpc=True), activator())
    assert list(found.clusters.values()) == [ACTIVATOR, CALLS]
    assert [one.targets[0].cluster for one in forwards(found)] == [CALLS.name, ACTIVATOR.name]


def test_where_one_of_two_takes_no_grpc_a_shared_cluster_does_not_make_it() -> None:
    services = [service("iris-00001", to=backend(80), grpc=True), service("iris-00002", to=backend(80)), activator()]
    found = planned(route("iris-00001", "iris-00002"), *services)
    assert [[target.cluster for target in one.targets] for one in forwards(found)] == [[ACTIVATOR.name] * 2]


def test_a_plan_depends_on_the_service_that_stands_in_too() -> None:
    planner = Planner()
    asleep, awake = service("iris-00001", to=backend(80)), service("iris-00001")
    planner.plan(world(route("iris-00001"), asleep))
    assert planner.depends_on(Key("knative-serving", "activator-service"))
    assert ACTIVATOR.name in plan(planner, world(route("iris-00001"), asleep, activator())).clusters
    assert list(plan(planner, world(route("iris-00001"), awake, activator())).clusters) == [OWN.name]


def test_a_route_says_how_long_a_request_may_be_silent() -> None:
    found = forwards(planned(route("iris-00001", annotations={IDLE_TIMEOUT: "30s"}), service("iris-00001")))
    assert [one.idle_timeout for one in found] == [30.0]
    host = translate.virtual_host(
        planned(route("iris-00001", annotations={IDLE_TIMEOUT: "30s"}), service("iris-00001")).hosts["http-80/a.b"]
    )
    assert host.routes[0].route.idle_timeout.seconds == 30


def test_an_edit_of_that_annotation_alone_is_a_new_plan() -> None:
    planner, one = Planner(), service("iris-00001")
    planner.plan(world(route("iris-00001"), one))
    after = plan(planner, world(route("iris-00001", annotations={IDLE_TIMEOUT: "5s"}), one))
    assert [each.idle_timeout for each in forwards(after)] == [5.0]


def test_an_idle_timeout_that_is_no_duration_is_refused() -> None:
    found = planned(route("iris-00001", annotations={IDLE_TIMEOUT: "soon"}), service("iris-00001"))
    problem = found.routes[Key("default", "r")].parents[0].problem
    assert problem is not None
    assert "inferplane.dev/idle-timeout" in problem.message


def test_references_are_read_strictly() -> None:
    assert read_backend(backend(81)) == ("knative-serving", "activator-service", 81)
    assert [read_backend(text) for text in ("", "a/b", "a:80", "a/b:", "a/b:x", "a/b:123456")] == [None] * 6
