"""A predictor that answers well, badly, late or not at all, and what a transformer makes of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import numpy as np
import orjson
import pytest

from inferplane.dataplane.model.asking import RAW_FROM, Asking
from inferplane.dataplane.model.predictor import PredictorConfig
from inferplane.inference.errors import InvalidInput, UpstreamFailed
from inferplane.inference.tensors import InferInput, InferRequest, InferResponse

V2_ANSWER = b'{"model_name":"m","id":"1","outputs":[{"name":"y","shape":[1],"datatype":"INT64","data":[7]}]}'
BIG = InferInput.decoded("x", "FP32", np.zeros((1, RAW_FROM), dtype=np.float32))
SMALL = InferInput.decoded("x", "FP32", np.zeros((1, 4), dtype=np.float32))


class Predictor:
    """Answers by path; remembers heads and bodies. A number is a status with no body, None closes the connection."""

    def __init__(self, answers: Mapping[str, bytes | int | None], extensions: Sequence[str] = ()) -> None:
        self.answers = {"/v2": orjson.dumps({"name": "x", "extensions": [*extensions]}), **answers}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                path = first.split()[1]
                self.asked.append((path, headers, body))
                if not self._answer(writer, self.answers[path]):
                    break
        except asyncio.IncompleteReadError:
            pass  # the client has left
        finally:
            writer.close()

    def _answer(self, writer: asyncio.StreamWriter, answer: bytes | int | None) -> bool:
        if answer is None:
            return False
        status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        return True


@asynccontextmanager
async def asking(predictor: Predictor, protocol: str = "v1", **settings: object) -> AsyncIterator[Asking]:
    listening = await asyncio.start_server(predictor.serve, "127.0.0.1", 0)
    host = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    client = Asking(PredictorConfig(host, protocol, **settings))  # type: ignore[arg-type]  # as each test says
    try:
        yield client
    finally:
        await client.close()
        listening.close()


async def test_v1_sends_the_payload_and_the_headers_and_gives_the_object() -> None:
    predictor = Predictor({"/v1/models/m:predict": b'{"predictions":[1]}'})
    async with asking(predictor) as client:
        answer, _ = await client.predict("m", {"instances": np.ones((1, 2))}, {"x-request-id": "7"})
    [(_, headers, body)] = predictor.asked
    assert answer == {"predictions": [1]}
    assert (headers["x-request-id"], headers["content-type"], body) == (
        "7",
        "application/json",
        b'{"instances":[[1.0,1.0]]}',
    )


async def test_numbers_travel_as_bytes_where_the_predictor_says_that_it_takes_them() -> None:
    predictor = Predictor({"/v2/models/m/infer": V2_ANSWER}, ["binary_tensor_data"])
    async with asking(predictor, "v2") as client:
        for tensor in (BIG, SMALL, BIG):
            answer, _ = await client.predict("m", InferRequest("m", [tensor]), {})
            assert isinstance(answer, InferResponse)
            assert answer.outputs[0].data == [7]
    paths = [path for path, _, _ in predictor.asked]
    kinds = [headers["content-type"] for path, headers, _ in predictor.asked if path != "/v2"]
    assert paths == ["/v2", *["/v2/models/m/infer"] * 3]
    assert kinds == ["application/octet-stream", "application/json", "application/octet-stream"]
    _, headers, body = predictor.asked[1]
    length = int(headers["inference-header-content-length"])
    head = orjson.loads(body[:length])
    assert (len(body) - length, head["parameters"]) == (4 * RAW_FROM, {"binary_data_output": True})
    assert head["inputs"][0]["parameters"] == {"binary_data_size": 4 * RAW_FROM}


@pytest.mark.parametrize(("extensions", "said"), [((), None), (("model_repository_extension",), None), ((), False)])
async def test_all_others_get_json(extensions: Sequence[str], said: bool | None) -> None:
    predictor = Predictor({"/v2/models/m/infer": V2_ANSWER}, extensions)
    async with asking(predictor, "v2", predictor_binary_tensors=said) as client:
        await client.predict("m", InferRequest("m", [BIG]), {})
    _, headers, body = predictor.asked[-1]
    assert headers["content-type"] == "application/json"
    assert len(orjson.loads(body)["inputs"][0]["data"]) == RAW_FROM
    assert ("/v2" in [one for one, _, _ in predictor.asked]) == (said is None)


async def test_the_operator_may_say_that_it_takes_bytes() -> None:
    predictor = Predictor({"/v2/models/m/infer": V2_ANSWER})
    async with asking(predictor, "v2", predictor_binary_tensors=True) as client:
        await client.predict("m", InferRequest("m", [BIG]), {})
    [(_, headers, _)] = predictor.asked
    assert headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("v1", b"not json"),
        ("v1", b"[1, 2]"),
        ("v1", b""),
        ("v2", b"not json"),
        ("v2", b'{"predictions":[1]}'),
        ("v2", b'{"model_name":"m","outputs":[{"name":"y","shape":[2],"datatype":"INT64","data":[7]}]}'),
        ("v2", b'{"model_name":"m","outputs":[{"name":"y"}]}'),
    ],
)
async def test_rubbish_is_a_bad_gateway_that_says_so(protocol: str, answer: bytes) -> None:
    paths = {"/v1/models/m:predict": answer, "/v2/models/m/infer": answer}
    payload = {"instances": [1]} if protocol == "v1" else InferRequest("m", [SMALL])
    async with asking(Predictor(paths), protocol) as client:
        with pytest.raises(UpstreamFailed, match="did not answer in the protocol that it is asked in: ") as failed:
            await client.predict("m", payload, {})
    assert failed.value.status == 502


async def test_a_connection_that_breaks_is_a_bad_gateway() -> None:
    async with asking(Predictor({"/v1/models/m:predict": None})) as client:
        with pytest.raises(UpstreamFailed, match="broke before the answer was complete") as failed:
            await client.predict("m", {}, {})
    assert failed.value.status == 502


async def test_a_predictor_that_takes_too_long_is_a_gateway_timeout() -> None:
    predictor = Predictor({"/v1/models/m:predict": b""})
    predictor._answer = lambda writer, answer: True  # type: ignore[method-assign]  # nothing, and goes on
    async with asking(predictor, predictor_request_timeout_seconds=0.05) as client:
        with pytest.raises(UpstreamFailed, match=r"no answer within 0\.05 s") as failed:
            await client.predict("m", {}, {})
    assert failed.value.status == 504


async def test_a_redirection_is_not_the_clients_business() -> None:
    async with asking(Predictor({"/v1/models/m:predict": 302})) as client:
        with pytest.raises(UpstreamFailed, match="answered with status 302") as failed:
            await client.predict("m", {}, {})
    assert failed.value.status == 502


async def test_a_header_with_a_line_break_is_refused() -> None:
    async with asking(Predictor({})) as client:
        with pytest.raises(InvalidInput, match="header authorization: a line break"):
            await client.predict("m", {}, {"authorization": "a\r\nx: y"})


async def test_names_of_models_are_parts_of_the_path() -> None:
    predictor = Predictor({"/v1/models/a%20b%3Fc:predict": b"{}"})
    async with asking(predictor) as client:
        assert (await client.predict("a b?c", {}, {}))[0] == {}
