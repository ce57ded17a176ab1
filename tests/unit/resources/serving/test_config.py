import pytest

from inferplane.resources.serving.config import Config, ConfigError, parse
from inferplane.resources.serving.defaults import inferenceservice_config


def test_what_is_absent_has_our_defaults() -> None:
    found = parse({})
    assert found == Config()
    assert (found.deploy.mode, found.ingress.gateway) == ("Standard", ("kserve", "kserve-ingress-gateway"))


def test_the_config_map_of_a_new_platform_spells_the_defaults_out() -> None:
    data = inferenceservice_config()["data"]
    assert isinstance(data, dict)
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    assert parse(texts) == Config()
    assert '"pathTemplate": "/serving/{{ .Namespace }}/{{ .Name }}"' in texts["ingress"]


def test_old_names_of_modes_are_understood() -> None:
    assert parse({"deploy": '{"defaultDeploymentMode": "RawDeployment"}'}).deploy.mode == "Standard"


def test_a_broken_key_is_named_and_keys_of_others_are_ignored() -> None:
    with pytest.raises(ConfigError, match=r"key ingress: .*ingressDomain"):
        parse({"ingress": '{"ingressDomain": 1}', "router": "not JSON"})
    assert parse({"router": "not JSON"}) == Config()


def test_a_gateway_without_namespace_is_refused() -> None:
    found = parse({"ingress": '{"kserveIngressGateway": "gateway"}'})
    with pytest.raises(ConfigError, match="expected NAMESPACE/NAME, got 'gateway'"):
        _ = found.ingress.gateway
