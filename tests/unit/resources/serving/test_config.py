import msgspec
import pytest

from inferplane.resources.serving.config import Config, ConfigError, parse
from inferplane.resources.serving.defaults import SHIPPED, inferenceservice_config


def test_what_is_absent_has_our_defaults() -> None:
    found = parse({})
    assert found == Config()
    assert (found.deploy.mode, found.ingress.gateway) == ("Standard", ("kserve", "kserve-ingress-gateway"))


def test_the_config_map_of_a_new_platform_spells_the_defaults_out() -> None:
    data = inferenceservice_config()["data"]
    assert isinstance(data, dict)
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    assert parse(texts) == SHIPPED
    assert SHIPPED.deploy.mode == "Knative"
    assert msgspec.structs.replace(SHIPPED, deploy=Config().deploy) == Config()
    assert '"pathTemplate": "/serving/{{ .Namespace }}/{{ .Name }}"' in texts["ingress"]


def test_old_names_of_modes_are_understood() -> None:
    assert parse({"deploy": '{"defaultDeploymentMode": "RawDeployment"}'}).deploy.mode == "Standard"


def test_a_broken_key_is_named_and_keys_of_others_are_ignored() -> None:
    with pytest.raises(ConfigError, match=r"key ingress: .*ingressDomain"):
        parse({"ingress": '{"ingressDomain": 1}', "_example": "not JSON"})
    assert parse({"_example": "not JSON"}) == Config()


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("deploy", '{"defaultDeploymentMode": "Serverles"}', "expected one of Standard, Knative, ModelMesh"),
        ("ingress", '{"ingressDomain": ""}', "ingressDomain is needed when pathTemplate is set"),
        ("ingress", '{"pathTemplate": "http://host/{{ .Name }}"}', "pathTemplate: expected a path that begins with /"),
        ("ingress", '{"pathTemplate": "//host/{{ .Name }}"}', "pathTemplate: expected a path that begins with /"),
        ("storageInitializer", '{"cpuLimit": "much"}', "cpuLimit: expected a quantity such as 100Mi, got 'much'"),
        ("storageInitializer", '{"ociModelMode": "docker"}', "expected one of modelcar, native, fetch, got 'docker'"),
        ("agent", '{"memoryLimit": ""}', "memoryLimit: expected a quantity such as 100Mi, got ''"),
        ("router", "not JSON", "correct the JSON under that key"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_key(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"key {key}: .*{message}"):
        parse({key: text})


def test_fields_are_found_whatever_their_case() -> None:
    found = parse({"ingress": '{"IngressDomain": "example.com"}', "credentials": '{"s3": {"s3region": "eu"}}'})
    assert (found.ingress.ingress_domain, found.credentials.s3.s3_region) == ("example.com", "eu")


def test_the_keys_are_kserves() -> None:
    assert [field.encode_name for field in msgspec.structs.fields(Config)] == [
        "explainers", "storageInitializer", "credentials", "ingress", "logger", "batcher", "agent", "router", "deploy",
        "service", "metricsAggregator", "localModel", "security", "inferenceService", "multiNode",
        "opentelemetryCollector", "autoscaler",
    ]  # fmt: skip


def test_a_gateway_without_namespace_is_refused() -> None:
    found = parse({"ingress": '{"kserveIngressGateway": "gateway"}'})
    with pytest.raises(ConfigError, match="expected NAMESPACE/NAME, got 'gateway'"):
        _ = found.ingress.gateway
