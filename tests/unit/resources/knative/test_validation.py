"""What Knative's webhooks refuse of a template."""

import pytest

from inferplane.kernel.json import Json, JsonObject
from inferplane.resources.knative import RevisionTemplate, TemplateMeta
from inferplane.resources.knative.config import Config, read
from inferplane.resources.knative.validation import template_problems

APP: JsonObject = {"image": "app"}
PORT: JsonObject = {"ports": [{"containerPort": 8080}]}
EVERYTHING = read(
    "config-features", {"multi-container-probing": "Enabled", "kubernetes.podspec-init-containers": "Enabled"}, Config()
)


def problems(*containers: JsonObject, config: Config | None = None, name: str = "", **fields: Json) -> list[str]:
    spec: JsonObject = {"containers": [*(containers or (APP,))], **fields}
    template = RevisionTemplate(metadata=TemplateMeta(name=name), spec=spec)
    return template_problems(template, config or Config(), parent="hello")


def mounted(path: str = "/data") -> JsonObject:
    return APP | {"volumeMounts": [{"name": "v", "mountPath": path}]}


@pytest.mark.parametrize(
    "containers",
    [
        [APP],
        [APP | PORT],
        [APP | {"ports": [{"containerPort": 1, "name": "h2c", "protocol": "TCP"}]}],
        [APP | PORT, APP],
        [APP | {"readinessProbe": {"periodSeconds": 5, "timeoutSeconds": 1, "failureThreshold": 3}}],
        [APP | {"readinessProbe": {"httpGet": {"path": "/"}, "successThreshold": 1}}],
        [APP | {"livenessProbe": {"tcpSocket": {}}}],
    ],
)
def test_what_knative_takes_is_taken(containers: list[JsonObject]) -> None:
    assert problems(*containers) == []


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([{"name": "queue-proxy", "image": "a"}], "'queue-proxy' is reserved"),
        ([{"name": "a"}], "image: is needed"),
        ([APP | {"env": [{"name": "K_SERVICE", "value": "x"}]}], "'K_SERVICE' is reserved"),
        ([APP | {"env": [{"name": "PORT", "value": "x"}]}], "'PORT' is reserved"),
        ([APP | {"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}], "podspec-fieldref in config-features"),
        ([APP | {"ports": [{"containerPort": 1}, {"containerPort": 2}]}], "ports: expected one, got 2"),
        ([APP | {"ports": [{"containerPort": 8012}]}], "8012 is reserved"),
        ([APP | {"ports": [{"containerPort": 70000}]}], "expected 0 to 65535"),
        ([APP | {"ports": [{"containerPort": 1, "name": "grpc"}]}], "expected http1 or h2c, got 'grpc'"),
        ([APP | {"ports": [{"containerPort": 1, "protocol": "UDP"}]}], "expected TCP, got 'UDP'"),
        ([APP, APP], "exactly one with ports, got 0"),
        ([APP | PORT, APP | PORT], "exactly one with ports, got 2"),
        ([APP | PORT, APP | {"readinessProbe": {"tcpSocket": {}}}], "multi-container-probing is not enabled"),
        ([APP | {"readinessProbe": {"httpGet": {}, "exec": {}}}], "exactly one of httpGet"),
        ([APP | {"livenessProbe": {"periodSeconds": 1}}], "got none"),
        ([APP | {"readinessProbe": {"timeoutSeconds": 1}}], "timeoutSeconds: not allowed when periodSeconds is 0"),
        ([APP | {"readinessProbe": {"periodSeconds": 1, "timeoutSeconds": 0}}], "timeoutSeconds: expected 1 or more"),
        ([mounted()], "no volume 'v'"),
    ],
)
def test_what_knative_refuses_of_containers_is_named(containers: list[JsonObject], words: str) -> None:
    (said,) = problems(*containers)
    assert words in said


def test_a_template_needs_a_container() -> None:
    template = RevisionTemplate(spec={})
    assert template_problems(template, Config()) == ["spec.containers: at least one is needed"]


def test_volumes_are_mounted_and_of_a_kind_that_is_allowed() -> None:
    assert problems(mounted(), volumes=[{"name": "v", "emptyDir": {}}]) == []
    assert problems(mounted(), volumes=[{"name": "v", "secret": {"secretName": "s"}}]) == []
    assert "is not mounted" in problems(volumes=[{"name": "v", "emptyDir": {}}])[0]
    assert "volumes-hostpath in config-features" in problems(mounted(), volumes=[{"name": "v", "hostPath": {}}])[0]
    twice: list[Json] = [{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]
    assert "is there twice" in problems(mounted(), volumes=twice)[0]
    assert "'/dev/' is reserved" in problems(mounted("/dev/"), volumes=[{"name": "v", "emptyDir": {}}])[0]


def test_fields_of_a_pod_need_their_feature() -> None:
    init: list[Json] = [{"name": "fetch", "image": "i"}]
    assert "podspec-init-containers in config-features is not enabled" in problems(initContainers=init)[0]
    assert problems(config=EVERYTHING, initContainers=init) == []
    assert problems(nodeName="n") == ["spec.nodeName: must not be set"]


@pytest.mark.parametrize(
    ("name", "words"), [("hello-1", ""), ("other-1", "starts with 'hello-'"), ("hello-A", "lower-case letters")]
)
def test_a_name_of_ones_own_starts_with_the_parents(name: str, words: str) -> None:
    found = problems(name=name)
    assert (found == []) if not words else words in found[0]


def test_limits_are_those_of_the_configuration() -> None:
    wide = read("config-defaults", {"max-revision-timeout-seconds": "3600"}, Config())
    assert problems(timeoutSeconds=3600, config=wide) == []
    assert "expected 0 to 600" in problems(timeoutSeconds=3600)[0]
    strict = read("config-defaults", {"allow-container-concurrency-zero": "false"}, Config())
    assert "expected 1 to 1000, got 0" in problems(containerConcurrency=0, config=strict)[0]
    assert "got `str`" in problems(containerConcurrency="many")[0]
