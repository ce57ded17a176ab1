"""V2's binary tensor data over REST: the bytes of requests and answers, and the lies that they may tell."""

import numpy as np
import orjson
import pytest
from tests.contract.model_server.serving import Answer, post, serving
from tests.contract.rest.models import Echo, Shaped

INFER = "/v2/models/m/infer"
OCTETS = "Content-Type: application/octet-stream"


def tensor(name: str, datatype: str, shape: list[int], size: int | None = None, **more: object) -> dict[str, object]:
    parameters = {} if size is None else {"parameters": {"binary_data_size": size}}
    return {"name": name, "shape": shape, "datatype": datatype, **parameters, **more}


def binary(head: dict[str, object], *tails: bytes, length: int | str | None = None, path: str = INFER) -> bytes:
    text = orjson.dumps(head)
    size = len(text) if length is None else length
    return post(path, text + b"".join(tails), OCTETS, f"Inference-Header-Content-Length: {size}")


def parted(answer: Answer) -> tuple[object, bytes]:
    length = int(answer.headers["inference-header-content-length"])
    return orjson.loads(answer.body[:length]), answer.body[length:]


async def test_a_mixed_request_is_answered_in_exactly_these_bytes() -> None:
    head: dict[str, object] = {
        "id": "7",
        "inputs": [
            tensor("fp16", "FP16", [1, 2], 4),
            tensor("text", "BYTES", [2], data=["cat", "dog"]),
            tensor("fp32", "FP32", [2], 8),
        ],
        "outputs": [{"name": "text"}, {"name": "fp32"}],
    }
    tails = np.array([1.5, 2], "<f2").tobytes(), np.array([0.1, 2], "<f4").tobytes()
    async with serving(Echo()) as server:
        answer = await server.exchange(binary(head, *tails))
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == (
        b'{"model_name":"m","model_version":null,"id":"7","parameters":null,"outputs":['
        b'{"name":"text","shape":[2],"datatype":"BYTES","parameters":null,"data":["cat","dog"]},'
        b'{"name":"fp32","shape":[2],"datatype":"FP32","parameters":null,"data":[0.1,2.0]}]}'
    )


async def test_an_outputs_own_choice_comes_before_the_requests() -> None:
    head: dict[str, object] = {
        "id": "7",
        "parameters": {"binary_data_output": True},
        "inputs": [tensor("a", "INT32", [2], data=[1, 2]), tensor("b", "INT16", [1], data=[3])],
        "outputs": [{"name": "b"}, {"name": "a", "parameters": {"binary_data": False}}],
    }
    async with serving(Echo()) as server:
        answer = await server.exchange(binary(head))
    told, tail = parted(answer)
    assert (answer.headers["content-type"], tail) == ("application/octet-stream", b"\x03\x00")
    assert told == {
        "id": "7",
        "model_name": "m",
        "model_version": None,
        "outputs": [
            {"name": "b", "shape": [1], "datatype": "INT16", "parameters": {"binary_data_size": 2}},
            {"name": "a", "shape": [2], "datatype": "INT32", "data": [1, 2]},
        ],
        "parameters": {"binary_data_output": True},
    }


@pytest.mark.parametrize(
    ("datatype", "raw"),
    [
        ("BOOL", b"\x01\x00"),
        ("UINT8", b"\x01\xff"),
        ("INT8", b"\x01\xff"),
        ("UINT16", b"\x01\x00\xff\xff"),
        ("INT16", b"\x01\x00\xff\xff"),
        ("FP16", b"\x00\x3e\x00\x40"),
        ("BF16", b"\xc0\x3f\x00\x40"),
        ("UINT32", np.array([1, 2], "<u4").tobytes()),
        ("INT32", np.array([1, -2], "<i4").tobytes()),
        ("FP32", np.array([1.5, np.nan], "<f4").tobytes()),
        ("UINT64", np.array([1, 2**64 - 1], "<u8").tobytes()),
        ("INT64", np.array([1, -(2**63)], "<i8").tobytes()),
        ("FP64", np.array([1.5, np.inf], "<f8").tobytes()),
        ("BYTES", b"\x03\x00\x00\x00\xff\x00a\x00\x00\x00\x00"),
    ],
)
async def test_every_datatype_comes_back_as_the_bytes_it_came_as(datatype: str, raw: bytes) -> None:
    head: dict[str, object] = {
        "inputs": [tensor("x", datatype, [2], len(raw))],
        "outputs": [{"name": "x", "parameters": {"binary_data": True}}],
    }
    async with serving(Echo()) as server:
        told, tail = parted(await server.exchange(binary(head, raw)))
    assert isinstance(told, dict)
    assert (told["outputs"][0]["datatype"], tail) == (datatype, raw)


@pytest.mark.parametrize("count", [0, 1, 20_000, 3_000_000])
async def test_a_tensor_of_any_size_goes_both_ways_whole(count: int) -> None:
    values = np.arange(count, dtype="<f4")
    head: dict[str, object] = {
        "inputs": [tensor("x", "FP32", [count], 4 * count)],
        "parameters": {"binary_data_output": True},
    }
    async with serving(Echo()) as server:
        _, tail = parted(await server.exchange(binary(head, values.tobytes())))
    assert np.array_equal(np.frombuffer(tail, "<f4"), values)


X = "inputs[0]"


