"""Knative's ConfigMaps: what they say, and what is not taken."""

import pytest

from inferplane.kernel.json import text_at
from inferplane.resources.knative.config import (
    NAMES,
    NAMESPACE,
    BadConfig,
    Config,
    Domains,
    Garbage,
    Gateways,
    config_maps,
    read,
)


def said(name: str, **data: str) -> Config:
    """`_` in a key stands for `-`."""
    return read(name, {key.replace("_", "-"): value for key, value in data.items()}, Config())


@pytest.mark.parametrize("name", [one for one in NAMES if one not in ("config-domain", "config-features")])
def test_an_empty_map_says_what_knative_says_and_examples_and_unknown_keys_say_nothing(name: str) -> None:
    assert read(name, {"_example": "anything: [", "unheard-of": "x"}, Config()) == Config()


def test_values_are_read() -> None:
    assert said("config-defaults", revision_timeout_seconds="60").defaults.revision_response_start_timeout_seconds == 60
    assert said("config-deployment", progress_deadline="2m").deployment.progress_deadline == 120
    assert said("config-network", rollout_duration="380").network.rollout_duration == 380
    assert said("config-gc", max_non_active_revisions="disabled", retain_since_create_time="1h").garbage == Garbage(
        max_non_active_revisions=None, retain_since_create_time=3600
    )
    features = read(
        "config-features", {"kubernetes.podspec-affinity": "Enabled", "multi-container": "disabled"}, Config()
    )
    assert features.features.has("kubernetes.podspec-affinity")
    assert not features.features.has("multi-container")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("config-defaults", {"revision-timeout-seconds": "soon"}, "expected an integer"),
        ("config-defaults", {"revision-timeout-seconds": "700"}, "more than max-revision-timeout-seconds"),
        ("config-defaults", {"container-concurrency": "2000"}, "more than container-concurrency-max-limit"),
        ("config-defaults", {"container-concurrency": "-1"}, "expected 0 or more"),
        ("config-deployment", {"progress-deadline": "0s"}, "whole seconds"),
        ("config-deployment", {"progress-deadline": "1500ms"}, "whole seconds"),
        ("config-network", {"default-external-scheme": "ftp"}, "http or https"),
        ("config-gc", {"min-non-active-revisions": "5", "max-non-active-revisions": "4"}, "more than max"),
        ("config-features", {"multi-container": "maybe"}, "Enabled, Allowed or Disabled"),
        ("config-domain", {"a.com": "selector: ["}, "expected YAML"),
        ("config-domain", {"a.com": "selector: x"}, "selector with labels"),
        ("config-gateway", {"external-gateways": "- gateway: nowhere"}, "NAMESPACE/NAME"),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(name: str, data: dict[str, str], words: str) -> None:
    with pytest.raises(BadConfig, match=words) as caught:
        read(name, data, Config())
    assert f"ConfigMap {NAMESPACE}/{name}" in str(caught.value)


def test_the_domain_with_most_fitting_labels_wins() -> None:
    domains = Domains({"z.com": {}, "a.com": {}, "app.com": {"app": "x"}, "both.com": {"app": "x", "tier": "y"}})
    assert domains.of({}) == "a.com"
    assert domains.of({"app": "x"}) == "app.com"
    assert domains.of({"app": "x", "tier": "y"}) == "both.com"
    assert Domains({"app.com": {"app": "x"}}).of({}) == "svc.cluster.local"


def test_local_routes_use_the_external_gateway_where_none_is_named() -> None:
    found = said("config-gateway", external_gateways="- class: c\n  gateway: ns/outside\n").gateways
    assert found == Gateways(("ns", "outside"), ("ns", "outside"))


def test_one_machine_starts_with_maps_that_can_be_read() -> None:
    config = Config()
    for one in config_maps():
        data = one["data"]
        assert isinstance(data, dict)
        config = read(text_at(one, "metadata", "name"), {key: str(value) for key, value in data.items()}, config)
    assert config.domains.of({}) == "localhost"
    assert config.features.has("kubernetes.podspec-init-containers")
