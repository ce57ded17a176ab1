"""The routes of V1 and V2, byte for byte where KServe's clients may look at bytes."""

import orjson
import pytest
from tests.contract.model_server.models import Echo
from tests.contract.model_server.serving import get, post, request, serving

from inferplane import Model

EXTENSIONS = (
    b'"model_repository_extension","model_repository","model_configuration","statistics","binary_tensor_data",'
    b'"parameters","classification","generate"'
)


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, b'{"status":"alive"}'),
        ("/v1/models", 200, b'{"models":["TestModel","b"]}'),
        ("/v1/models/TestModel", 200, b'{"name":"TestModel","ready":true}'),
        ("/v1/models/InvalidModel", 404, b'{"error":"Model with name InvalidModel does not exist."}'),
        ("/v1/models/m:predict", 404, b'{"error":"Model with name m:predict does not exist."}'),
        (
            "/v2",
            200,
            b'{"name":"inferplane","version":"1.2.3","extensions":[%b]}' % EXTENSIONS,
        ),
        ("/v2/health/live", 200, b'{"live":true}'),
        ("/v2/health/ready", 200, b'{"ready":true}'),
        ("/v2/health/ready?verbose=1", 200, b'{"ready":true}'),
        ("/v2/models", 200, b'{"models":["TestModel","b"]}'),
        (
            "/v2/models/TestModel",
            200,
            b'{"name":"TestModel","versions":null,"platform":"","inputs":[],"outputs":[]}',
        ),
        ("/v2/models/x", 404, b'{"error":"Model with name x does not exist."}'),
        ("/v2/models/TestModel/ready", 200, b'{"name":"TestModel","ready":true}'),
        ("/v2/models/x/ready", 404, b'{"error":"Model with name x does not exist."}'),
        ("/unknown_path", 404, b'{"error":"Not Found: GET /unknown_path","detail":"Not Found"}'),
    ],
)
async def test_what_is_read_with_get(path: str, status: int, body: bytes) -> None:
    async with serving(Echo(), Echo("b")) as server:
        answer = await server.exchange(get(path))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (status, body, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/models/TestModel:predict", "POST"),
        ("POST", "/v1/models/TestModel", "GET, HEAD"),
        ("GET", "/v2/models/TestModel/infer", "POST"),
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
    ],
)
async def test_a_method_that_a_route_does_not_have_is_405(method: str, path: str, allow: str) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(request(method, path, "Content-Length: 0"))
    assert answer.status == 405
    assert sorted(answer.headers["allow"].split(", ")) == allow.split(", ")
    assert orjson.loads(answer.body)["detail"] == "Method Not Allowed"


async def test_a_trailing_slash_is_redirected() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(get("/v1/models/"))
    assert (answer.status, answer.headers["location"]) == (307, "http://models.test/v1/models")


async def test_v1_predict_answers_with_exactly_json() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post("/v1/models/TestModel:predict", b'{"instances":[[1,2]]}'))
    assert (answer.body, answer.headers["content-type"]) == (b'{"predictions":[[1,2]]}', "application/json")


async def test_v2_nested_data_comes_back_flat_with_parameters_and_id() -> None:
    body = (
        b'{"id":"123","parameters":{"s":"x","b":true,"i":1,"f":1.5},"inputs":[{"name":"input-0","shape":[1,2],'
        b'"datatype":"INT32","parameters":{"k":"v"},"data":[[1,2]]}]}'
    )
    async with serving(Echo()) as server:
        answer = await server.exchange(post("/v2/models/TestModel/infer", body))
    assert answer.body == (
        b'{"model_name":"TestModel","model_version":null,"id":"123","parameters":{"s":"x","b":true,"i":1,"f":1.5},'
        b'"outputs":[{"name":"input-0","shape":[1,2],"datatype":"INT32","parameters":{"k":"v"},"data":[1,2]}]}'
    )


async def test_an_id_is_made_up_when_there_is_none() -> None:
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["a"]}]}'
    async with serving(Echo()) as server:
        ids = [
            orjson.loads((await server.exchange(post("/v2/models/TestModel/infer", body))).body)["id"] for _ in range(2)
        ]
    assert len(set(ids)) == 2
    assert [len(made) for made in ids] == [36, 36]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/models/x:predict", b"{}", 404),
        ("/v1/models/TestModel:predict", b"", 400),
        ("/v1/models/TestModel:predict", b"{", 400),
        ("/v1/models/TestModel:predict", b'{"instances":1}', 400),
        ("/v2/models/x/infer", b"{}", 404),
        ("/v2/models/TestModel/infer", b"{", 422),
        ("/v2/models/TestModel/infer", b"{}", 422),
        ("/v2/models/TestModel/infer", b'{"inputs":[]}', 400),
        ("/v2/models/TestModel/infer", b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1]}]}', 400),
        ("/v2/models/TestModel/infer", b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP16","data":[1]}]}', 400),
    ],
)
async def test_every_failure_says_why_in_error(path: str, body: bytes, status: int) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(path, body))
    assert (answer.status, bool(orjson.loads(answer.body)["error"])) == (status, True)


async def test_a_model_that_is_not_ready_is_503_everywhere_and_so_is_the_server() -> None:
    async with serving(Model("m"), Echo()) as server:
        statuses = [
            (await server.exchange(data)).status
            for data in (
                get("/v1/models/m"),
                get("/v2/models/m/ready"),
                post("/v1/models/m:predict", b"{}"),
                post("/v2/models/m/infer", b"{}"),
                get("/v2/health/ready"),
            )
        ]
        alive = [(await server.exchange(get(path))).status for path in ("/v2/health/live", "/v2/models/m")]
    assert (statuses, alive) == ([503] * 5, [200] * 2)


async def test_names_in_paths_may_be_percent_encoded() -> None:
    async with serving(Echo("a b")) as server:
        answer = await server.exchange(post("/v1/models/a%20b:predict", b'{"instances":[1]}'))
    assert answer.body == b'{"predictions":[1]}'


async def test_metrics_are_prometheus_text_or_openmetrics() -> None:
    async with serving(Echo()) as server:
        await server.exchange(post("/v1/models/TestModel:predict", b'{"instances":[1]}'))
        text = await server.exchange(get("/metrics"))
        openmetrics = await server.exchange(get("/metrics", "Accept: application/openmetrics-text; version=1.0.0"))
    assert b'request_predict_seconds_count{model_name="TestModel"} 1.0' in text.body
    assert b"process_cpu_seconds_total" in text.body
    assert text.headers["content-type"].startswith("text/plain")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.body.endswith(b"# EOF\n")
