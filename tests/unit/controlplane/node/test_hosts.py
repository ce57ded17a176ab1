"""Host names in arguments and variables, and what they become."""

import pytest

from inferplane.controlplane.node.hosts import Hosts, Listening, Mention, mentions, neighbours
from inferplane.resources.core import Container, ContainerPort, Pod, PodSpec

WEB = Listening("127.9.0.5", frozenset({80}))
GRPC = Listening("127.9.0.6", frozenset({9000}))
HOSTS = Hosts("ml", {("ml", "iris"): WEB, ("other", "triton"): GRPC}, "127.9.0.2", frozenset({8080}))


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("iris.ml", "127.9.0.5:10080"),
        ("iris.ml:80", "127.9.0.5:10080"),
        ("iris.ml/v1", "127.9.0.5:10080/v1"),
        ("iris.ml:8080", "127.9.0.5:8080"),
        ("iris.ml.svc", "127.9.0.5:10080"),
        ("http://iris.ml.svc.cluster.local/v1/models", "http://127.9.0.5:10080/v1/models"),
        ("http://iris.ml.svc.cluster.local:80/v1", "http://127.9.0.5:10080/v1"),
        ("--predictor_host=iris.ml", "--predictor_host=127.9.0.5:10080"),
        ("a=iris.ml,b=triton.other:9000", "a=127.9.0.5:10080,b=127.9.0.6:9000"),
        ("http://iris/v1", "http://127.9.0.5:10080/v1"),
        ("http://iris:80", "http://127.9.0.5:10080"),
        ("grpc to triton.other", "grpc to 127.9.0.6"),
        ("localhost:8080", "127.9.0.2:8080"),
        ("http://127.0.0.1:8080/v2", "http://127.9.0.2:8080/v2"),
    ],
)
def test_names_of_services_and_of_the_pod_lead_to_addresses(text: str, placed: str) -> None:
    assert HOSTS.place(text) == placed


@pytest.mark.parametrize(
    "text",
    [
        "iris",
        "--model_name=iris",
        "/mnt/iris.ml",
        "s3://bucket/iris.ml",
        "my-iris.ml",
        "iris.ml-old",
        "iris.ml.example.com",
        "iris.other",
        "user@iris.ml",
        "localhost:80801",
        "localhost:9999",
        "myhost.localhost:8080",
        "http://iris2/v1",
    ],
)
def test_what_only_looks_alike_stays(text: str) -> None:
    assert HOSTS.place(text) == text


def test_mentions_are_what_may_be_a_service() -> None:
    found = mentions(["--host=a.b", "http://c:80/", "http://d.e.svc.cluster.local.", "model.v1.0", "plain"], "ml")
    assert found == {Mention("b", "a"), Mention("ml", "c"), Mention("e", "d", certain=True)}


def test_neighbours_are_the_ports_of_the_other_containers() -> None:
    model = Container(name="kserve-container")
    transformer = Container(name="transformer-container", ports=[ContainerPort(container_port=8060)])
    pod = Pod(spec=PodSpec(containers=[model, transformer]))
    assert neighbours(pod, transformer) == {8080}
    assert neighbours(pod, model) == {8060}
    assert neighbours(Pod(spec=PodSpec(containers=[model])), model) == frozenset()
