"""V2 over REST in JSON: what inputs may look like, which outputs come, and what is refused with which words."""

import orjson
import pytest
from tests.contract.model_server.serving import get, post, serving
from tests.contract.rest.models import Answering, Echo, Shaped

from inferplane import InferOutput, InferResponse, Model

INFER = "/v2/models/m/infer"
PADDING = b" " * 4096
"""Makes a body too large for the reader of small ones; both must say the same."""


def one(data: str, datatype: str = "FP32", shape: str = "[2]") -> bytes:
    return f'{{"id":"7","inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}'.encode()


@pytest.mark.parametrize("padding", [b"", PADDING])
@pytest.mark.parametrize(
    ("data", "datatype", "shape", "out"),
    [
        ("[1,2,3,4]", "FP32", "[2,2]", b"[1.0,2.0,3.0,4.0]"),
        ("[[1,2],[3,4]]", "FP32", "[2,2]", b"[1.0,2.0,3.0,4.0]"),
        ("[[1,2],[3,4]]", "FP64", "[4]", b"[1.0,2.0,3.0,4.0]"),
        ("[1,2,3,4]", "int8", "[-1,2]", b"[1,2,3,4]"),
        ("[true,false]", "BOOL", "[2]", b"[true,false]"),
        ("[1,0]", "BOOL", "[2]", b"[true,false]"),
        ("[18446744073709551615]", "UINT64", "[1]", b"[18446744073709551615]"),
        ("[-9223372036854775808]", "INT64", "[1]", b"[-9223372036854775808]"),
        ('["a","\\u00e4"]', "BYTES", "[2]", '["a","ä"]'.encode()),
        ("[1.0,null]", "FP32", "[2]", b"[1.0,null]"),
        ("[]", "FP32", "[0]", b"[]"),
        ("[0.1]", "FP32", "[1]", b"[0.1]"),
    ],
)
async def test_data_may_be_nested_or_flat_and_comes_back_flat(
    data: str, datatype: str, shape: str, out: bytes, padding: bytes
) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(INFER, one(data, datatype, shape) + padding))
    assert answer.status == 200
    assert answer.body.endswith(b'"data":' + out + b"}]}")


@pytest.mark.parametrize("padding", [b"", PADDING])
@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (one("[1,2,3]"), 400, "inputs[0].data: data does not fill the shape: expected 2 values for [2], got 3"),
        (one("[1,[2]]"), 400, "inputs[0].data: values and lists are mixed: value 1 is [2]"),
        (one("[[1],2]"), 400, "inputs[0].data: row 0 is a list and row 1 is 2"),
        (one("[[1,[2]]]", shape="[1,2]"), 400, "inputs[0].data: values and lists are mixed: value 1 is [2]"),
        (one("[[1],[2,3]]"), 400, "inputs[0].data: rows differ in length: row 0 has 1 values, row 1 has 2"),
        (one('["a","b"]'), 400, 'inputs[0].data[0]: expected a number for FP32, got "a"'),
        (one("[1.5,2]", "INT32"), 400, "inputs[0].data[0]: expected an integer for INT32, got 1.5"),
        (one("[1,300]", "INT8"), 400, "inputs[0].data[1]: 300 does not fit INT8"),
        (one("[1,-1]", "UINT8"), 400, "inputs[0].data[1]: "),
        (one("[1,1e39]"), 400, "inputs[0].data[1]: 1e+39 does not fit FP32"),
        (one("[1,2]", "BYTES"), 400, "inputs[0].data[0]: expected a string for BYTES, got 1"),
        (one("[1,2]", "FP16"), 400, "Sending FP16 data via JSON is not supported. Please use the binary data format"),
        (one("[1,2]", "BF16"), 400, "Sending BF16 data via JSON is not supported. Please use the binary data format"),
        (one("[1,2]", "COMPLEX"), 400, "inputs[0].datatype: expected one of BOOL"),
        (one("[1,2]", shape="[-2]"), 400, "inputs[0].shape: sizes are 0 or more, and at most one is -1, got [-2]"),
        (one("[1,2]", shape="[99999999999999999999]"), 422, "Unrecognized request format: "),
        (one("[]", shape="[0,9223372036854775807,9223372036854775807]"), 400, "inputs[0].data: no array has the shape"),
        (one("[1,2]", shape='["2"]'), 422, "inputs[0].shape: expected an array of integers"),
        (one("[1,2]", shape="[2.0]"), 422, "inputs[0].shape: expected an array of integers"),
        (one("1"), 422, "inputs[0].data: expected an array"),
        (one("[NaN,1]"), 422, "Unrecognized request format: "),
        (one("[" * 70 + "1" + "]" * 70), 400, "inputs[0].data: lists are nested more than 64 deep"),
        (one("[" * 2000), 422, "Unrecognized request format: "),
        (b"[]", 422, "expected a JSON object"),
        (b'{"inputs":[]}', 400, "inputs: expected at least one input, got none"),
        (b'{"inputs":{}}', 422, "inputs: expected an array of inputs"),
        (b'{"inputs":[1]}', 422, "inputs[0]: expected an object"),
        (b'{"inputs":[{"name":"x"}]}', 422, "inputs[0].shape: required field is missing"),
        (b'{"id":1,"inputs":[]}', 400, "inputs: expected at least one input, got none"),
        (one("[1,2]").replace(b'"7"', b"7"), 422, "id: expected a string"),
        (
            one("[1,2]").replace(b'"7"', b'"7","parameters":{"a":{}}'),
            422,
            "parameters.a: expected a string, a number or a boolean",
        ),
        (one("[1,2]").replace(b'"7"', b'"7","outputs":[{}]'), 422, "outputs[0].name: required field is missing"),
        (
            one("[1,2]").replace(b'"7"', b'"7","outputs":[{"name":"zz"}]'),
            400,
            "Unexpected inference output 'zz' for model 'm'",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_and_named(body: bytes, status: int, message: str, padding: bytes) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(INFER, body + padding))
    told = orjson.loads(answer.body)
    assert (answer.status, told["error"][: len(message)]) == (status, message)
    assert ("detail" in told) == (status == 422)


