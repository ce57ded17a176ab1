"""From a URI to a directory: what is reused, what is fetched again, what is never seen half done."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from tests.unit.dataplane.storage.stores import MemoryStore, tar, zipped
from tests.unit.dataplane.storage.test_cache import tree

from inferplane.dataplane.storage import stores
from inferplane.dataplane.storage.cache import Cache
from inferplane.dataplane.storage.errors import Changed, StorageError
from inferplane.dataplane.storage.fetch import Fetcher
from inferplane.dataplane.storage.transfer import Effort, Meter

URI = "s3://bucket/model"


@dataclass
class Machine:
    """A machine with a cache, and the one store that its URIs lead to."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)
    pods: Iterator[int] = field(default_factory=lambda: count(1))

    def fetches(self, store: MemoryStore, *, writable: bool = False, limit: int = 10**6, **environ: str) -> Path:
        """The directory of a new pod."""
        self.monkeypatch.setattr(stores, "opened", lambda uri, environ: store)
        pod = self.root / f"pod-{next(self.pods)}" / "models"
        fetcher = Fetcher(
            Cache(self.root / "cache", limit),
            environ,
            Effort(connections=1, tries=2, sleep=lambda _: None),
            writable=writable,
            meter=Meter(),
            say=self.said.append,
        )
        return fetcher.fetch(URI, pod)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_ten_pods_fetch_a_model_once(machine: Machine) -> None:
    store = MemoryStore({"model.joblib": b"weights", "conf/a.json": b"{}"})
    found = [tree(machine.fetches(store)) for _ in range(10)]
    assert found == [store.objects] * 10
    assert store.reads == 9


def test_ten_pods_at_once_fetch_a_model_once(machine: Machine) -> None:
    store = MemoryStore({"model.joblib": b"weights" * 1000})
    start = threading.Barrier(10)

    def pod(_: int) -> dict[str, bytes]:
        start.wait(60)
        return tree(machine.fetches(store))

    with ThreadPoolExecutor(10) as pods:
        assert list(pods.map(pod, range(10))) == [store.objects] * 10
    assert store.reads == 7000


def test_only_the_object_that_changed_is_fetched_again(machine: Machine) -> None:
    store = MemoryStore({"a": b"11111", "b": b"222"})
    before = machine.fetches(store)
    store.objects["b"] = b"333"
    assert tree(machine.fetches(store)) == {"a": b"11111", "b": b"333"}
    assert store.reads == 8 + 3
    assert tree(before) == {"a": b"11111", "b": b"222"}


def test_without_a_version_nothing_is_reused(machine: Machine) -> None:
    store = MemoryStore({"a": b"same"}, versioned=False)
    machine.fetches(store)
    machine.fetches(store)
    assert store.reads == 8


def test_a_change_while_it_is_fetched_begins_it_again(machine: Machine) -> None:
    store = MemoryStore({"a": b"new"}, replaced={"a"})
    assert tree(machine.fetches(store)) == {"a": b"new"}
    assert machine.said == ["s3://bucket/model changed while it was fetched: beginning again"]


def test_a_store_that_changes_all_the_time_is_given_up(machine: Machine) -> None:
    class Restless(MemoryStore):
        def read(self, entry: object, start: int, stop: int | None) -> object:  # type: ignore[override]  # never reads
            raise Changed("a: changed")

    with pytest.raises(Changed):
        machine.fetches(Restless({"a": b"1"}))


def test_a_failed_fetch_puts_nothing_into_the_directory(machine: Machine) -> None:
    store = MemoryStore({"a": b"whole", "b": b"never comes"}, broken={"b"})
    with pytest.raises(StorageError, match=r"0 of 11 bytes fetched, 2 tries in a row"):
        machine.fetches(store)
    assert not (machine.root / "pod-1").exists()
    assert list((machine.root / "cache" / "staging").iterdir()) == []


def test_a_failed_fetch_is_gone_on_with_by_the_next(machine: Machine) -> None:
    store = MemoryStore({"a": b"whole", "b": b"12345678"}, broken={"b"})
    with pytest.raises(StorageError):
        machine.fetches(store)
    store.broken.clear()
    assert tree(machine.fetches(store)) == {"a": b"whole", "b": b"12345678"}
    assert store.reads == 13


def test_patterns_choose_the_files(machine: Machine) -> None:
    store = MemoryStore({"model.onnx": b"1", "model.pt": b"2", "doc/README.md": b"3"})
    only = machine.fetches(store, STORAGE_ALLOW_PATTERNS='["*.onnx", "doc/*"]', STORAGE_IGNORE_PATTERNS="*.md")
    assert tree(only) == {"model.onnx": b"1"}
    with pytest.raises(StorageError, match="No model found in s3://bucket/model"):
        machine.fetches(store, STORAGE_ALLOW_PATTERNS="*.h5")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "a\0b", ".."])
