"""The events of an exchange, held against what KServe's agent sends (reference 7.2 and 10.8, 58)."""

import json
from dataclasses import replace

import orjson
import pytest

from inferplane.dataplane.agent.events import (
    REQUEST,
    RESPONSE,
    Event,
    Events,
    Exchange,
    batched,
    binary,
    parsed,
    rfc3339,
    structured,
)
from inferplane.dataplane.agent.settings import Labels, LoggerSettings, Mode

LABELS = Labels("http://localhost:9081/", "iris", "demo", "default", "predictor", {"team": "a"})
SETTINGS = LoggerSettings(("http://sink",), LABELS, headers=("X-User",))
HEADERS = {"content-type": "application/json", "x-user": "ada"}
BEGAN, ENDED, RECORDED = 1_700_000_000.25, 1_700_000_000.2623, 1_700_000_001.0


def exchange(**given: object) -> Exchange:
    made: dict[str, object] = {
        "id": "",
        "method": "POST",
        "path": "/v1/models/iris:predict",
        "headers": HEADERS,
        "body": b'{"instances": [[1, 2]]}',
        "began": BEGAN,
        "status": 200,
        "answer_type": "application/json",
        "answer_length": 0,
        "answer": b'{"predictions": [1]}',
        "ended": ENDED,
    }
    return Exchange(**{**made, **given})  # type: ignore[arg-type]  # fields by name


def of(one: Exchange, settings: LoggerSettings = SETTINGS) -> list[Event]:
    return Events(settings, lambda: "made").of(one, RECORDED)


def test_an_exchange_is_two_events_with_kserves_attributes() -> None:
    asked, answered = of(exchange())
    common = {
        "specversion": "1.0",
        "id": "made",
        "source": "http://localhost:9081/",
        "recordedtime": "2023-11-14T22:13:21.000000Z",
        "inferenceservicename": "iris",
        "namespace": "demo",
        "component": "predictor",
        "endpoint": "default",
        "metadata": '{"X-User":["ada"]}',
        "annotations": '{"team":"a"}',
        "datacontenttype": "application/json",
        "method": "POST",
        "path": "/v1/models/iris:predict",
    }
    assert asked.attributes == {**common, "type": REQUEST, "time": "2023-11-14T22:13:20.250000Z"}
    assert answered.attributes == {
        **common,
        "type": RESPONSE,
        "time": "2023-11-14T22:13:20.262300Z",
        "status": 200,
        "latencyms": 12.3,
    }
    assert (asked.data, answered.data) == (b'{"instances": [[1, 2]]}', b'{"predictions": [1]}')


def test_the_id_is_the_clients_where_it_brings_one() -> None:
    assert [event.id for event in of(exchange(headers={"ce-id": "0123"}))] == ["0123", "0123"]


@pytest.mark.parametrize("status", [0, 201, 400, 404, 500, 503])
def test_only_answers_with_status_200_are_logged(status: int) -> None:
    assert [event.kind for event in of(exchange(status=status))] == ["request"]


@pytest.mark.parametrize(("mode", "kinds"), [(Mode.REQUEST, ["request"]), (Mode.RESPONSE, ["response"])])
def test_a_mode_is_one_half(mode: Mode, kinds: list[str]) -> None:
    assert [event.kind for event in of(exchange(), replace(SETTINGS, mode=mode))] == kinds


def test_metadata_names_headers_as_go_spells_them_whatever_the_case_asked_for() -> None:
    settings = replace(SETTINGS, headers=("x-USER", "x-request-id", "X-Other"))
    [asked, _] = of(exchange(headers={"x-user": "ada", "x-request-id": "7"}), settings)
    assert json.loads(str(asked.attributes["metadata"])) == {"X-User": ["ada"], "X-Request-Id": ["7"]}


def test_metadata_is_an_empty_map_and_annotations_are_left_out_where_there_are_none() -> None:
    [asked, _] = of(exchange(), LoggerSettings(("http://sink",)))
    assert asked.attributes["metadata"] == "{}"
    assert "annotations" not in asked.attributes
    assert "namespace" not in asked.attributes


def test_an_event_is_never_recorded_before_it_happened() -> None:
    [_, answered] = Events(SETTINGS, lambda: "x").of(exchange(), BEGAN)
    assert answered.attributes["recordedtime"] == answered.attributes["time"]


def test_binary_mode_has_attributes_as_headers_and_the_payload_as_body() -> None:
    headers, body = binary(of(exchange())[0])
    assert body == b'{"instances": [[1, 2]]}'
    assert headers["ce-type"] == "org.kubeflow.serving.inference.request"
    assert headers["ce-metadata"] == '{"X-User":["ada"]}'
    assert headers["content-type"] == "application/json"
    assert "ce-datacontenttype" not in headers


