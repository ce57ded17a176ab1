"""get, delete, logs, why, status, kubeconfig, and what all commands have in common."""

import json

import pytest
from tests.fakes.api import Write
from tests.unit.cli.desk import Desk

from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE, POD
from inferplane.kernel.json import Json, JsonObject

Captured = pytest.CaptureFixture[str]


def isvc(name: str, ready: str = "True") -> JsonObject:
    conditions: list[Json] = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def model_pod(name: str) -> JsonObject:
    labels: JsonObject = {"serving.kserve.io/inferenceservice": "iris"}
    containers: list[Json] = [{"name": "agent"}, {"name": "kserve-container"}]
    return {"metadata": {"name": name, "labels": labels}, "spec": {"containers": containers}}


def test_get_prints_the_server_s_table_and_leaves_wide_columns_out(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("get", "isvc") == 0
    assert capsys.readouterr().out == "NAME   READY\niris   True\n"
    assert desk.said == "next: inferplane predict iris -d @FILE\n"


def test_get_of_all_namespaces_begins_with_the_namespace(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris", "False"), "team")
    assert desk.type("get", "isvc", "-A", "-o", "wide") == 0
    assert capsys.readouterr().out == "NAMESPACE   NAME   READY   URL\nteam        iris   False   http://x\n"
    assert desk.said == "next: inferplane why iris -n team\n"


def test_get_as_json_is_json_alone(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris") | {"metadata": {"name": "iris", "managedFields": []}})
    assert desk.type("get", "isvc/iris", "-o", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["metadata"]["name"] == "iris"
    assert "managedFields" not in shown["metadata"]
    assert desk.said == ""


def test_get_as_names_names_group_and_kind(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("get", "isvc", "-o", "name") == 0
    assert capsys.readouterr().out == "inferenceservice.serving.kserve.io/iris\n"


def test_get_of_nothing_says_so(desk: Desk, capsys: Captured) -> None:
    assert desk.type("get", "isvc") == 0
    assert capsys.readouterr().out == ""
    assert desk.said.startswith("No inferenceservices found in namespace default.\n")


def test_get_of_an_unknown_kind_suggests_one(desk: Desk, capsys: Captured) -> None:
    assert desk.type("get", "isvcs") == 1
    assert capsys.readouterr().err == 'there is no kind "isvcs": did you mean isvc?\n'


def test_delete_waits_until_the_object_is_gone(desk: Desk) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))

    def collector(write: Write) -> None:
        if write.verb == "watch":
            desk.server.remove(INFERENCE_SERVICE, "iris")

    desk.server.intercept = collector
    assert desk.type("delete", "isvc", "iris") == 0
    assert desk.said.split()[:3] == ["●", "inferenceservice/iris", "deleted"]


def test_delete_of_what_does_not_go_says_where_to_look(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("delete", "isvc", "iris", "--timeout", "0.05") == 1
    assert "is not gone after 0.05 s: see its finalizers" in capsys.readouterr().err


def test_delete_of_what_is_not_there_is_an_error_unless_told_otherwise(desk: Desk, capsys: Captured) -> None:
    assert desk.type("delete", "isvc", "iris") == 1
    assert "not found" in capsys.readouterr().err
    assert desk.type("delete", "isvc", "iris", "--ignore-not-found") == 0


@pytest.mark.parametrize("args", [["delete"], ["delete", "isvc"], ["delete", "isvc", "a", "-f", "b.yaml"]])
def test_delete_wants_either_names_or_a_file(desk: Desk, args: list[str]) -> None:
    assert desk.type(*args) == 2


def test_logs_of_one_pod_are_printed_as_they_are(desk: Desk, capsys: Captured) -> None:
    desk.server.add(POD, model_pod("iris-1"))
    desk.server.write_log("iris-1", b"one\ntwo\n")
    assert desk.type("logs", "iris") == 0
    assert capsys.readouterr().out == "one\ntwo\n"


def test_logs_of_several_pods_name_the_pod_in_each_line(desk: Desk, capsys: Captured) -> None:
    for name in ("iris-1", "iris-2"):
        desk.server.add(POD, model_pod(name))
        desk.server.write_log(name, b"up\n")
    assert desk.type("logs", "iris", "--tail", "1") == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["iris-1: up", "iris-2: up"]


def test_logs_of_a_service_without_pods_point_to_why(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("logs", "iris") == 1
    assert capsys.readouterr().err == "inferenceservice/iris has no pods: see why: inferplane why iris\n"


def test_why_ends_with_1_for_a_service_that_is_not_fine(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris", "False"))
    assert desk.type("why", "isvc/iris") == 1
    assert capsys.readouterr().out.startswith("inferenceservice/iris is not ready")


def test_why_ends_with_0_for_a_service_that_is_fine(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("why", "iris") == 0
    assert capsys.readouterr().out == "inferenceservice/iris is ready: 0 replicas.\n"


def test_why_of_a_name_that_is_not_there_lists_those_that_are(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, isvc("iris"))
    assert desk.type("why", "irs") == 1
    assert "did you mean iris in namespace default?" in capsys.readouterr().out


def test_status_as_json_has_the_promised_keys(desk: Desk, capsys: Captured) -> None:
    assert desk.type("status", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out).keys() == {"gateway", "api", "kubeconfig", "home", "processes"}


@pytest.mark.parametrize(
    "args",
    [["status"], ["get", "isvc"], ["why", "iris"], ["logs", "iris"], ["kubeconfig"], ["predict", "iris", "-d", "{}"]],
)
def test_without_a_platform_every_command_says_how_to_start_one(desk: Desk, args: list[str], capsys: Captured) -> None:
    desk.platform = None
    assert desk.type(*args) == 1
    assert capsys.readouterr().err == "the platform is not running: start it with  inferplane up\n"


def test_kubeconfig_prints_its_path_alone(desk: Desk, capsys: Captured) -> None:
    desk.home.root.mkdir(parents=True)
    desk.home.kubeconfig.write_text("…")
    assert desk.type("kubeconfig") == 0
    assert capsys.readouterr().out == f"{desk.home.kubeconfig}\n"


def test_a_command_that_is_nearly_right_is_suggested(desk: Desk, capsys: Captured) -> None:
    assert desk.type("aply") == 2
    assert 'there is no command "aply"; did you mean apply?' in capsys.readouterr().err


def test_a_mistake_of_ours_is_one_line_too(desk: Desk, capsys: Captured) -> None:
    def broken(_: Write) -> None:
        raise RuntimeError("boom\nbang")

    desk.server.intercept = broken
    assert desk.type("why", "iris") == 1
    assert capsys.readouterr().err == "unexpected RuntimeError: boom bang (a bug: inferplane --debug shows where)\n"


def test_ctrl_c_ends_quietly_with_130(desk: Desk, capsys: Captured) -> None:
    def interrupted(_: Write) -> None:
        raise KeyboardInterrupt

    desk.server.intercept = interrupted
    assert desk.type("why", "iris") == 130
    assert capsys.readouterr().err.strip() == ""
