"""Which routes bring gRPC calls to a Service's HTTP port."""

import msgspec
import pytest

from inferplane.controlplane.gateway.rules import GRPC_ON_HTTP, Compiled, compile_route
from inferplane.controlplane.gateway.values import Forward
from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.core import Service
from inferplane.resources.gateway import HTTPRoute
from inferplane.resources.serving.defaults import cluster_serving_runtimes

HTTP: JsonObject = {"name": "http", "port": 80}
GRPC: JsonObject = {"name": "grpc", "port": 8081, "appProtocol": "kubernetes.io/h2c"}
CALLS: JsonObject = {
    "path": {"type": "RegularExpression", "value": r"^/inference\.GRPCInferenceService/.*$"},
    "headers": [{"type": "RegularExpression", "name": "content-type", "value": "^application/grpc.*"}],
}
ANY: JsonObject = {"path": {"type": "PathPrefix", "value": "/"}}


def service(name: str, *ports: JsonObject, bridge: str = "true") -> Service:
    metadata: JsonObject = {"name": name, "namespace": "default", "annotations": {GRPC_ON_HTTP: bridge}}
    return msgspec.convert({"metadata": metadata, "spec": {"ports": list(ports)}}, Service)


def compiled(match: JsonObject, backends: dict[str, int], *services: Service) -> Compiled:
    refs: list[Json] = [{"name": name, "port": port} for name, port in backends.items()]
    rules: list[Json] = [{"matches": [match], "backendRefs": refs}]
    body: JsonObject = {"metadata": {"name": "r", "namespace": "default"}, "spec": {"rules": rules}}
    known = {one.metadata.name: one for one in services}
    return compile_route(msgspec.convert(body, HTTPRoute), lambda namespace, name: known.get(name))


def ways(found: Compiled) -> list[tuple[str, bool, list[str]]]:
    """(path, gRPC alone, clusters) of each route, in the order in which they are tried."""
    told: list[tuple[str, bool, list[str]]] = []
    for one in sorted(found.routes, key=lambda one: one.rank):
        assert isinstance(one.route.action, Forward)
        named = any(header.name == "content-type" for header in one.route.match.headers)
        told.append((one.route.match.path, named, [target.cluster for target in one.route.action.targets]))
    return told


def test_a_service_that_says_so_is_sent_grpc_on_its_http_port() -> None:
    assert ways(compiled(ANY, {"s": 80}, service("s", HTTP))) == [
        ("/", True, ["default/s:80/h2c"]),
        ("/", False, ["default/s:80"]),
    ]


@pytest.mark.parametrize("bridge", ["false", ""])
def test_no_other_service_is(bridge: str) -> None:
    assert ways(compiled(ANY, {"s": 80}, service("s", HTTP, bridge=bridge))) == [("/", False, ["default/s:80"])]


def test_a_rule_for_grpc_alone_stays_one_route() -> None:
    found = ways(compiled(CALLS, {"s": 80}, service("s", HTTP)))
    assert found == [(r"^/inference\.GRPCInferenceService/.*$", True, ["default/s:80/h2c"])]


def test_a_grpc_port_that_is_declared_stays_what_it_is() -> None:
    found = ways(compiled(CALLS, {"s": 8081}, service("s", HTTP, GRPC)))
    assert found == [(r"^/inference\.GRPCInferenceService/.*$", True, ["default/s:8081/h2c"])]


def test_requests_that_are_shared_out_go_this_way_when_all_who_share_them_take_them() -> None:
    one, two, other = service("one", HTTP), service("two", HTTP), service("other", HTTP, bridge="")
    both = ways(compiled(ANY, {"one": 80, "two": 80}, one, two))
    assert both[0] == ("/", True, ["default/one:80/h2c", "default/two:80/h2c"])
    assert ways(compiled(ANY, {"one": 80, "other": 80}, one, other)) == [
        ("/", False, ["default/one:80", "default/other:80"])
    ]


def test_the_cluster_for_grpc_exists_and_is_spoken_to_in_http2() -> None:
    found = compiled(ANY, {"s": 80}, service("s", HTTP))
    assert {(one.name, one.http2) for one in found.clusters} == {
        ("default/s:80", False),
        ("default/s:80/h2c", True),
    }


def test_the_runtimes_behind_which_our_server_runs_say_so() -> None:
    saying = [
        text_at(runtime, "metadata", "name")
        for runtime in cluster_serving_runtimes()
        if object_at(runtime, "spec", "annotations").get(GRPC_ON_HTTP) == "true"
    ]
    servers = ["sklearnserver", "xgbserver", "lgbserver", "pmmlserver", "paddleserver", "predictiveserver"]
    assert {f"kserve-{name}" for name in servers} < {*saying}
    assert {"inferplane-onnxserver", "inferplane-mlflowserver"} < {*saying}
    assert "kserve-mlserver" not in saying
