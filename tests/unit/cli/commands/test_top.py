"""`inferplane top` over a made-up API server."""

import json

import pytest
from tests.unit.cli.desk import Desk

from inferplane.client.kubernetes.kinds import DEPLOYMENT, POD_METRICS
from inferplane.kernel.json import Json, JsonObject

LABELS: JsonObject = {"serving.kserve.io/inferenceservice": "iris", "component": "predictor"}


def furnished(desk: Desk) -> None:
    meta: JsonObject = {"name": "iris-predictor", "labels": LABELS}
    desk.server.add(DEPLOYMENT, {"metadata": meta, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}})
    used: Json = [{"name": "main", "usage": {"cpu": "250m", "memory": "64Mi"}}]
    desk.server.add(POD_METRICS, {"metadata": {"name": "a", "labels": LABELS}, "containers": used})
    desk.server.add(POD_METRICS, {"metadata": {"name": "b", "labels": LABELS}, "containers": used})
    desk.server.add(DEPLOYMENT, {"metadata": {"name": "other"}, "spec": {"replicas": 2}})


def test_off_a_terminal_it_is_one_table(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    furnished(desk)
    assert desk.type("top", "--interval", "0.2") == 0
    [head, row] = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["NAME", "COMPONENT", "REPLICAS"]
    assert row.split() == ["iris", "predictor", "1/2", "-", "-", "-", "-", "-", "500m", "128Mi"]
    assert "next: inferplane bench iris" in desk.said


def test_for_programs_it_is_json(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    furnished(desk)
    assert desk.type("top", "isvc/iris", "--interval", "0.2", "-o", "json") == 0
    [component] = json.loads(capsys.readouterr().out)["components"]
    assert (component["name"], component["cpu"], component["requestsPerSecond"]) == ("iris", 0.5, None)


def test_a_service_without_replicas_is_said(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.type("top", "digits", "--interval", "0.2") == 0
    assert capsys.readouterr().out == ""
    assert "No replicas of inferenceservice/digits found in namespace default." in desk.said
