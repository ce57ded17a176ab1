"""Which routes turn gRPC calls into HTTP/1.1 requests."""

import msgspec
import pytest

from inferplane.controlplane.gateway.rules import BRIDGE, Compiled, compile_route
from inferplane.controlplane.gateway.translate import virtual_host
from inferplane.controlplane.gateway.values import Forward, VirtualHost
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.core import Service
from inferplane.resources.gateway import HTTPRoute
from inferplane.resources.serving.defaults import cluster_serving_runtimes

HTTP: JsonObject = {"name": "http", "port": 80}
GRPC: JsonObject = {"name": "grpc", "port": 8081, "appProtocol": "kubernetes.io/h2c"}
STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"
CALLS: JsonObject = {
    "path": {"type": "RegularExpression", "value": r"^/inference\.GRPCInferenceService/.*$"},
    "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
}
ANY: JsonObject = {"path": {"type": "PathPrefix", "value": "/"}}


def service(name: str, *ports: JsonObject, bridge: str = "true") -> Service:
    metadata: JsonObject = {"name": name, "namespace": "default", "annotations": {BRIDGE: bridge}}
    return msgspec.convert({"metadata": metadata, "spec": {"ports": list(ports)}}, Service)


def compiled(match: JsonObject, backends: dict[str, int], *services: Service) -> Compiled:
    refs: list[Json] = [{"name": name, "port": port} for name, port in backends.items()]
    rules: list[Json] = [{"matches": [match], "backendRefs": refs}]
    body: JsonObject = {"metadata": {"name": "r", "namespace": "default"}, "spec": {"rules": rules}}
    known = {one.metadata.name: one for one in services}
    return compile_route(msgspec.convert(body, HTTPRoute), lambda namespace, name: known.get(name))


def ways(found: Compiled) -> list[tuple[str, list[str], bool]]:
    """(path, clusters, bridged) of each route, in the order in which they are tried."""
    told: list[tuple[str, list[str], bool]] = []
    for one in sorted(found.routes, key=lambda one: one.rank):
        assert isinstance(one.route.action, Forward)
        clusters = [target.cluster for target in one.route.action.targets]
        told.append((one.route.match.path, clusters, one.route.action.bridge))
    return told


def test_the_http_port_of_a_service_that_says_so_is_bridged_to() -> None:
    assert ways(compiled(ANY, {"s": 80}, service("s", HTTP))) == [("/", ["default/s:80"], True)]


@pytest.mark.parametrize("bridge", ["false", ""])
def test_no_other_service_is(bridge: str) -> None:
    assert ways(compiled(ANY, {"s": 80}, service("s", HTTP, bridge=bridge))) == [("/", ["default/s:80"], False)]


def test_unary_calls_leave_the_grpc_port_for_the_bridge_and_streams_stay() -> None:
    assert ways(compiled(CALLS, {"s": 8081}, service("s", HTTP, GRPC))) == [
        (STREAM, ["default/s:8081/h2c"], False),
        (r"^/inference\.GRPCInferenceService/.*$", ["default/s:80"], True),
    ]


def test_what_is_no_grpc_call_stays_on_the_grpc_port_that_its_rule_names() -> None:
    found = ways(compiled(ANY, {"s": 8081}, service("s", HTTP, GRPC)))
    assert found[0] == (STREAM, ["default/s:8081/h2c"], False)
    assert found[-2:] == [("/", ["default/s:80"], True), ("/", ["default/s:8081/h2c"], False)]


def test_a_grpc_port_alone_stays_what_it_is() -> None:
    assert ways(compiled(ANY, {"s": 8081}, service("s", GRPC))) == [("/", ["default/s:8081/h2c"], False)]


def test_requests_that_are_shared_out_are_bridged_when_all_who_share_them_can() -> None:
    one, two, other = service("one", HTTP, GRPC), service("two", HTTP, GRPC), service("other", HTTP, GRPC, bridge="")
    assert ways(compiled(CALLS, {"one": 8081, "two": 8081}, one, two))[1][1:] == (
        ["default/one:80", "default/two:80"],
        True,
    )
    assert [bridged for _, _, bridged in ways(compiled(CALLS, {"one": 8081, "other": 8081}, one, other))] == [False]


def test_the_cluster_that_is_bridged_to_exists() -> None:
    found = compiled(CALLS, {"s": 8081}, service("s", HTTP, GRPC))
    assert {one.name for one in found.clusters} == {"default/s:80", "default/s:8081/h2c"}


def test_only_bridged_routes_turn_the_filters_on() -> None:
    found = compiled(CALLS, {"s": 8081}, service("s", HTTP, GRPC))
    routes = tuple(one.route for one in sorted(found.routes, key=lambda one: one.rank))
    made = virtual_host(VirtualHost("v", "*", routes)).routes
    assert [sorted(one.typed_per_filter_config) for one in made] == [
        [],
        ["envoy.filters.http.grpc_http1_reverse_bridge", "envoy.filters.http.header_mutation"],
    ]


def test_the_runtimes_behind_which_our_server_runs_say_so() -> None:
    saying = [
        text_at(runtime, "metadata", "name")
        for runtime in cluster_serving_runtimes()
        if object_at(runtime, "spec", "annotations").get(BRIDGE) == "true"
    ]
    assert saying == ["kserve-sklearnserver", "kserve-xgbserver", "kserve-lgbserver", "inferplane-onnxserver"]
