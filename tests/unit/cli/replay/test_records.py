"""Files of records: lines in, exchanges out."""

import json

import msgspec
import pytest

from inferplane.cli.replay.records import Entry, Exchange, RecordError, exchange, index, written
from inferplane.dataplane.agent.events import REQUEST, RESPONSE
from inferplane.kernel.json import Json, JsonObject

BODY = b'{"instances": [[1.0, 2.50]]}'


def line(id: str, type: str = REQUEST, data: bytes = BODY, **more: Json) -> bytes:
    named: JsonObject = {"id": id, "type": type, "inferenceservicename": "iris", "namespace": "default", **more}
    return written(named, data, "application/json")


def answer(id: str, data: bytes = b'{"predictions": [1]}', **more: Json) -> bytes:
    return line(id, RESPONSE, data, **more)


def read(lines: list[bytes]) -> list[Exchange]:
    whole = b"".join(lines)

    def at(entry: Entry) -> Exchange:
        spans = [whole[one[0] : one[0] + one[1]] if one else None for one in (entry.request, entry.response)]
        assert spans[0] is not None
        return exchange(entry, spans[0], spans[1])

    return [at(entry) for entry in index(lines, "f").entries]


def test_request_and_response_are_paired_by_id_however_they_are_mixed() -> None:
    found = read([line("a"), line("b"), answer("b", b'{"predictions": [2]}'), answer("a")])
    assert [(one.id, one.answer and one.answer.body) for one in found] == [
        ("a", b'{"predictions": [1]}'),
        ("b", b'{"predictions": [2]}'),
    ]


def test_a_json_body_is_kept_to_the_byte_and_any_other_too() -> None:
    binary = b'{"inputs":[]}\x00\x01'
    lines = [line("a"), written({"id": "b", "type": REQUEST}, binary, "application/octet-stream", 13)]
    first, second = read(lines)
    assert (first.body, first.json_length) == (BODY, None)
    assert (second.body, second.json_length, second.content_type) == (binary, 13, "application/octet-stream")


def test_a_body_over_several_lines_is_written_on_one() -> None:
    written_line = line("a", data=b'{"instances":\n [[1.0]]}')
    assert written_line.count(b"\n") == 1
    assert read([written_line])[0].body == b'{"instances":[[1.0]]}'


def test_a_body_that_says_json_and_is_not_is_kept_as_it_is() -> None:
    assert read([line("a", data=b"{not json")])[0].body == b"{not json"


def test_the_time_to_an_answer_is_as_recorded_or_else_between_the_two_events() -> None:
    lines = [
        line("a", time="2026-11-24T00:00:00.000Z"),
        answer("a", time="2026-11-24T00:00:01.500Z"),
        line("b", time="2026-11-24T00:00:00Z"),
        answer("b", latencyms=2.5),
    ]
    assert [one.answer and one.answer.seconds for one in read(lines)] == [1.5, 0.0025]


def test_a_line_that_is_cut_at_the_end_is_left_out_and_said() -> None:
    found = index([line("a"), answer("a"), line("b")[:40]], "f")
    assert [one.id for one in found.entries] == ["a"]
    assert list(found.notes) == ["the last line is cut: left out"]


def test_what_is_not_used_is_said() -> None:
    lines = [b"rubbish\n", line("a"), line("a"), answer("x"), written({"id": "y", "type": "other"}, b"", "text/plain")]
    assert [note.partition(": not a")[0] for note in index(lines, "f").notes] == [
        "line 1",
        "1 requests have no recorded answer: sent, and not compared",
        "1 answers have no recorded request: left out",
        "1 records have the id of another: left out",
        "1 events of other types: left out",
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "f: no recorded request"),
        ([b"id,type\n", b"1,2\n"], "f: no recorded request .line 1: not a CloudEvent"),
        ([answer("a")], "1 responses without their requests"),
        ([line("a")[:30]], "its only line is cut"),
    ],
)
def test_a_file_without_requests_is_refused_with_the_reason(lines: list[bytes], why: str) -> None:
    with pytest.raises(RecordError, match=why) as refused:
        index(lines, "f")
    assert "inferplane record" in refused.value.fix


def test_events_of_kserves_logger_have_no_path_and_no_status() -> None:
    events = [{"id": "a", "type": kind, "data": {"predictions": [1]}} for kind in (REQUEST, RESPONSE)]
    [found] = read([json.dumps(one).encode() + b"\n" for one in events])
    assert (found.path, found.answer and found.answer.status) == ("", 200)


def test_text_of_another_type_stands_in_a_json_string() -> None:
    event = {"id": "a", "type": REQUEST, "datacontenttype": "text/plain", "data": "héllo"}
    assert read([msgspec.json.encode(event) + b"\n"])[0].body == "héllo".encode()


def test_bad_base64_is_named() -> None:
    event = {"id": "a", "type": REQUEST, "data_base64": "%%%"}
    with pytest.raises(RecordError, match="event a: data_base64 is not base64"):
        read([msgspec.json.encode(event) + b"\n"])


def test_services_are_told_once() -> None:
    assert list(index([line("a"), line("b")], "f").services) == ["default/iris"]
