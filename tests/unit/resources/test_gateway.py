import msgspec
import pytest

from inferplane.kernel.json import Json, JsonObject, object_at, text_at
from inferplane.resources.gateway import Gateway, HTTPRoute, crds, default_objects

KSERVE_ROUTE = b"""{
  "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
  "metadata": {"name": "iris", "namespace": "default", "generation": 3},
  "spec": {
    "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "kserve", "name": "gw"}],
    "hostnames": ["iris-default.localhost"],
    "rules": [{
      "matches": [{"path": {"type": "RegularExpression", "value": "^/.*$"}}],
      "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "A", "value": "b"}]}}],
      "backendRefs": [{"group": "", "kind": "Service", "name": "iris-predictor", "namespace": "default", "port": 80}],
      "timeouts": {"request": "60s"}}]}}"""


def schema(kind: str) -> JsonObject:
    crd = next(one for one in crds() if object_at(one, "spec", "names")["kind"] == kind)
    versions = object_at(crd, "spec")["versions"]
    assert isinstance(versions, list)
    assert isinstance(versions[0], dict)
    return object_at(versions[0], "schema", "openAPIV3Schema")


def nodes(value: Json) -> list[JsonObject]:
    if isinstance(value, list):
        return [found for one in value for found in nodes(one)]
    if isinstance(value, dict):
        return [value, *(found for one in value.values() for found in nodes(one))]
    return []


def test_a_route_as_kserve_writes_it_is_read_with_the_defaults_of_the_specification() -> None:
    route = msgspec.json.decode(KSERVE_ROUTE, type=HTTPRoute)
    rule = route.spec.rules[0]
    assert rule.matches[0].path.value == "^/.*$"
    assert (rule.backend_refs[0].port, rule.backend_refs[0].weight) == (80, 1)
    assert rule.timeouts.request == "60s"


def test_a_filter_of_a_newer_release_can_be_read() -> None:
    body = b'{"spec": {"rules": [{"filters": [{"type": "CORS", "cors": {}}]}]}}'
    assert msgspec.json.decode(body, type=HTTPRoute).spec.rules[0].filters[0].type == "CORS"


@pytest.mark.parametrize("kind", ["GatewayClass", "Gateway", "HTTPRoute"])
def test_schemas_are_structural(kind: str) -> None:
    for node in nodes(schema(kind)):
        assert not {"$ref", "anyOf"} & node.keys()
        if "properties" in node and isinstance(node["properties"], dict):
            assert all(isinstance(one, dict) and "type" in one for one in node["properties"].values())


def test_the_schema_refuses_words_that_we_would_not_serve() -> None:
    filters = object_at(schema("HTTPRoute"), "properties", "spec", "properties", "rules", "items", "properties")
    enum = object_at(filters, "filters", "items", "properties", "type")["enum"]
    assert enum == [
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
    ]


def test_the_gateway_of_one_machine_takes_routes_of_every_namespace() -> None:
    gateway = msgspec.convert(default_objects(8080)[1], Gateway)
    assert (gateway.metadata.namespace, gateway.metadata.name) == ("kserve", "kserve-ingress-gateway")
    assert [(one.port, one.allowed_routes.namespaces.from_) for one in gateway.spec.listeners] == [(8080, "All")]


def test_there_is_a_crd_for_each_kind() -> None:
    columns = {text_at(crd, "metadata", "name"): crd for crd in crds()}
    assert set(columns) == {f"{one}.gateway.networking.k8s.io" for one in ("gatewayclasses", "gateways", "httproutes")}
