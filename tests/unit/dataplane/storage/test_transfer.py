"""Objects into files: parts, resumption, checks."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from tests.unit.dataplane.storage.stores import MemoryStore, md5

from inferplane.dataplane.storage import transfer
from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.remote import Digest
from inferplane.dataplane.storage.transfer import Effort, Job, Meter, Part, fetch_all, parts_of

CONTENT = bytes(range(100))


def fetched(store: MemoryStore, directory: Path, *, tries: int = 3) -> dict[str, bytes]:
    """Content by name; waits are taken as over."""
    waits: list[float] = []
    jobs = [Job(entry, entry.path) for entry in store.entries()]
    fetch_all(store, jobs, directory, Meter(), Effort(connections=2, tries=tries, sleep=waits.append))
    return {job.id: (directory / job.id).read_bytes() for job in jobs}


@pytest.mark.parametrize(
    ("size", "ranges", "parts"),
    [
        (0, True, [Part(0, 0, 0)]),
        (32, True, [Part(0, 0, 32)]),
        (33, True, [Part(0, 0, 32), Part(1, 32, 33)]),
        (70, True, [Part(0, 0, 32), Part(1, 32, 64), Part(2, 64, 70)]),
        (70, False, [Part(0, 0, 70)]),
        (None, True, [Part(0, 0, None)]),
    ],
)
def test_a_large_object_is_fetched_in_parts_where_the_store_allows_it(
    monkeypatch: pytest.MonkeyPatch, size: int | None, ranges: bool, parts: list[Part]
) -> None:
    monkeypatch.setattr(transfer, "PART", 32)
    assert parts_of(size, ranges=ranges) == parts


def test_every_object_becomes_a_file_with_its_content(tmp_path: Path) -> None:
    store = MemoryStore({"a": CONTENT, "b": b"", "c": b"x"})
    assert fetched(store, tmp_path) == store.objects


def test_the_sums_name_the_content(tmp_path: Path) -> None:
    store = MemoryStore({"a": b"abc"})
    sums = fetch_all(store, [Job(store.entries()[0], "a")], tmp_path, Meter(), Effort())
    assert sums == {"a": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


def test_a_broken_connection_is_gone_on_with_where_it_broke(tmp_path: Path) -> None:
    store = MemoryStore({"a": CONTENT}, breaks_after=12, breaks=5)
    assert fetched(store, tmp_path) == {"a": CONTENT}
    assert store.reads == 100


def test_a_store_that_cannot_go_on_in_the_middle_is_read_from_the_start_again(tmp_path: Path) -> None:
    store = MemoryStore({"a": CONTENT}, ranges=False, breaks_after=12, breaks=2)
    assert fetched(store, tmp_path) == {"a": CONTENT}
    assert store.reads == 12 + 12 + 100


def test_without_progress_it_gives_up_and_says_how_far_it_came(tmp_path: Path) -> None:
    store = MemoryStore({"a": CONTENT}, breaks_after=0, breaks=99)
    with pytest.raises(StorageError, match=r"the connection was reset \(file a: 0 of 100 bytes fetched, 3 tries"):
        fetched(store, tmp_path)


def test_the_parts_of_a_killed_process_are_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "PART", 40)
    half = MemoryStore({"a": CONTENT[:80]})  # what is beyond cannot be read
    jobs = [Job(MemoryStore({"a": CONTENT}).entries()[0], "a")]
    with pytest.raises(StorageError):
        fetch_all(half, jobs, tmp_path, Meter(), Effort(connections=1, tries=1, sleep=lambda _: None))
    store = MemoryStore({"a": CONTENT})
    assert fetched(store, tmp_path) == {"a": CONTENT}
    assert store.reads == 20


def test_what_a_killed_process_had_as_a_whole_is_checked_again_and_not_fetched(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    store = MemoryStore({"a": CONTENT}, digests={"a": md5(CONTENT)})
    assert fetched(store, tmp_path) == {"a": CONTENT}
    assert store.reads == 0


def test_parts_of_something_without_a_version_are_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"other" * 20)
    (tmp_path / "a.done").write_text("0\n")
    assert fetched(MemoryStore({"a": CONTENT}, versioned=False), tmp_path) == {"a": CONTENT}


def test_content_with_another_digest_is_refused_and_not_kept(tmp_path: Path) -> None:
    store = MemoryStore({"a": b"as it came"}, digests={"a": md5(b"as it was sent")})
    with pytest.raises(StorageError, match=r"corrupt: expected md5 .*, got "):
        fetched(store, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "digest",
    [
        md5(b"hello"),
        Digest("sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
        Digest("git-sha1", "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"),
        Digest("crc32c", "9a71bb4c"),
    ],
)
def test_every_kind_of_digest_that_stores_give_is_checked(tmp_path: Path, digest: Digest) -> None:
    assert fetched(MemoryStore({"a": b"hello"}, digests={"a": digest}), tmp_path / "right") == {"a": b"hello"}
    wrong = MemoryStore({"a": b"hallo"}, digests={"a": digest})
    with pytest.raises(StorageError, match=f"expected {digest.algorithm} {digest.hex}"):
        fetched(wrong, tmp_path / "wrong")


def test_a_digest_that_the_store_takes_back_does_not_count(tmp_path: Path) -> None:
    class Encrypted(MemoryStore):
        """Its ETag looks like an MD5 and is none, which it says when asked."""

        def digest(self, entry: object) -> None:
            return None

    store = Encrypted({"a": b"hello"}, digests={"a": md5(b"as encrypted")})
    assert fetched(store, tmp_path) == {"a": b"hello"}


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")  # one field of the real one
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(99))
    store = MemoryStore({"a": CONTENT})
    with pytest.raises(StorageError, match=r"no space left on the disk of .*: expected room for 100 bytes, got 99"):
        fetched(store, tmp_path)
    assert store.reads == 0


def test_a_disk_that_fills_up_meanwhile_is_said_as_that(tmp_path: Path) -> None:
    store = _Full({"a": CONTENT})
    with pytest.raises(StorageError, match="no space left on the disk of "):
        fetched(store, tmp_path)


class _Full(MemoryStore):
    def read(self, entry: object, start: int, stop: int | None) -> object:  # type: ignore[override]  # it never reads
        raise OSError(28, "No space left on device")


def test_the_meter_counts_what_is_there(tmp_path: Path) -> None:
    store, meter = MemoryStore({"a": CONTENT, "b": b"xyz"}, breaks_after=8, breaks=2), Meter()
    jobs = [Job(entry, entry.path) for entry in store.entries()]
    fetch_all(store, jobs, tmp_path, meter, Effort(sleep=lambda _: None))
    assert (meter.files, meter.total, meter.done) == (2, 103, 103)
