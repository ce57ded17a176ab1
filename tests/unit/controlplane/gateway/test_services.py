"""Services that have an address on this machine, and the listeners they get."""

from dataclasses import replace

import msgspec
from tests.unit.controlplane.gateway.test_plan import CLASS, gateway, plan, route, rule, world
from tests.unit.controlplane.gateway.test_plan import service as plain

from inferplane.controlplane.gateway.plan import Planner, Snapshot, World
from inferplane.controlplane.gateway.values import Forward, Listener, Route, Target
from inferplane.controlplane.machinery.cache import Key
from inferplane.kernel.json import JsonObject
from inferplane.resources.core import Service
from inferplane.resources.gateway import HTTPRoute

HTTP: JsonObject = {"name": "http", "port": 80}
GRPC: JsonObject = {"name": "grpc", "port": 9000, "appProtocol": "kubernetes.io/h2c"}
ON_HTTP = {"inferplane.dev/grpc-bridge": "true"}


def service(*ports: JsonObject, annotations: dict[str, str] | None = None, **spec: str) -> Service:
    notes: JsonObject = {"inferplane.dev/local-address": "127.9.0.5", **(annotations or {})}
    body: JsonObject = {
        "metadata": {"name": "iris", "namespace": "ml", "annotations": notes},
        "spec": {"ports": list(ports) or [HTTP], **spec},
    }
    return msgspec.convert(body, Service)


def planned(one: Service, planner: Planner | None = None) -> Snapshot:
    world = World([CLASS], (gateway(),), (), lambda _, name: one if name == "iris" else None, {}, (one,))
    return plan(planner or Planner(), world)


def routes(listener: Listener) -> tuple[Route, ...]:
    assert listener.only is not None
    return listener.only.routes


def leads(snapshot: Snapshot) -> dict[int, tuple[str, ...]]:
    """Port of each of the Service's listeners → clusters of its routes."""
    return {
        one.port: tuple(
            target.cluster
            for route in routes(one)
            if isinstance(route.action, Forward)
            for target in route.action.targets
        )
        for one in snapshot.listeners.values()
        if one.addresses == ("127.9.0.5",)
    }


def test_each_port_of_the_service_is_a_listener_that_needs_no_privilege() -> None:
    found = planned(service(HTTP, GRPC))
    assert leads(found) == {10080: ("ml/iris:80",), 9000: ("ml/iris:9000/h2c",)}
    assert set(found.clusters) == {"ml/iris:80", "ml/iris:9000/h2c"}
    [route] = routes(found.listeners["service-127.9.0.5:10080"])
    assert route.action == Forward((Target("ml/iris:80"),))


def test_behind_a_headless_service_the_containers_port_leads_there_too() -> None:
    port = HTTP | {"targetPort": 8888}
    assert leads(planned(service(port, clusterIP="None"))) == {10080: ("ml/iris:80",), 8888: ("ml/iris:80",)}


def test_grpc_calls_come_to_the_http_port_where_the_service_takes_them_there() -> None:
    found = planned(service(HTTP, annotations=ON_HTTP))
    assert leads(found) == {10080: ("ml/iris:80/h2c", "ml/iris:80")}


def test_requests_to_a_service_without_pods_are_split_by_the_route_that_it_names() -> None:
    split = route(rule("s", "t"), name="split", hosts=("iris.ml.localhost",))
    notes: JsonObject = {"inferplane.dev/local-address": "127.9.0.5", "inferplane.dev/local-route": "split"}
    meta: JsonObject = {"name": "iris", "namespace": "default", "annotations": notes}
    placeholder = msgspec.convert({"metadata": meta, "spec": {"ports": [HTTP], "clusterIP": "None"}}, Service)

    def found(*routes: HTTPRoute) -> dict[int, tuple[str, ...]]:
        given = world(*routes, services=(plain("s"), plain("t"), placeholder))
        return leads(plan(Planner(), replace(given, local=(placeholder,))))

    assert found(split) == {10080: ("default/s:80", "default/t:80")}
    assert found() == {}


def test_an_external_name_and_a_service_that_nobody_asked_for_have_no_listener() -> None:
    assert leads(planned(service(type="ExternalName"))) == {}
    assert leads(planned(service(annotations={"inferplane.dev/local-address": ""}))) == {}


def test_planning_again_makes_nothing_anew_and_knows_what_it_depends_on() -> None:
    planner, one = Planner(), service()
    before, after = planned(one, planner), planned(one, planner)
    name = "service-127.9.0.5:10080"
    assert after.listeners[name] is before.listeners[name]
    assert planner.depends_on(Key("ml", "iris"))
