"""Who logs and batches for a component: our own server, or KServe's agent beside it."""

import json

import msgspec
import pytest
from tests.unit.controlplane.serving.made import MAIN, isvc, runtime

from inferplane.controlplane.serving import agents
from inferplane.controlplane.serving.agents import Post, Servers, attached, flags_of, noted
from inferplane.controlplane.serving.knative.agents import fitted
from inferplane.kernel.json import Json, JsonObject, list_at, object_at, text_at
from inferplane.resources.process_image import ProcessImage, process_images
from inferplane.resources.serving.config import Config, Logger
from inferplane.resources.serving.inferenceservice import PredictorSpec
from inferplane.resources.serving.runtime import ServingRuntime

ON_THE_MACHINE = [msgspec.convert(one, ProcessImage) for one in process_images()]
BATCHER: JsonObject = {"maxBatchSize": 16, "maxLatency": 200, "timeout": 3}
LOGGER: JsonObject = {"url": "http://sink", "mode": "request"}
LOGGER_FLAGS = [
    *("--log-url", "http://sink", "--source-uri", "$(POD_NAME)", "--log-mode", "request"),
    *("--inference-service", "iris", "--namespace", "ml", "--endpoint", "default", "--component", "predictor"),
    "--logger-tls-skip-verify=false",
]


def post(
    kind: str = "predictor", endpoint: str = "default", *, annotations: JsonObject | None = None, **spec: Json
) -> Post:
    typed = msgspec.convert(spec, PredictorSpec)
    return Post(isvc({}), kind, typed, annotations or {}, endpoint)


def containers(pod: JsonObject) -> list[JsonObject]:
    return [one for one in list_at(pod, "containers") if isinstance(one, dict)]


def with_agent(
    pod: JsonObject, asked: Post | None = None, servers: Servers | None = None, config: Config | None = None
) -> JsonObject:
    return attached(pod, asked or post(batcher=BATCHER), servers or Servers(runtime()), config or Config())


def ours() -> ServingRuntime:
    return runtime(annotations={agents.ANNOTATION: agents.IN_SERVER})


# --- who does it ------------------------------------------------------------------------------------------------------


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    assert with_agent({"containers": [MAIN]}, post()) == {"containers": [MAIN]}


def test_our_own_server_gets_the_flags_after_its_own() -> None:
    (main,) = containers(with_agent({"containers": [MAIN | {"args": ["--a"]}]}, servers=Servers(ours())))
    flags = ["--enable-batcher", "--max-batchsize", "16", "--max-latency", "200", "--batcher-timeout", "3000"]
    assert main["args"] == ["--a", *flags]


def test_a_foreign_server_gets_an_agent_before_it() -> None:
    main, agent = containers(with_agent({"containers": [MAIN | {"securityContext": {"runAsUser": 7}}]}))
    assert main == MAIN | {"securityContext": {"runAsUser": 7}}
    (variable,) = list_at(agent, "env")
    assert isinstance(variable, dict)
    probe = json.loads(text_at(variable, "value"))
    assert probe["tcpSocket"] == {"port": 8080}
    assert agent == {
        "name": "agent",
        "image": "kserve/agent:latest",
        "args": ["--enable-batcher", "--max-batchsize", "16", "--max-latency", "200", "--component-port", "8080"],
        "ports": [{"name": "agent-port", "containerPort": 9081, "protocol": "TCP"}],
        "env": agent["env"],
        "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "readinessProbe": {
            "httpGet": {"path": "/", "port": 9081, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]}
        },
        "securityContext": {"runAsUser": 7},
    }


@pytest.mark.parametrize(
    ("image", "command", "expected"),
    [
        ("kserve/sklearnserver:latest", [], ["kserve-container"]),
        ("kserve/sklearnserver:latest", ["python", "mine.py"], ["kserve-container", "agent"]),
        ("somebody/server:1", [], ["kserve-container", "agent"]),
    ],
)
def test_a_container_of_the_users_own_is_ours_by_its_image(
    image: str, command: list[Json], expected: list[str]
) -> None:
    own: JsonObject = {"name": "kserve-container", "image": image, "command": command}
    pod = with_agent({"containers": [own]}, servers=Servers(images=ON_THE_MACHINE))
    assert [one["name"] for one in containers(pod)] == expected