def test_what_no_header_can_hold_is_percent_encoded() -> None:
    headers, _ = binary(of(exchange(path="/v1/models/é%\n:predict"))[0])
    assert headers["ce-path"] == "/v1/models/%C3%A9%25%0A:predict"


def test_structured_mode_is_one_line_with_the_payload_as_json_and_numbers_as_they_were() -> None:
    line = structured(of(exchange(body=b'{\r\n "instances": [1.50,\n 12345678901234567890123]}'))[0])
    assert b"\n" not in line
    assert b'"data":{   "instances": [1.50,  12345678901234567890123]}' in line
    assert orjson.loads(line)["type"] == REQUEST


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/octet-stream", b"\x00\xff"),
        ("application/grpc", b"\x0a\x04iris"),
        ("application/json", b"{no json"),
        ("text/plain", b'{"a": 1}'),
        ("", b"\xff"),
    ],
)
def test_what_is_no_json_is_base64(kind: str, body: bytes) -> None:
    found = orjson.loads(structured(of(exchange(headers={"content-type": kind}, body=body))[0]))
    assert "data" not in found
    assert parsed(orjson.dumps(found)).data == body


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json; charset=utf-8", ""])
def test_json_that_is_labelled_a_form_or_nothing_is_json(kind: str) -> None:
    found = orjson.loads(structured(of(exchange(headers={"content-type": kind}))[0]))
    assert found["data"] == {"instances": [[1, 2]]}
    assert found["datacontenttype"].startswith("application/json")


def test_a_binary_v2_body_says_how_long_its_head_is() -> None:
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": "2"}
    asked, answered = of(exchange(headers=headers, body=b"{}\x01\x02", answer=b"{ }\x03", answer_length=3))
    assert (asked.attributes["headerlength"], answered.attributes["headerlength"]) == (2, 3)


def test_a_header_length_that_is_no_number_loses_no_event() -> None:
    [asked, _] = of(exchange(headers={"inference-header-content-length": "many"}))
    assert "headerlength" not in asked.attributes


def test_messages_of_a_stream_are_numbered() -> None:
    [asked] = of(exchange(id="s", sequence=3, answer=None))
    assert (asked.id, asked.attributes["sequence"]) == ("s", "3")


def test_an_empty_body_has_no_data() -> None:
    found = orjson.loads(structured(of(exchange(body=b""))[0]))
    assert "data" not in found
    assert "data_base64" not in found


def test_a_batch_is_an_array_of_structured_events() -> None:
    events = of(exchange())
    assert orjson.loads(batched(events)) == [orjson.loads(structured(event)) for event in events]
    assert batched([]) == b"[]"


def test_a_line_is_read_as_the_event_that_it_was() -> None:
    [asked, _] = of(exchange(body=b'{"instances": [ [1.50, 12345678901234567890123] ]}'))
    assert parsed(structured(asked)) == asked


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"id": 1}', b"nothing", b'{"id":"a","type":"b","data_base64":"?"}'])
def test_a_line_that_is_no_event_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(line)


def test_times_are_rfc_3339_with_microseconds() -> None:
    assert rfc3339(0.000001) == "1970-01-01T00:00:00.000001Z"


# --- redaction --------------------------------------------------------------------------------------------------------


def redacted(fields: str, body: bytes, **given: object) -> tuple[object, bytes]:
    settings = replace(SETTINGS, redact=tuple(fields.split(",")))
    event = of(exchange(body=body, **given), settings)[0]
    return event.attributes.get("redacted"), event.data


def test_named_fields_are_left_out_at_the_top_and_along_paths() -> None:
    body = b'{"user":"ada","instances":[{"age":36,"name":"x"},{"name":"y"}],"parameters":{"key":{"a":1}}}'
    how, data = redacted("user,instances.name,parameters.key", body)
    assert how == "fields"
    assert orjson.loads(data) == {
        "user": "[redacted]",
        "instances": [{"age": 36, "name": "[redacted]"}, {"name": "[redacted]"}],
        "parameters": {"key": "[redacted]"},
    }


def test_a_tensor_is_named_by_its_name() -> None:
    body = b'{"inputs":[{"name":"age","shape":[1],"datatype":"INT32","data":[36]},{"name":"b","data":[1]}]}'
    _, data = redacted("inputs.age", body)
    assert [tensor["data"] for tensor in orjson.loads(data)["inputs"]] == ["[redacted]", [1]]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/grpc"}, b"\x0a\x04iris"),
        ({"content-type": "application/json"}, b'{"ssn": "1'),
        ({"inference-header-content-length": "12"}, b'{"inputs":[]}\x01\x02'),
    ],
)
def test_a_payload_that_cannot_be_looked_into_is_not_logged_at_all(headers: dict[str, str], body: bytes) -> None:
    assert redacted("ssn", body, headers=headers) == ("all", b"")