@pytest.mark.parametrize(
    ("inputs", "tail", "message"),
    [
        ([tensor("x", "FP32", [2], 8)], b"1234", f"{X}.parameters.binary_data_size: 8 bytes, and 4 are left in the"),
        ([tensor("x", "FP32", [2], 4)], b"1234", f"{X}: binary data does not fill the shape [2]: got 4 bytes of FP32"),
        ([tensor("x", "FP32", [1], 3)], b"123", f"{X}: expected a multiple of 4 bytes for FP32, got 3"),
        ([tensor("x", "FP32", [1], 4)], b"12345", "1 bytes follow the last binary tensor"),
        ([tensor("x", "FP32", [1], -4)], b"1234", f"{X}.parameters.binary_data_size: expected a number of bytes"),
        ([tensor("x", "BYTES", [1], 6)], b"\xff\0\0\0ab", f"{X}: element 0 says it has 255 bytes, and 2 are left"),
        ([tensor("x", "BYTES", [1], 2)], b"\x01\0", f"{X}: the length of element 0 is cut off at byte 0"),
        ([tensor("x", "BYTES", [2], 5)], b"\x01\0\0\0a", f"{X}: binary data does not fill the shape [2]: got 1 elem"),
        ([tensor("x", "FP32", [2**40, 2**40], 4)], b"1234", f"{X}: binary data does not fill the shape"),
        ([tensor("x", "FP32", [0, 2**63], 0)], b"", f"{X}: no array has the shape"),
        ([tensor("x", "FP32", [-1, -1], 4)], b"1234", f"{X}.shape: sizes are 0 or more, and at most one is -1"),
        ([tensor("x", "FP99", [1], 4)], b"1234", f"{X}.datatype: expected one of BOOL, "),
        ([tensor("x", "FP16", [1], data=[1])], b"", "Sending FP16 data via JSON is not supported"),
        (
            [tensor("x", "UINT8", [1], 1), tensor("x", "UINT8", [1], 1)],
            b"12",
            "inputs[1].name: x is there already",
        ),
    ],
)
async def test_binary_data_that_lies_is_400_and_names_the_tensor(
    inputs: list[dict[str, object]], tail: bytes, message: str
) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(binary({"inputs": inputs}, tail))
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"].startswith(message)


@pytest.mark.parametrize(
    ("length", "status", "message"),
    [
        ("x", 400, "Inference-Header-Content-Length: expected a number of bytes, got 'x'"),
        ("-1", 400, "Inference-Header-Content-Length: expected a number of bytes, got '-1'"),
        ("1_0", 400, "Inference-Header-Content-Length: expected a number of bytes, got '1_0'"),
        ("9" * 30, 400, "Inference-Header-Content-Length: expected a number of bytes, got "),
        ("9999", 400, "Inference-Header-Content-Length: expected 0 to "),
        ("5", 422, "Unrecognized request format: "),
    ],
)
async def test_a_header_that_lies_about_the_json_is_refused(length: str, status: int, message: str) -> None:
    head: dict[str, object] = {"inputs": [tensor("x", "UINT8", [1], data=[1])]}
    async with serving(Echo()) as server:
        answer = await server.exchange(binary(head, length=length))
    assert answer.status == status
    assert orjson.loads(answer.body)["error"].startswith(message)


async def test_a_binary_request_labelled_as_json_is_read_by_its_length() -> None:
    head = orjson.dumps({"id": "7", "inputs": [tensor("x", "UINT8", [1], 1)]})
    labels = ("Content-Type: application/json", f"Inference-Header-Content-Length: {len(head)}")
    async with serving(Echo()) as server:
        answer = await server.exchange(post(INFER, head + b"\x05", *labels))
    assert orjson.loads(answer.body)["outputs"][0]["data"] == [5]


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (OCTETS, 400, "received byte inputs, but the 'inference-header-content-length' header is missing."),
        (
            "Content-Type: text/csv",
            415,
            "content type text/csv is not understood: send application/json, or application/octet-stream with Infer",
        ),
    ],
)
async def test_bytes_without_a_length_of_json_are_refused(kind: str, status: int, message: str) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(INFER, b"{}", kind))
    assert (answer.status, orjson.loads(answer.body)["error"].startswith(message)) == (status, True)


async def test_a_raw_request_is_the_models_one_input_and_all_outputs_are_binary() -> None:
    raw = np.array([[1, 2], [3, 4], [5, 6]], "<f4").tobytes()
    async with serving(Shaped("FP32", [-1, 2])) as server:
        data = post("/v2/models/shaped/infer", raw, OCTETS, "Inference-Header-Content-Length: 0")
        told, tail = parted(await server.exchange(data))
    assert isinstance(told, dict)
    assert (told["outputs"][0]["shape"], tail) == ([3, 2], raw)


async def test_a_raw_request_of_text_is_one_element() -> None:
    async with serving(Shaped("BYTES", [1])) as server:
        data = post("/v2/models/shaped/infer", b"text", OCTETS, "Inference-Header-Content-Length: 0")
        _, tail = parted(await server.exchange(data))
    assert tail == b"\x04\0\0\0text"


async def test_a_raw_request_needs_a_model_that_tells_its_one_input() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(INFER, b"1234", OCTETS, "Inference-Header-Content-Length: 0"))
    assert answer.status == 400
    assert "a raw binary request is for models with one input" in orjson.loads(answer.body)["error"]


async def test_half_precision_has_no_form_in_json() -> None:
    head: dict[str, object] = {"inputs": [tensor("x", "FP16", [1], 2)]}
    async with serving(Echo()) as server:
        answer = await server.exchange(binary(head, b"\x00\x3e"))
    assert (answer.status, orjson.loads(answer.body)["error"]) == (
        400,
        "Sending FP16 data via JSON is not supported. Please use the binary data format for output x",
    )


async def test_text_that_is_not_utf8_has_no_form_in_json() -> None:
    head: dict[str, object] = {"inputs": [tensor("x", "BYTES", [1], 5)]}
    async with serving(Echo()) as server:
        answer = await server.exchange(binary(head, b"\x01\0\0\0\xff"))
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"].startswith("output x: an element is not UTF-8 text")