async def test_the_requests_outputs_choose_and_order_the_answers() -> None:
    outputs = [InferOutput(name, [1], "INT32", [n]) for n, name in enumerate("abc")]
    async with serving(Answering(InferResponse("7", "m", outputs))) as server:
        body = one("[1,2]").replace(b'"7"', b'"7","outputs":[{"name":"c"},{"name":"a"}]')
        answer = await server.exchange(post(INFER, body))
    assert [output["name"] for output in orjson.loads(answer.body)["outputs"]] == ["c", "a"]


async def test_classification_gives_the_highest_scores_with_their_indices() -> None:
    scores = InferOutput("s", [2, 3], "FP32", [0.1, 0.7, 0.2, 0.5, 0.25, 0.25])
    wanted = b'"7","outputs":[{"name":"s","parameters":{"classification":2}}]'
    async with serving(Answering(InferResponse("7", "m", [scores]))) as server:
        answer = await server.exchange(post(INFER, one("[1,2]").replace(b'"7"', wanted)))
        refused = await server.exchange(post(INFER, one("[1,2]").replace(b'"7"', wanted.replace(b"2}", b"0}"))))
    output = orjson.loads(answer.body)["outputs"][0]
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 2])
    assert [text.split(":")[1] for text in output["data"]] == ["1", "2", "0", "1"]
    assert refused.status == 400


@pytest.mark.parametrize(
    ("parameters", "data", "seen"),
    [
        ('{"content_type":"base64"}', '["aGk="]', [b"hi"]),
        ('{"content_type":"str"}', '["hi"]', ["hi"]),
        ('{"content_type":"np"}', '["hi"]', ["hi"]),
    ],
)
async def test_content_codecs_say_what_text_stands_for(parameters: str, data: str, seen: list[object]) -> None:
    body = f'{{"inputs":[{{"name":"x","shape":[1],"datatype":"BYTES","parameters":{parameters},"data":{data}}}]}}'
    model = Shaped("BYTES", [1])
    async with serving(model) as server:
        assert (await server.exchange(post("/v2/models/shaped/infer", body.encode()))).status == 200
    assert model.seen[0].inputs[0].view().tolist() == seen  # type: ignore[attr-defined]  # an InferRequest


async def test_text_that_is_not_base64_is_400_and_named() -> None:
    body = (
        b'{"parameters":{"content_type":"base64"},"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["?"]}]}'
    )
    async with serving(Shaped("BYTES", [1])) as server:
        answer = await server.exchange(post("/v2/models/shaped/infer", body))
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"].startswith("inputs[0].data[0]: expected base64")


@pytest.mark.parametrize("path", ["infer", "infer_stream", "generate", "ready", "config", "stats", ""])
async def test_a_model_is_served_in_version_1_and_no_other(path: str) -> None:
    suffix = f"/{path}" if path else ""
    send = post if path in ("infer", "infer_stream", "generate") else lambda target, body: get(target)
    body = b'{"text_input":"a"}' if path == "generate" else one("[1,2]")
    async with serving(Echo()) as server:
        served = await server.exchange(send(f"/v2/models/m/versions/1{suffix}", body))
        other = await server.exchange(send(f"/v2/models/m/versions/2{suffix}", body))
        unknown = await server.exchange(send(f"/v2/models/x/versions/2{suffix}", body))
    assert (served.status, other.status, unknown.status) == (200, 404, 404)
    assert "Model with name m has no version 2" in orjson.loads(other.body)["error"]
    assert "Model with name x does not exist." in orjson.loads(unknown.body)["error"]


async def test_a_model_that_is_not_ready_says_when_to_come_back() -> None:
    async with serving(Model("m")) as server:
        answer = await server.exchange(post(INFER, one("[1,2]")))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
