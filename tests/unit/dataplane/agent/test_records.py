"""Files of events, held against what KServe's agent stores (reference 7.2; 10.8, 59 and 61)."""

import csv
import io
from base64 import b64encode

import orjson
import pytest

from inferplane.dataplane.agent.events import REQUEST, RESPONSE, Event, parsed
from inferplane.dataplane.agent.records import COLUMNS, About, as_array, key, marshalled, record
from inferplane.dataplane.agent.settings import Format

ABOUT = About("s3://bucket/prefix", "ca.crt", skip_verify=True)


def event(name: str = "0123", kind: str = REQUEST, data: bytes = b'{"a": "x, \\"y\\""}') -> Event:
    return Event(
        {
            "specversion": "1.0",
            "id": name,
            "type": kind,
            "time": "2026-01-01T00:00:00.000000Z",
            "source": "http://localhost:9081/",
            "inferenceservicename": "iris",
            "namespace": "ns",
            "component": "predictor",
            "endpoint": "default",
            "metadata": '{"X-User":["ada"]}',
            "annotations": '{"k":"v"}',
            "datacontenttype": "application/json",
        },
        data,
    )


def test_a_record_has_kserves_keys() -> None:
    found = record(event(), ABOUT)
    assert {name: found[name] for name in ("url", "sourceUri")} == {
        "url": _url("s3", "bucket", "/prefix"),
        "sourceUri": _url("http", "localhost:9081", "/"),
    }
    assert {name: value for name, value in found.items() if name not in ("url", "sourceUri")} == {
        "bytes": b64encode(event().data).decode(),
        "contentType": "application/json",
        "reqType": REQUEST,
        "id": "0123",
        "inferenceService": "iris",
        "namespace": "ns",
        "component": "predictor",
        "endpoint": "default",
        "metadata": {"X-User": ["ada"]},
        "annotations": {"k": "v"},
        "certName": "ca.crt",
        "tlsSkipVerify": True,
        "occurrenceTime": "2026-01-01T00:00:00.000000Z",
    }


def _url(scheme: str, host: str, path: str) -> dict[str, object]:
    empty = {"Opaque": "", "User": None, "RawPath": "", "OmitHost": False, "ForceQuery": False, "RawQuery": ""}
    return {**empty, "Scheme": scheme, "Host": host, "Path": path, "Fragment": "", "RawFragment": ""}


def test_what_is_empty_is_left_out_of_a_record_but_the_time() -> None:
    bare = Event({"id": "1", "type": REQUEST, "time": "t"}, b"")
    assert record(bare, About("")) == {"reqType": REQUEST, "id": "1", "occurrenceTime": "t"}


def test_a_file_of_json_is_an_object_for_one_and_an_array_for_none_or_many() -> None:
    one, two = event("1"), event("2")
    assert orjson.loads(marshalled(Format.JSON, [one], ABOUT)) == record(one, ABOUT)
    assert orjson.loads(marshalled(Format.JSON, [one, two], ABOUT)) == [record(one, ABOUT), record(two, ABOUT)]
    assert marshalled(Format.JSON, [], ABOUT) == b"[]"
    assert orjson.loads(as_array([one], ABOUT)) == [record(one, ABOUT)]


def test_a_file_of_csv_has_kserves_columns_and_quotes_what_needs_it() -> None:
    content = marshalled(Format.CSV, [event(), event("9", RESPONSE)], ABOUT).decode()
    assert content.splitlines()[0] == ",".join(COLUMNS)
    first, second = csv.DictReader(io.StringIO(content))
    assert (first["url"], first["id"], second["reqType"]) == ("s3://bucket/prefix", "0123", RESPONSE)
    assert (first["metadata"], first["tlsSkipVerify"]) == ('{"X-User":["ada"]}', "true")
    assert marshalled(Format.CSV, [], ABOUT).decode() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_file_of_parquet_has_the_same_columns(number: int) -> None:
    from pyarrow import BufferReader, parquet

    content = marshalled(Format.PARQUET, [event(str(n)) for n in range(number)], ABOUT)
    table = parquet.read_table(BufferReader(content))
    assert tuple(table.column_names) == COLUMNS
    assert table.column("id").to_pylist() == [str(n) for n in range(number)]
    assert table.column("tlsSkipVerify").to_pylist() == [True] * number
    assert str(table.schema.field("bytes").type) == "string"


def test_a_file_of_lines_has_an_event_a_line() -> None:
    content = marshalled(Format.JSONL, [event("1"), event("2")], ABOUT)
    assert [parsed(line).id for line in content.splitlines()] == ["1", "2"]


def test_a_file_is_named_by_whose_it_is_and_its_first_record() -> None:
    asked = key("s3://bucket/prefix", "logger", event(), "json")
    assert asked == "prefix/ns/iris/predictor/logger/0123-request.json"
    assert key("gs://bucket", "/a/b/", event("7", RESPONSE), "csv") == "ns/iris/predictor/a/b/7-response.csv"


def test_an_id_cannot_lead_a_file_elsewhere() -> None:
    assert key("s3://b", "s", event("../../x"), "json") == "ns/iris/predictor/s/.._.._x-request.json"
