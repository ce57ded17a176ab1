"""CloudEvents around V1, in both modes."""

from datetime import UTC, datetime

import orjson
import pytest
from tests.contract.model_server.serving import post, serving
from tests.contract.rest.models import Echo, Shaped

from inferplane.inference.cloudevents import Settings

PREDICT = "/v1/models/m:predict"
BODY = b'{"instances":[[1,2]]}'
BINARY = ("ce-specversion: 1.0", "ce-source: test", "ce-type: request", "ce-id: 36077800")
EVENT = {
    "specversion": "1.0",
    "id": "36077800",
    "source": "test",
    "type": "request",
    "time": "2021-01-28T21:04:43.144141+00:00",
    "custom-extension": "kept",
    "data": {"instances": [[1, 2]]},
}
STRUCTURED = "Content-Type: application/cloudevents+json"


async def test_a_structured_event_is_answered_by_one() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, orjson.dumps(EVENT), STRUCTURED))
    event = orjson.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/cloudevents+json")
    assert datetime.fromisoformat(event.pop("time")) > datetime.fromisoformat(str(EVENT["time"]))
    assert event.pop("id") not in ("", EVENT["id"])
    assert event == {
        "specversion": "1.0",
        "source": "io.kserve.inference.m",
        "type": "io.kserve.inference.response",
        "data": {"predictions": [[1, 2]]},
    }


async def test_settings_name_the_answer_and_keep_what_the_request_said() -> None:
    async with serving(Echo(), events=Settings(source="s", type="t", merge=True)) as server:
        answer = await server.exchange(post(PREDICT, orjson.dumps(EVENT), STRUCTURED))
    event = orjson.loads(answer.body)
    assert (event["source"], event["type"], event["custom-extension"]) == ("s", "t", "kept")


async def test_an_event_without_time_is_still_one() -> None:
    event = {key: value for key, value in EVENT.items() if key != "time"}
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, orjson.dumps(event), STRUCTURED))
    assert orjson.loads(answer.body)["data"] == {"predictions": [[1, 2]]}


@pytest.mark.parametrize("model", [Echo("m"), Shaped()])
async def test_an_event_labelled_as_json_is_unwrapped_and_answered_plainly(model: Echo) -> None:
    async with serving(model) as server:
        path = f"/v1/models/{model.name}:predict"
        answer = await server.exchange(post(path, orjson.dumps(EVENT), "Content-Type: application/json"))
    assert (answer.body, answer.headers["content-type"]) == (b'{"predictions":[[1,2]]}', "application/json")


async def test_a_binary_event_is_answered_by_one_in_headers() -> None:
    before = datetime.now(UTC)
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, BODY, *BINARY, "ce-content-type: application/json"))
    headers = answer.headers
    assert (answer.body, headers["content-type"]) == (b'{"predictions": [[1, 2]]}', "application/json")
    assert (headers["ce-specversion"], headers["ce-source"]) == ("1.0", "io.kserve.inference.m")
    assert headers["ce-type"] == "io.kserve.inference.response"
    assert headers["ce-id"] not in ("", "36077800")
    assert datetime.fromisoformat(headers["ce-time"]) >= before


async def test_a_header_short_of_an_event_is_a_plain_request() -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, BODY, *BINARY[:3]))
    assert answer.body == b'{"predictions":[[1,2]]}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Failed to decode or parse binary json cloudevent: unexpected end of data"),
        (
            b"0\x80\x80\x06World!\x00\x00",
            "Failed to decode or parse binary json cloudevent: 'utf-8' codec can't decode byte 0x80 in position 1",
        ),
    ],
)
async def test_a_binary_event_that_says_json_and_is_not_is_400(body: bytes, message: str) -> None:
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, body, *BINARY, "ce-content-type: application/json"))
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"].startswith(message)


async def test_a_binary_event_of_another_type_reaches_the_model_as_bytes() -> None:
    model = Echo()
    async with serving(model) as server:
        answer = await server.exchange(post(PREDICT, b"\x02avro", *BINARY, "ce-content-type: application/avro"))
    assert (answer.status, model.seen) == (200, [b"\x02avro"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specversion": "9.0"}, "Cloud Event Exceptions: Found invalid specversion 9.0"),
        ({"source": None}, "Cloud Event Exceptions: attributes are missing: source"),
        ({"data": None}, "Cloud Event Exceptions: the event has no data"),
    ],
)
async def test_an_event_that_is_none_is_400(changes: dict[str, str | None], message: str) -> None:
    event = {key: value for key, value in {**EVENT, **changes}.items() if value is not None}
    async with serving(Echo()) as server:
        answer = await server.exchange(post(PREDICT, orjson.dumps(event), STRUCTURED))
    assert (answer.status, orjson.loads(answer.body)) == (400, {"error": message})
