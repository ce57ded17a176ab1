"""The repository, descriptions, statistics, and the description of it all."""

import time

import orjson
import pytest
from tests.contract.model_server.serving import get, post, request, serving
from tests.contract.rest.models import Echo, Shaped

from inferplane import Model


class Failing(Model):
    def load(self) -> bool:
        raise Exception(f"no model {self.name}")


class Refusing(Model):
    def load(self) -> bool:
        return False


async def test_models_are_loaded_and_unloaded_in_exactly_these_words() -> None:
    async with serving(Model("m")) as server:
        answers = [
            await server.exchange(post(f"/v2/repository/models/m/{verb}", body))
            for verb, body in (("load", b""), ("load", b"{}"), ("unload", b'{"parameters":{}}'), ("unload", b""))
        ]
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b'{"name":"m","load":true}'),
        (200, b'{"name":"m","load":true}'),
        (200, b'{"name":"m","unload":true}'),
        (404, b'{"error":"Model with name m does not exist."}'),
    ]


async def test_a_model_that_does_not_load_is_503_with_its_reason() -> None:
    async with serving(Failing("failing"), Refusing("refusing")) as server:
        answers = [
            await server.exchange(post(f"/v2/repository/models/{name}/load", b"")) for name in ("failing", "refusing")
        ]
        unknown = await server.exchange(post("/v2/repository/models/x/load", b""))
    assert [(answer.status, orjson.loads(answer.body)["error"]) for answer in answers] == [
        (
            503,
            "Model with name failing is not ready. Error type: <class 'Exception'> error msg: no model failing",
        ),
        (503, "Model with name refusing is not ready."),
    ]
    assert unknown.status == 404


async def test_the_index_lists_states_and_can_leave_out_what_is_not_ready() -> None:
    async with serving(Echo("a"), Model("b")) as server:
        everything = await server.exchange(post("/v2/repository/index", b""))
        ready = await server.exchange(post("/v2/repository/index", b'{"ready":true}'))
        wrong = await server.exchange(post("/v2/repository/index", b'{"ready":1}'))
    a = {"name": "a", "version": "1", "state": "READY", "reason": ""}
    b = {"name": "b", "version": "1", "state": "UNAVAILABLE", "reason": ""}
    assert orjson.loads(everything.body) == [a, b]
    assert orjson.loads(ready.body) == [a]
    assert wrong.status == 400


@pytest.mark.parametrize(("body", "status"), [(b"{", 422), (b"[]", 422)])
async def test_repository_bodies_are_json_objects(body: bytes, status: int) -> None:
    async with serving(Echo()) as server:
        paths = ("index", "models/m/load", "models/m/unload")
        answers = [await server.exchange(post(f"/v2/repository/{path}", body)) for path in paths]
    assert [answer.status for answer in answers] == [status] * 3


async def test_a_model_is_described_for_v2_and_for_triton() -> None:
    async with serving(Shaped("BYTES", [-1, 2])) as server:
        metadata = await server.exchange(get("/v2/models/shaped"))
        config = await server.exchange(get("/v2/models/shaped/config"))
    described = [{"name": "x", "datatype": "BYTES", "shape": [-1, 2]}]
    typed = [{"name": "x", "data_type": "TYPE_STRING", "dims": [-1, 2]}]
    assert orjson.loads(metadata.body) == {
        "name": "shaped",
        "versions": None,
        "platform": "",
        "inputs": described,
        "outputs": described,
    }
    assert orjson.loads(config.body) == {
        "name": "shaped",
        "platform": "",
        "backend": "inferplane",
        "max_batch_size": 0,
        "input": typed,
        "output": typed,
    }


async def test_statistics_count_what_was_answered_and_what_failed() -> None:
    async with serving(Echo("a"), Echo("b")) as server:
        for body in (b'{"instances":[1]}', b'{"instances":[2]}', b"{"):
            await server.exchange(post("/v1/models/a:predict", body))
        one = orjson.loads((await server.exchange(get("/v2/models/a/stats"))).body)["model_stats"]
        both = orjson.loads((await server.exchange(get("/v2/models/stats"))).body)["model_stats"]
    counts = one[0]["inference_stats"]
    assert (one[0]["name"], counts["success"]["count"], counts["fail"]["count"]) == ("a", 2, 1)
    assert counts["compute_infer"]["count"] == 2
    assert counts["compute_infer"]["ns"] > 0
    assert [model["name"] for model in both] == ["a", "b"]
    assert both[1]["last_inference"] == 0


async def test_statistics_tell_runs_by_their_size_and_when_the_last_one_was() -> None:
    began = int(time.time() * 1000)
    async with serving(Echo("a")) as server:
        for _ in range(2):
            await server.exchange(post("/v1/models/a:predict", b'{"instances":[1]}'))
        (found,) = orjson.loads((await server.exchange(get("/v2/models/a/stats"))).body)["model_stats"]
    (batch,) = found["batch_stats"]
    assert (batch["batch_size"], batch["compute_infer"]["count"], batch["compute_output"]["count"]) == (1, 2, 2)
    assert batch["compute_infer"]["ns"] > 0
    assert began <= found["last_inference"] <= int(time.time() * 1000)


async def test_the_description_has_every_route_and_the_page_is_there_when_asked_for() -> None:
    async with serving(Echo(), docs=True) as server:
        description = orjson.loads((await server.exchange(get("/openapi.json"))).body)
        page = await server.exchange(get("/docs"))
    async with serving(Echo()) as server:
        hidden = await server.exchange(get("/docs"))
    assert "/v2/models/{model}/versions/{version}/infer" in description["paths"]
    assert (page.status, page.headers["content-type"], hidden.status) == (200, "text/html; charset=utf-8", 404)
    assert all(path in page.body.decode() for path in description["paths"])


async def test_every_described_endpoint_answers_its_method_and_refuses_others() -> None:
    async with serving(Echo(), Echo("unloaded")) as server:
        description = orjson.loads((await server.exchange(get("/openapi.json"))).body)
        for path, operations in description["paths"].items():
            target = path.replace("{model}", "m").replace("{version}", "1").replace("m/unload", "unloaded/unload")
            for method in operations:
                answer = await server.exchange(request(method.upper(), target, "Content-Length: 0"))
                assert answer.status not in (404, 405), path
            refused = await server.exchange(request("DELETE", target, "Content-Length: 0"))
            assert refused.status == 405
            assert [name for name in operations if name.upper() not in refused.headers["allow"]] == []
