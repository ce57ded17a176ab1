import orjson
import pytest

from inferplane.inference import cloudevents
from inferplane.inference.cloudevents import Event, Settings
from inferplane.inference.errors import InvalidInput

HEADERS = {"ce-specversion": "1.0", "ce-source": "s", "ce-type": "t", "ce-id": "1", "ce-custom": "c", "host": "h"}
SAID = {"specversion": "1.0", "source": "s", "type": "t", "id": "1", "custom": "c", "datacontenttype": "x"}


def test_attributes_are_the_headers_with_the_prefix() -> None:
    event = cloudevents.read_binary(HEADERS, b'{"a":1}')
    assert event.attributes == {"specversion": "1.0", "source": "s", "type": "t", "id": "1", "custom": "c"}
    assert (event.data, event.structured) == ({"a": 1}, False)


@pytest.mark.parametrize("missing", ["ce-specversion", "ce-source", "ce-type", "ce-id"])
def test_a_request_short_of_a_mandatory_header_is_no_event(missing: str) -> None:
    assert cloudevents.is_binary(HEADERS)
    assert not cloudevents.is_binary({name: value for name, value in HEADERS.items() if name != missing})


@pytest.mark.parametrize("name", ["ce-content-type", "content-type"])
def test_data_that_is_no_json_stays_bytes_unless_it_should_be(name: str) -> None:
    assert cloudevents.read_binary({**HEADERS, name: "application/avro"}, b"\xff").data == b"\xff"
    with pytest.raises(InvalidInput, match="Failed to decode or parse binary json cloudevent: "):
        cloudevents.read_binary({**HEADERS, name: "application/json"}, b"\xff")


@pytest.mark.parametrize("structured", [True, False])
def test_the_answer_keeps_other_attributes_only_when_it_merges(structured: bool) -> None:
    event = Event(SAID, None, structured)
    for merge in (True, False):
        reply = cloudevents.reply(event, b'{"p":[1,2]}', "m", Settings(merge=merge), "2", "now")
        told = orjson.loads(reply.body) if structured else {key[3:]: value for key, value in reply.headers.items()}
        assert ("custom" in told) == merge
        assert (told["id"], told["time"], told["source"]) == ("2", "now", "io.kserve.inference.m")
        assert ("datacontenttype" in told) == (merge and structured)


def test_a_binary_answers_body_is_spaced_as_the_sdk_spaces_it() -> None:
    assert cloudevents.reply(Event(SAID, None, False), b'{"p":[1,2]}', "m", Settings(), "2", "now").body == (
        b'{"p": [1, 2]}'
    )
