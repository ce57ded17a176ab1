"""Hosts, paths, weights and ports of routes, beyond what the conformance scenarios show."""

from collections.abc import Sequence

import pytest
from tests.unit.controlplane.serving.made import isvc

from inferplane.controlplane.serving import routes
from inferplane.controlplane.serving.routes import InvalidHost, Way, Ways
from inferplane.kernel.json import JsonObject, list_at, object_at, text_at
from inferplane.resources.serving.config import Config, Ingress
from inferplane.resources.serving.templates import TemplateError

IRIS = isvc({})
REST: JsonObject = {"name": "http1", "port": 80}
GRPC: JsonObject = {"name": "grpc", "port": 9000, "appProtocol": "kubernetes.io/h2c"}


def made(ways: Ways, **ingress: object) -> dict[str, JsonObject]:
    config = Config(ingress=Ingress(**{"path_template": "", **ingress}))  # type: ignore[arg-type]  # fields by name
    return {text_at(one, "metadata", "name"): one for one in routes.of(IRIS, ways, config)}


def rules(route: JsonObject) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """Path, and (Service, port, weight) of each backend, a match."""
    found = []
    for rule in list_at(route, "spec", "rules"):
        assert isinstance(rule, dict)
        backends = [one for one in list_at(rule, "backendRefs") if isinstance(one, dict)]
        shares = [(str(one["name"]), int(str(one["port"])), int(str(one["weight"]))) for one in backends]
        matches = [one for one in list_at(rule, "matches") if isinstance(one, dict)]
        found += [(text_at(match, "path", "value"), shares) for match in matches]
    return found


def way(*shares: tuple[str, int], ports: Sequence[JsonObject] = (REST,)) -> Way:
    return Way(shares or (("p", 1),), ports)


def test_weights_are_on_every_rule_of_the_predictors_route_and_of_the_services() -> None:
    found = made(Ways(way(("p", 70), ("p-v2", 30), ports=(REST, GRPC))))
    grpc = (r"^/inference\.GRPCInferenceService/.*$", [("p", 9000, 70), ("p-v2", 9000, 30)])
    rest = ("^/.*$", [("p", 80, 70), ("p-v2", 80, 30)])
    assert [rules(found[name]) for name in ("iris", "iris-predictor")] == [[grpc, rest], [grpc, rest]]


def test_with_both_each_has_its_route_and_the_transformer_is_the_entry() -> None:
    found = made(Ways(way(("p", 1)), way(("t", 1)), way(("e", 1))))
    assert {name: [shares[0][0] for _, shares in rules(route)] for name, route in found.items()} == {
        "iris-predictor": ["p"],
        "iris-transformer": ["t"],
        "iris-explainer": ["e"],
        "iris": ["e", "e", "t"],
    }


def test_additional_domains_that_repeat_or_make_no_host_are_left_out() -> None:
    found = made(Ways(way()), additional_ingress_domains=["localhost", "b.example", "not_a_host", "b.example"])
    assert object_at(found["iris"], "spec")["hostnames"] == ["iris-ml.localhost", "iris-ml.b.example"]


@pytest.mark.parametrize(
    ("template", "prefix"),
    [("/serving/{{ .Namespace }}/{{ .Name }}", "/serving/ml/iris"), ("/{{.Name}}/", "/iris"), ("", ""), ("/", "")],
)
def test_paths_follow_their_template(template: str, prefix: str) -> None:
    assert routes.path(IRIS, Ingress(path_template=template)) == prefix


@pytest.mark.parametrize(
    "template", ["https://host/{{ .Name }}", "//host/{{ .Name }}", "{{ .Name }}", "/a?b={{ .Name }}", "/a b"]
)
def test_what_is_not_a_path_is_refused(template: str) -> None:
    with pytest.raises(InvalidHost, match=r"ingress\.pathTemplate makes"):
        routes.path(IRIS, Ingress(path_template=template))


@pytest.mark.parametrize("template", ["/{{ .Nowhere }}", "/{{ .Name"])
def test_a_template_that_cannot_be_filled_in_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        routes.path(IRIS, Ingress(path_template=template))


def test_without_timeouts_no_rule_has_one() -> None:
    found = made(Ways(way(), explainer=way(("e", 1))), disable_http_route_timeout=True)
    assert not [rule for route in found.values() for rule in list_at(route, "spec", "rules") if "timeouts" in str(rule)]
