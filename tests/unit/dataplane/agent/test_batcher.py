"""KServe's batcher before a foreign server: which requests it takes, and what the server sees of them."""

import asyncio
import json

import pytest

from inferplane.dataplane.agent.batcher import Batcher, Headers, form_of
from inferplane.dataplane.agent.settings import BatcherSettings
from inferplane.dataplane.server.answers import JSON, Answer
from inferplane.dataplane.server.batching.bodies import V1, V2, Form

SETTINGS = BatcherSettings(max_batch_size=32, max_latency=0.0)
PREDICT, INFER = "/v1/models/m:predict", "/v2/models/m/infer"


@pytest.mark.parametrize(
    ("method", "target", "form"),
    [
        ("POST", PREDICT, V1),
        ("POST", "/v1/models/m:predict?a=1", V1),
        ("POST", INFER, V2),
        ("POST", "/v2/models/m/versions/1/infer", V2),
        ("GET", PREDICT, None),
        ("POST", "/v1/models/m:explain", None),
        ("POST", "/v2/models/m/infer_stream", None),
        ("POST", "/infer", None),
    ],
)
def test_it_takes_predictions_of_both_protocols(method: str, target: str, form: Form | None) -> None:
    assert form_of(method, target) is form


class Server:
    """Sums of rows, for both protocols. `seen`: target, rows, headers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int, Headers]] = []

    async def __call__(self, target: str, body: bytes, headers: Headers) -> Answer:
        request = json.loads(body)
        if target.endswith(":predict"):
            rows = request["instances"]
            self.seen.append((target, len(rows), headers))
            return Answer(200, json.dumps({"predictions": [sum(row) for row in rows]}).encode(), JSON)
        (tensor,) = request["inputs"]
        rows, width = tensor["shape"]
        self.seen.append((target, rows, headers))
        data = [sum(tensor["data"][at : at + width]) for at in range(0, rows * width, width)]
        output = {"name": "y", "shape": [rows], "datatype": "FP64", "data": data}
        return Answer(200, json.dumps({"model_name": "m", "id": request.get("id"), "outputs": [output]}).encode(), JSON)


def v2(id: str, *rows: list[float]) -> bytes:
    data = [number for row in rows for number in row]
    tensor = {"name": "x", "shape": [len(rows), 2], "datatype": "FP64", "data": data}
    return json.dumps({"id": id, "inputs": [tensor]}).encode()


def v1(*rows: list[float]) -> bytes:
    return json.dumps({"instances": rows}).encode()


async def asked(batcher: Batcher, *requests: tuple[str, bytes, Headers]) -> list[dict[str, object]]:
    forms = [(form_of("POST", target), target, body, headers) for target, body, headers in requests]
    found = await asyncio.gather(
        *(batcher.answer(form, target, body, headers) for form, target, body, headers in forms if form is not None)
    )
    return [json.loads(one.body) for one in found if isinstance(one.body, bytes)]


async def test_v1_requests_go_as_one_and_are_answered_in_kserves_form() -> None:
    server = Server()
    found = await asked(Batcher(SETTINGS, server), (PREDICT, v1([1, 2]), {}), (PREDICT, v1([3, 4], [5, 6]), {}))
    assert [one["predictions"] for one in found] == [[3], [7, 11]]
    assert {str(one["message"]) for one in found} == {""}
    assert found[0]["batchId"] == found[1]["batchId"]
    assert [seen[:2] for seen in server.seen] == [(PREDICT, 3)]


async def test_v2_requests_go_as_one_and_are_answered_as_v2() -> None:
    server = Server()
    found = await asked(Batcher(SETTINGS, server), (INFER, v2("a", [1, 2]), {}), (INFER, v2("b", [3, 4], [5, 6]), {}))
    assert [one["id"] for one in found] == ["a", "b"]
    outputs = [one["outputs"] for one in found]
    assert outputs == [
        [{"name": "y", "shape": [1], "datatype": "FP64", "data": [3.0]}],
        [{"name": "y", "shape": [2], "datatype": "FP64", "data": [7.0, 11.0]}],
    ]
    assert [seen[:2] for seen in server.seen] == [(INFER, 3)]


async def test_models_never_meet() -> None:
    server = Server()
    other = PREDICT.replace("/m:", "/other:")
    await asked(Batcher(SETTINGS, server), (PREDICT, v1([1, 2]), {}), (other, v1([1, 2]), {}))
    assert sorted(seen[:2] for seen in server.seen) == [(PREDICT, 1), (other, 1)]


async def test_who_asks_is_told_and_others_do_not_join() -> None:
    server = Server()
    mine, yours = {"authorization": "mine"}, {"authorization": "yours"}
    requests = [
        (PREDICT, v1([1, 2]), mine | {"x-request-id": "1", "accept": "*/*"}),
        (PREDICT, v1([1, 2]), yours),
        (PREDICT, v1([1, 2]), mine | {"x-request-id": "2", "accept": "*/*"}),
    ]
    await asked(Batcher(SETTINGS, server), *requests)
    assert [seen[1:] for seen in server.seen] == [(2, mine | {"accept": "*/*"}), (1, yours)]


@pytest.mark.parametrize(
    "headers",
    [{"content-type": "text/csv"}, {"content-encoding": "gzip"}, {"inference-header-content-length": "10"}],
)
async def test_what_is_not_plain_json_goes_on_as_it_came(headers: Headers) -> None:
    server = Server()
    await asked(Batcher(SETTINGS, server), (PREDICT, v1([1, 2]), headers), (PREDICT, v1([1, 2]), headers))
    assert [seen[1:] for seen in server.seen] == [(1, headers), (1, headers)]


async def test_a_large_body_goes_alone_in_kserves_form() -> None:
    server = Server()
    (found,) = await asked(Batcher(SETTINGS, server), (PREDICT, v1([1.0] * 20_000), {}))
    assert found["predictions"] == [20_000.0]
    assert found["message"] == ""


async def test_a_refusal_keeps_its_status_and_words() -> None:
    async def refuses(target: str, body: bytes, headers: Headers) -> Answer:
        return Answer(404, b"no such model", b"text/plain")

    found = await Batcher(SETTINGS, refuses).answer(V1, PREDICT, v1([1, 2]), {})
    assert (found.status, found.body, found.content_type) == (404, b"no such model", b"text/plain")


async def test_nothing_is_kept_of_targets_that_clients_make_up() -> None:
    batcher = Batcher(SETTINGS, Server())
    for number in range(20):
        await asked(batcher, (f"/v1/models/{number}:predict", v1([1, 2]), {}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batcher.waiting == 0
