import pytest

from inferplane.controlplane.serving.knative import hosts
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Ingress
from inferplane.resources.serving.inferenceservice import InferenceService
from inferplane.resources.serving.templates import TemplateError


def isvc(name: str = "foo", **labels: str) -> InferenceService:
    return InferenceService(metadata=ObjectMeta(name=name, namespace="ml", labels=labels))


@pytest.mark.parametrize(
    ("name", "kind", "url", "host"),
    [
        ("foo-predictor", "predictor", "http://foo-predictor.ml.example.com", "foo.ml.example.com"),
        ("foo-transformer", "transformer", "http://foo-transformer.ml.example.com:8080", "foo.ml.example.com"),
        ("foo-v2-predictor", "predictor", "http://foo-v2-predictor.ml.example.com", "foo-v2.ml.example.com"),
        # KServe cuts the first "-predictor" or "-default" that it meets, and mistakes these two.
        ("a-predictor-predictor", "predictor", "http://a-predictor-predictor.ml.org", "a-predictor.ml.org"),
        ("foo-predictor", "predictor", "http://foo-predictor-default.example.com", "foo-default.example.com"),
    ],
)
def test_the_services_host_is_its_entry_components_without_the_component(
    name: str, kind: str, url: str, host: str
) -> None:
    assert hosts.external(name, kind, url) == host


@pytest.mark.parametrize(
    ("further", "domains", "found"),
    [
        (["add.com"], [], ["foo.ml.add.com"]),
        (["add.com", "add.com", "example.com"], [], ["foo.ml.add.com"]),
        (["not_a_host"], [], []),
        (["add.com"], ["ml.example.com"], ["foo.add.com"]),
    ],
)
def test_further_domains_replace_the_one_that_the_host_is_under(
    further: list[str], domains: list[str], found: list[str]
) -> None:
    config = Ingress(ingress_domain="example.com", additional_ingress_domains=further)
    assert hosts.additional("foo.ml.example.com", config, domains) == found


def test_a_host_under_no_known_domain_has_no_others() -> None:
    assert hosts.additional("foo.ml.other.org", Ingress(ingress_domain="example.com")) == []


URL = "http://foo-predictor.ml.example.com"


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (Ingress(path_template=""), "http://foo.ml.example.com"),
        (Ingress(path_template="", url_scheme="https"), "https://foo.ml.example.com"),
        (Ingress(enable_gateway_api=False, path_template=""), "http://foo.ml.example.com"),
        (Ingress(enable_gateway_api=False, ingress_domain="d.org", url_scheme="https"), "https://d.org/serving/ml/foo"),
        (Ingress(enable_gateway_api=False, disable_istio_virtual_host=True), URL),
    ],
)
def test_the_url_follows_the_configuration(config: Ingress, url: str) -> None:
    assert hosts.url(isvc(), "foo.ml.example.com", URL, config) == url


@pytest.mark.parametrize(
    ("config", "address"),
    [
        (Ingress(), "http://foo-predictor.ml.svc.cluster.local"),
        (Ingress(enable_gateway_api=False, url_scheme="https"), "http://foo.ml.svc.cluster.local"),
        (
            Ingress(enable_gateway_api=False, disable_istio_virtual_host=True),
            "http://foo-predictor.ml.svc.cluster.local",
        ),
    ],
)
def test_the_address_is_plain_and_is_where_something_answers(config: Ingress, address: str) -> None:
    assert hosts.address(isvc(), "foo-predictor", config) == address


@pytest.mark.parametrize("template", ["/serving/{{ .Name", "/serving/{{ .Unknown }}"])
def test_a_path_template_that_cannot_be_filled_in_is_an_error(template: str) -> None:
    with pytest.raises(TemplateError):
        hosts.url(isvc(), "foo", URL, Ingress(enable_gateway_api=False, path_template=template))


def test_internal_is_what_the_label_or_the_host_says() -> None:
    assert hosts.is_internal(isvc(**{"networking.knative.dev/visibility": "cluster-local"}), "foo.ml.example.com")
    assert hosts.is_internal(isvc(), "foo.ml.svc.cluster.local")
    assert not hosts.is_internal(isvc(), "foo.ml.example.com")
