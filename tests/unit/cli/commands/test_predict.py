import pytest
from tests.unit.cli.desk import Desk

from inferplane.cli.commands import predict
from inferplane.cli.prediction import Answer, Target
from inferplane.client.kubernetes.kinds import INFERENCE_SERVICE
from inferplane.kernel.json import JsonObject

SERVED: JsonObject = {"metadata": {"name": "iris"}, "status": {"url": "http://iris.default.localhost"}}
Captured = pytest.CaptureFixture[str]


class Gateway:
    """Answers with one status and body; keeps what was sent."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = Answer(status, body, 0.0009)
        self.sent: list[tuple[str, bytes]] = []

    async def __call__(self, _: object, to: Target, body: bytes) -> Answer:
        self.sent.append((to.url, body))
        return self._answer


def gateway(monkeypatch: pytest.MonkeyPatch, status: int, body: bytes) -> Gateway:
    made = Gateway(status, body)
    monkeypatch.setattr(predict, "send", made)
    return made


def test_the_answer_is_all_of_standard_output(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, SERVED)
    sent = gateway(monkeypatch, 200, b'{"predictions": [1]}').sent
    assert desk.type("predict", "iris", "-d", '{"instances": [[1]]}') == 0
    url = "http://iris.default.localhost:8080/v1/models/iris:predict"
    assert sent == [(url, b'{"instances": [[1]]}')]
    assert capsys.readouterr().out == '{"predictions": [1]}\n'
    assert desk.said == f"0.9 ms  POST {url}\n"


def test_the_protocol_may_be_forced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.server.add(INFERENCE_SERVICE, SERVED)
    sent = gateway(monkeypatch, 200, b"{}").sent
    assert desk.type("predict", "iris", "-d", "{}", "--protocol", "v2") == 0
    assert sent[0][0].endswith("/v2/models/iris/infer")


def test_a_refusal_is_one_line_and_exit_code_1(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, SERVED)
    gateway(monkeypatch, 400, b'{"error": "Expected \\"instances\\" to be a list"}')
    assert desk.type("predict", "iris", "-d", "{}") == 1
    assert capsys.readouterr().err == (
        "http://iris.default.localhost:8080/v1/models/iris:predict: HTTP 400: "
        'Expected "instances" to be a list: if the service is at fault: inferplane why iris\n'
    )


def test_a_service_without_a_url_points_to_why(desk: Desk, capsys: Captured) -> None:
    desk.server.add(INFERENCE_SERVICE, {"metadata": {"name": "iris"}})
    assert desk.type("predict", "iris", "-d", "{}") == 1
    assert capsys.readouterr().err == "inferenceservice/iris has no URL yet: see why: inferplane why iris\n"