def test_on_a_cluster_an_image_is_what_its_registry_says() -> None:
    own: JsonObject = {"name": "kserve-container", "image": "kserve/sklearnserver:latest"}
    assert agents.in_front(with_agent({"containers": [own]}, servers=Servers()))


def test_an_author_can_say_that_a_server_does_it_itself() -> None:
    said: JsonObject = {agents.ANNOTATION: agents.IN_SERVER}
    (main,) = containers(with_agent({"containers": [MAIN]}, post(annotations=said, batcher={}), Servers()))
    assert main["args"] == ["--enable-batcher"]


def test_before_a_transformer_container_goes_an_agent_for_our_server_too() -> None:
    transformer: JsonObject = {"name": "transformer-container", "image": "mine", "ports": [{"containerPort": 8060}]}
    main, _, agent = containers(with_agent({"containers": [MAIN, transformer]}, servers=Servers(ours())))
    assert "args" not in main
    assert list_at(agent, "args")[-2:] == ["--component-port", "8060"]


def test_an_agent_of_the_users_own_stays_alone() -> None:
    own: JsonObject = {"name": "agent", "image": "mine"}
    assert containers(with_agent({"containers": [MAIN, own]})) == [MAIN, own]


# --- flags ------------------------------------------------------------------------------------------------------------


def test_flags_are_kserves_in_its_order() -> None:
    found = flags_of(post(batcher={"maxBatchSize": 2}, logger=LOGGER), Config(), ours=True)
    assert found == ["--enable-batcher", "--max-batchsize", "2", *LOGGER_FLAGS]


def test_a_timeout_is_for_our_agent_alone() -> None:
    assert "--batcher-timeout" not in flags_of(post(batcher=BATCHER), Config(), ours=False)


@pytest.mark.parametrize("latency", [None, 0])
def test_a_batch_that_is_not_to_wait_is_told_nothing(latency: int | None) -> None:
    assert flags_of(post(batcher={"maxLatency": latency}), Config(), ours=True) == ["--enable-batcher"]


def test_the_batcher_of_an_explainer_is_ignored() -> None:
    assert flags_of(post("explainer", batcher=BATCHER), Config(), ours=True) == []


def test_a_logger_without_a_url_sends_to_the_configured_one() -> None:
    found = flags_of(post(logger={"mode": "all"}), Config(logger=Logger(default_url="http://broker")), ours=True)
    assert found[:2] == ["--log-url", "http://broker"]


def test_a_canarys_requests_are_told_apart() -> None:
    found = flags_of(post(endpoint="canary", logger=LOGGER), Config(), ours=True)
    assert found[found.index("--endpoint") + 1] == "canary"


def test_storage_headers_and_annotations_of_a_logger() -> None:
    spec: JsonObject = LOGGER | {
        "url": "s3://bucket",
        "storage": {"path": "logs", "parameters": {"format": "csv"}, "key": "k"},
        "batchSize": 5,
        "batchInterval": "2s",
        "marshallerUrl": "http://m",
        "metadataHeaders": ["X-User", "X-Trace"],
        "metadataAnnotations": ["team", "absent"],
    }
    found = flags_of(post(annotations={"team": "a"}, logger=spec), Config(), ours=False)
    expected = {
        "--log-store-path": "logs",
        "--log-store-format": "csv",
        "--log-marshaller-url": "http://m",
        "--log-batch-size": "5",
        "--log-batch-interval": "2s",
        "--metadata-headers": "X-User,X-Trace",
        "--metadata-annotations": "team=a",
    }
    assert {name: found[found.index(name) + 1] for name in expected} == expected


def test_what_only_our_logger_can_do_is_asked_for_by_annotations() -> None:
    said: JsonObject = {"inferplane.dev/log-share": "0.1", "inferplane.dev/log-redact": "instances.name"}
    with_ours, without = (flags_of(post(annotations=said, logger=LOGGER), Config(), ours=one) for one in (True, False))
    assert with_ours == [*without, "--log-share", "0.1", "--log-redact", "instances.name"]


