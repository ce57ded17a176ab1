from collections.abc import Sequence
from pathlib import Path

import pytest

from inferplane.dataplane.agent.events import REQUEST, RESPONSE, Event, parsed
from inferplane.dataplane.agent.records import About
from inferplane.dataplane.agent.settings import Format, LoggerSettings, StoreSettings
from inferplane.dataplane.agent.sinks.choosing import check, sinks
from inferplane.dataplane.agent.sinks.files import DirectoryFiles, LineFiles, directory
from inferplane.dataplane.agent.sinks.marshalling import OwnMarshaller
from inferplane.dataplane.agent.sinks.sink import Unavailable, WrongSink
from inferplane.dataplane.storage.errors import StorageError


def event(name: str, kind: str = REQUEST) -> Event:
    return Event({"id": name, "type": kind, "namespace": "ns", "time": "t"}, b"{}")


def lines(at: Path) -> list[list[str]]:
    """Ids of the events, file by file in the order of their numbers."""
    files = sorted(at.rglob("*.jsonl"), key=lambda file: int(file.stem.rpartition("-")[2]))
    return [[parsed(line).id for line in file.read_bytes().splitlines()] for file in files]


async def sent(sink: LineFiles, *batches: Sequence[str]) -> None:
    for batch in batches:
        await sink.send([event(name) for name in batch])


async def test_lines_are_there_as_soon_as_they_are_sent(tmp_path: Path) -> None:
    sink = LineFiles(f"file://{tmp_path}/log", StoreSettings(path="a"), "now")
    await sent(sink, "ab", "c")
    assert lines(tmp_path / "log" / "a") == [["a", "b", "c"]]
    await sink.close()


async def test_a_file_that_is_large_is_followed_by_another(tmp_path: Path) -> None:
    sink = LineFiles(f"file://{tmp_path}", StoreSettings(), "now", largest=200)
    await sent(sink, "a", "b", "c", "d", "e")
    assert [len(file) for file in lines(tmp_path)] == [2, 2, 1]
    await sink.close()


async def test_a_directory_that_cannot_be_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    sink = LineFiles(f"file://{tmp_path}/log", StoreSettings(), "now")
    with pytest.raises(Unavailable, match="log"):
        await sent(sink, "a")
    (tmp_path / "log").unlink()
    await sent(sink, "a")
    assert lines(tmp_path / "log") == [["a"]]
    await sink.close()


async def test_other_formats_are_a_file_for_each_batch(tmp_path: Path) -> None:
    store = StoreSettings("s", Format.CSV, batch_size=2)
    sink = DirectoryFiles(f"file://{tmp_path}", store, OwnMarshaller(Format.CSV, About("")))
    await sink.send([event("a"), event("b")])
    await sink.send([event("c", RESPONSE)])
    found = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert found == ["ns/s/a-request.csv", "ns/s/c-response.csv"]
    assert sink.batch.apart


@pytest.mark.parametrize("url", ["file://host/a", "file:a"])
def test_a_directory_is_an_absolute_path_of_this_machine(url: str) -> None:
    with pytest.raises(WrongSink, match="file:///DIRECTORY"):
        directory(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3a://b", "expected s3://BUCKET/PATH"),
        ("s3:///p", "no bucket in the url"),
        ("s3://b", "needs --log-store-path"),
        ("kafka://h:9092", "expected kafka://HOST:PORT/TOPIC"),
        ("file://h/x", "file:///DIRECTORY"),
    ],
)
def test_a_url_that_events_cannot_go_to_is_told_before_anything_starts(url: str, words: str) -> None:
    with pytest.raises(WrongSink, match=words):
        check(LoggerSettings((url,)))


def test_a_bucket_of_azure_names_container_and_account() -> None:
    with pytest.raises(StorageError, match="abfs://CONTAINER@ACCOUNT"):
        sinks(LoggerSettings(("abfs://container",), store=StoreSettings("p")), {})


async def test_each_url_is_a_sink_of_its_kind(tmp_path: Path) -> None:
    urls = (f"file://{tmp_path}", "http://a/x", "broker-ingress/default", "kafka://h:9092/t", "s3://b/p")
    found = sinks(LoggerSettings(urls, store=StoreSettings("p")), {"AWS_DEFAULT_REGION": "us-east-1"})
    kinds = [type(sink).__name__ for sink in found]
    assert kinds == ["LineFiles", "HttpSink", "HttpSink", "KafkaSink", "BucketSink"]