def test_an_object_whose_name_leads_out_is_refused(machine: Machine, path: str) -> None:
    with pytest.raises(StorageError, match="would be written outside of the model's directory"):
        machine.fetches(MemoryStore({path: b"evil", "model": b"x"}))


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("m.tar.gz", tar({"model.joblib": b"w", "d/x": b"y"})),
        ("m.tgz", tar({"model.joblib": b"w", "d/x": b"y"})),
        ("m.tar", tar({"model.joblib": b"w", "d/x": b"y"}, mode="w")),
        ("m.zip", zipped({"model.joblib": b"w", "d/x": b"y"})),
    ],
)
def test_a_single_archive_is_unpacked_and_its_files_are_cached(machine: Machine, name: str, packed: bytes) -> None:
    store = MemoryStore({name: packed}, chunk=512)
    assert tree(machine.fetches(store)) == {"model.joblib": b"w", "d/x": b"y"}
    assert tree(machine.fetches(store)) == {"model.joblib": b"w", "d/x": b"y"}
    assert store.reads == len(packed)
    assert Cache(machine.root / "cache", 0).size() == 2


def test_an_archive_beside_other_objects_stays_an_archive(machine: Machine) -> None:
    store = MemoryStore({"model.zip": b"PK", "config": b"{}"})
    assert tree(machine.fetches(store)) == store.objects


def test_links_within_an_archive_are_kept(machine: Machine) -> None:
    store = MemoryStore({"m.tgz": tar({"blobs/1": b"w"}, links={"model.bin": "blobs/1"})}, chunk=512)
    for _ in range(2):
        directory = machine.fetches(store)
        assert (directory / "model.bin").readlink() == Path("blobs/1")
        assert (directory / "model.bin").read_bytes() == b"w"


@pytest.mark.parametrize(
    ("name", "packed", "words"),
    [
        ("m.tgz", tar({"../up": b"x"}), "refused: .*outside the destination"),
        ("m.tgz", tar({"a": b"x"}, links={"b": "/etc/passwd"}), "refused: .*absolute path"),
        ("m.tgz", tar({"a": b"x"}, links={"b": "../../c"}), "refused: .*outside the destination"),
        ("m.zip", zipped({"../up": b"x"}), "refused: '../up' would be written outside"),
        ("m.zip", zipped({"/abs": b"x"}), "refused: '/abs' would be written outside"),
        ("m.zip", zipped({"a": b"x" * 99})[:60], "The file format is not valid: expected a whole zip file, got"),
        ("m.tgz", tar({"a": bytes(range(256)) * 40})[:200], "The file format is not valid: expected a whole tar file"),
        ("m.tar.gz", b"<html>no archive</html>", "The file format is not valid"),
        ("m.tgz", tar({}), "the archive holds no files"),
    ],
)
def test_a_bad_archive_is_refused_as_a_whole(machine: Machine, name: str, packed: bytes, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        machine.fetches(MemoryStore({name: packed}, chunk=512))
    assert not (machine.root / "pod-1").exists()


def test_pods_that_may_write_get_files_of_their_own(machine: Machine) -> None:
    store = MemoryStore({"model": b"weights"})
    own = machine.fetches(store, writable=True)
    (own / "model").write_bytes(b"trained further")
    assert tree(machine.fetches(store)) == {"model": b"weights"}
    assert store.reads == 7


def test_the_cache_keeps_to_its_size(machine: Machine) -> None:
    for number in range(5):
        pod = machine.fetches(MemoryStore({"model": str(number).encode() * 10}), limit=25)
        (pod / "model").unlink()
    machine.fetches(MemoryStore({"model": b""}), limit=25)  # something new, so that it looks
    assert Cache(machine.root / "cache", 0).size() == 20


def test_a_directory_in_the_way_is_named(machine: Machine) -> None:
    (machine.root / "pod-1" / "models" / "model").mkdir(parents=True)
    with pytest.raises(StorageError, match="is a directory, in the way of the model's file model"):
        machine.fetches(MemoryStore({"model": b"x"}))


def test_fetching_into_the_same_directory_again_replaces_what_changed(machine: Machine) -> None:
    store = MemoryStore({"a": b"1", "b": b"2"})
    machine.fetches(store)
    machine.pods = count(1)
    store.objects["b"] = b"3"
    assert tree(machine.fetches(store)) == {"a": b"1", "b": b"3"}


def test_local_archives_are_unpacked_too(tmp_path: Path) -> None:
    archive = tmp_path / "model.tgz"
    archive.write_bytes(tar({"model.joblib": b"w"}))
    fetcher = Fetcher(Cache(tmp_path / "cache", 10**6))
    assert tree(fetcher.fetch(f"file://{archive}", tmp_path / "models")) == {"model.joblib": b"w"}


def test_local_directories_are_linked_not_copied(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.joblib").write_bytes(b"w")
    found = Fetcher(Cache(tmp_path / "cache", 10**6)).fetch(str(tmp_path / "m"), tmp_path / "models")
    assert (found / "model.joblib").readlink() == tmp_path / "m" / "model.joblib"


@pytest.mark.parametrize(("uri", "extra"), [("s3://b/m", "s3"), ("https://a.blob.core.windows.net/c/m", "azure")])
def test_a_library_that_is_not_here_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StorageError, match=rf"obstore is not installed: pip install 'inferplane\[{extra}\]'"):
        Fetcher(Cache(tmp_path / "cache", 0)).fetch(uri, tmp_path / "models")
