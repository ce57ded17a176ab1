"""What becomes of a `config.properties` that was written for a container of its own."""

import json
from collections.abc import Mapping

import pytest

from inferplane.dataplane.foreign.torchserve_config import BadConfig, Plan, Served, plan, properties

KSERVES = """
inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://0.0.0.0:8082
grpc_inference_port=7070
enable_envvars_config=true
model_store=/mnt/models/model-store
"""
SNAPSHOT = {"models": {"flowers": {"1.0": {"marName": "flowers.mar", "minWorkers": 1}}}}
WITH_SNAPSHOT = f"{KSERVES}model_snapshot={json.dumps(SNAPSHOT)}\n"


def planned(
    text: str, *archives: str, environ: Mapping[str, str] | None = None, java: int = 17, host: str = "127.1.2.3"
) -> Plan:
    store = "/pod/model-store"
    return plan(text, environ or {}, host=host, taken=(8080, 8081), store=store, archives=archives, java=java)


def test_the_addresses_become_the_pods_and_the_ports_stay() -> None:
    found = planned(WITH_SNAPSHOT, "flowers.mar")
    told = properties(found.text)
    assert (found.inference, found.management) == ("127.1.2.3:8085", "127.1.2.3:8085")
    assert told["inference_address"] == told["management_address"] == "http://127.1.2.3:8085"
    assert told["metrics_address"] == "http://127.1.2.3:8082"
    assert (told["grpc_inference_address"], told["grpc_inference_port"]) == ("127.1.2.3", "7070")


def test_the_files_own_lines_stay_before_ours() -> None:
    assert planned(WITH_SNAPSHOT, "flowers.mar").text.startswith(WITH_SNAPSHOT.rstrip())


def test_ports_of_our_own_server_are_left_to_it() -> None:
    """TorchServe's defaults are 8080 and 8081."""
    found = planned("load_models=all\n", "a.mar")
    assert (found.inference, found.management) == ("127.1.2.3:8090", "127.1.2.3:8091")


def test_a_port_is_not_moved_to_one_that_is_in_use() -> None:
    text = "inference_address=http://0.0.0.0:8080\nmetrics_address=http://0.0.0.0:8090\nload_models=all\n"
    found = planned(text, "a.mar")
    assert (found.inference, properties(found.text)["metrics_address"]) == ("127.1.2.3:8100", "http://127.1.2.3:8090")


def test_the_store_is_where_the_volume_is() -> None:
    assert properties(planned(WITH_SNAPSHOT, "flowers.mar").text)["model_store"] == "/pod/model-store"


def test_no_token_is_asked_for() -> None:
    assert properties(planned(WITH_SNAPSHOT, "flowers.mar").text)["disable_token_authorization"] == "true"


@pytest.mark.parametrize(("envelope", "is_v2"), [("kserve", False), ("kservev2", True), ("", False)])
def test_the_envelope_says_the_protocol(envelope: str, is_v2: bool) -> None:
    found = planned(WITH_SNAPSHOT, "flowers.mar", environ={"TS_SERVICE_ENVELOPE": envelope} if envelope else {})
    assert found.is_v2 is is_v2
    assert properties(found.text).get("service_envelope", "") == envelope


@pytest.mark.parametrize(("java", "allowed"), [(17, False), (25, True)])
def test_java_has_a_small_heap_and_what_it_warns_of_is_allowed(java: int, allowed: bool) -> None:
    arguments = properties(planned(WITH_SNAPSHOT, "flowers.mar", java=java).text)["vmargs"]
    assert arguments.startswith("-Xmx512m")
    assert ("--enable-native-access=ALL-UNNAMED" in arguments) is allowed


def test_the_files_own_arguments_of_java_stay() -> None:
    assert properties(planned(f"vmargs=-Xmx4g\n{WITH_SNAPSHOT}", "flowers.mar").text)["vmargs"] == "-Xmx4g"


def test_models_are_those_of_the_snapshot() -> None:
    assert planned(WITH_SNAPSHOT, "flowers.mar", "other.mar").models == [Served("flowers", "flowers.mar")]


def test_without_a_snapshot_the_whole_store_is_served() -> None:
    found = planned(KSERVES, "b.mar", "a.mar", "readme.txt")
    assert found.models == [Served("a", "a.mar"), Served("b", "b.mar")]
    assert properties(found.text)["load_models"] == "all"


def test_listed_models_may_have_names_of_their_own() -> None:
    found = planned("load_models=flowers=f.mar, b.mar\n", "f.mar", "b.mar")
    assert found.models == [Served("flowers", "f.mar"), Served("b", "b.mar")]


@pytest.mark.parametrize(
    ("text", "archives", "words"),
    [
        (WITH_SNAPSHOT, ["other.mar"], "model flowers: flowers.mar is not in the model store, which has other.mar"),
        (KSERVES, [], "expected NAME.mar, found nothing"),
        (KSERVES, ["model.pt"], "expected NAME.mar, found model.pt"),
        ("model_snapshot={\n", [], "model_snapshot: JSONDecodeError"),
        ('model_snapshot={"models": {"a": {"1.0": {}}}}\n', [], "model_snapshot: KeyError: 'marName'"),
        (
            "inference_address=localhost:8085\n",
            ["a.mar"],
            "inference_address=localhost:8085: expected http://HOST:PORT",
        ),
        ("grpc_inference_port=x\n", ["a.mar"], "grpc_inference_port: expected a port number, got 'x'"),
    ],
)
def test_what_cannot_be_followed_is_named(text: str, archives: list[str], words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        planned(text, *archives)
    assert words in str(caught.value)
