import pytest

from inferplane.controlplane.serving.knative import hosts
from inferplane.resources.meta import ObjectMeta
from inferplane.resources.serving.config import Ingress
from inferplane.resources.serving.inferenceservice import InferenceService


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


def test_internal_is_what_the_label_or_the_host_says() -> None:
    assert hosts.is_internal(isvc(**{"networking.knative.dev/visibility": "cluster-local"}), "foo.ml.example.com")
    assert hosts.is_internal(isvc(), "foo.ml.svc.cluster.local")
    assert not hosts.is_internal(isvc(), "foo.ml.example.com")