def test_authorities_of_the_sink_are_mounted_where_the_logger_is() -> None:
    config = Config(logger=Logger(ca_bundle="bundle", ca_cert_file="ca.crt"))
    pod = with_agent({"containers": [MAIN]}, post(logger=LOGGER), config=config)
    _, agent = containers(pod)
    assert agent["volumeMounts"] == [{"name": "agent-ca-bundle", "mountPath": "/etc/tls/logger", "readOnly": True}]
    assert pod["volumes"] == [{"name": "agent-ca-bundle", "configMap": {"name": "bundle", "optional": True}}]
    assert "ca.crt" in list_at(agent, "args")


def test_pods_say_what_kserves_webhook_would_read() -> None:
    prefix = "internal.serving.kserve.io/"
    assert noted(post(batcher=BATCHER, logger=LOGGER), Config()) == {
        f"{prefix}logger": "true",
        f"{prefix}logger-sink-url": "http://sink",
        f"{prefix}logger-mode": "request",
        f"{prefix}batcher": "true",
        f"{prefix}batcher-max-batchsize": "16",
        f"{prefix}batcher-max-latency": "200",
    }


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("probe", "inherited", "path"),
    [
        (
            {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 2},
            {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 2},
            "/ready",
        ),
        ({"tcpSocket": {"port": "http"}}, {"tcpSocket": {"port": 8085}}, "/"),
        ({"tcpSocket": {"port": 0}}, {"tcpSocket": {"port": 8085}}, "/"),
        ({"exec": {"command": ["true"]}}, None, "/"),
        ({"grpc": {"port": 9000}}, None, "/"),
    ],
)
def test_the_agent_asks_the_server_as_the_kubelet_would(
    probe: JsonObject, inherited: JsonObject | None, path: str
) -> None:
    main = MAIN | {"readinessProbe": probe, "ports": [{"name": "http", "containerPort": 8085}]}
    _, agent = containers(with_agent({"containers": [main]}))
    (variable,) = list_at(agent, "env")
    assert isinstance(variable, dict)
    assert variable["name"] == "SERVING_READINESS_PROBE"
    assert (json.loads(str(variable["value"])) if variable["value"] else None) == inherited
    assert object_at(agent, "readinessProbe", "httpGet")["path"] == path
    assert object_at(agent, "readinessProbe").get("periodSeconds") == probe.get("periodSeconds")


def test_the_pods_name_is_the_source_of_its_events() -> None:
    _, agent = containers(with_agent({"containers": [MAIN]}, post(logger=LOGGER)))
    name: JsonObject = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    assert list_at(agent, "env")[-1] == name


# --- Knative ----------------------------------------------------------------------------------------------------------


def test_a_revision_is_reached_by_way_of_the_agent_which_alone_has_a_port_and_a_probe() -> None:
    main = MAIN | {"ports": [{"name": "h2c", "containerPort": 9000}], "readinessProbe": {"tcpSocket": {"port": 9000}}}
    given, agent = containers(fitted(with_agent({"containers": [main]}, post(logger=LOGGER))))
    assert given == MAIN | {"env": [{"name": "PORT", "value": "9000"}]}
    assert agent["ports"] == [{"containerPort": 9081, "protocol": "TCP", "name": "h2c"}]
    assert "readinessProbe" in agent


def test_a_revision_names_itself_as_the_source_of_events() -> None:
    for servers in (Servers(), Servers(ours())):
        found = containers(fitted(with_agent({"containers": [MAIN]}, post(logger=LOGGER), servers)))[-1]
        args = list_at(found, "args")
        assert args[args.index("--source-uri") + 1] == "$(K_REVISION)"
        assert "POD_NAME" not in str(found.get("env"))


def test_a_pod_without_an_agent_is_a_revisions_as_it_is() -> None:
    pod: JsonObject = {"containers": [MAIN | {"ports": [{"containerPort": 1}]}]}
    assert fitted(pod) == pod
