"""The cache: content once, linked, bounded, never evicting what is in use."""

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from inferplane.dataplane.storage.cache import Cache, Found
from inferplane.dataplane.storage.errors import StorageError


def cache_at(root: Path, limit: int = 1000) -> Cache:
    """Its clock goes on with every use."""
    clock = count(10**18, 10**9)
    return Cache(root, limit, lambda: next(clock))


def kept(cache: Cache, into: Path, key: str, files: dict[str, bytes]) -> None:
    incoming = cache.root.parent / f"incoming-{key}"
    incoming.mkdir()
    found = []
    for index, (path, content) in enumerate(files.items()):
        file = incoming / str(index)
        file.write_bytes(content)
        found.append(Found(path, file, sha256(content).hexdigest()))
    cache.keep(key, f"memory://{key}", found, into)


def tree(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def places(root: Path, names: Sequence[str]) -> list[Path]:
    found = [root / name for name in names]
    for one in found:
        one.mkdir()
    return found


def test_what_was_kept_can_be_taken_by_anybody(tmp_path: Path) -> None:
    cache, (first, second) = cache_at(tmp_path / "cache"), places(tmp_path, "ab")
    kept(cache, first, "k1", {"model.joblib": b"weights", "sub/config.json": b"{}"})
    assert cache.take("k1", second)
    assert tree(first) == tree(second) == {"model.joblib": b"weights", "sub/config.json": b"{}"}
    assert (first / "model.joblib").samefile(second / "model.joblib")


def test_what_is_not_there_is_not_taken(tmp_path: Path) -> None:
    cache, (into,) = cache_at(tmp_path / "cache"), places(tmp_path, "a")
    assert not cache.take("k1", into)
    assert tree(into) == {}


def test_the_same_content_under_two_names_is_kept_once(tmp_path: Path) -> None:
    cache, (first, second) = cache_at(tmp_path / "cache"), places(tmp_path, "ab")
    kept(cache, first, "k1", {"v1/model": b"weights"})
    kept(cache, second, "k2", {"v2/model": b"weights"})
    assert cache.size() == len(b"weights")
    assert (first / "v1/model").samefile(second / "v2/model")


def test_a_file_that_somebody_wrote_to_is_not_served_to_others(tmp_path: Path) -> None:
    cache, (first, second) = cache_at(tmp_path / "cache"), places(tmp_path, "ab")
    kept(cache, first, "k1", {"model": b"weights"})
    assert (first / "model").stat().st_mode & 0o222 == 0
    (first / "model").chmod(0o644)
    (first / "model").write_bytes(b"changed")
    assert not cache.take("k1", second)
    assert cache.size() == 0


def test_executables_stay_executable(tmp_path: Path) -> None:
    cache, (first, second) = cache_at(tmp_path / "cache"), places(tmp_path, "ab")
    script, data = tmp_path / "script", tmp_path / "data"
    for file, mode in ((script, 0o755), (data, 0o644)):
        file.write_bytes(b"#!")
        file.chmod(mode)
    name = sha256(b"#!").hexdigest()
    cache.keep("k1", "memory://", [Found("run", script, name), Found("text", data, name)], first)
    assert cache.take("k1", second)
    assert [os.access(second / name, os.X_OK) for name in ("run", "text")] == [True, False]


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache, (into, again) = cache_at(tmp_path / "cache", limit=20), places(tmp_path, "ab")
    for key in ("k1", "k2", "k3"):
        kept(cache, into, key, {key: key.encode() * 5})
    assert cache.take("k1", again)
    for path in (*into.iterdir(), *again.iterdir()):
        path.unlink()
    assert cache.trim() == 10
    assert [cache.take(key, into) for key in ("k1", "k2", "k3")] == [True, False, True]


def test_what_a_pod_uses_stays_however_large_it_is(tmp_path: Path) -> None:
    cache, (pod,) = cache_at(tmp_path / "cache", limit=5), places(tmp_path, "p")
    kept(cache, pod, "k1", {"model": b"ten letters"})
    assert cache.trim() == 0
    assert tree(pod) == {"model": b"ten letters"}
    (pod / "model").unlink()
    assert cache.trim() == 11


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path: Path) -> None:
    cache, (into,) = cache_at(tmp_path / "cache"), places(tmp_path, "a")
    with pytest.raises(StorageError, match="a/b: an object is in the way of another one below it"):
        kept(cache, into, "k1", {"a": b"file", "a/b": b"below"})


def test_what_killed_processes_left_is_cleared(tmp_path: Path) -> None:
    cache = cache_at(tmp_path / "cache")
    left = tmp_path / "cache" / "staging" / "left"
    old, young = (tmp_path / "cache" / "partial" / name for name in ("old", "young"))
    for one in (left, old, young):
        one.mkdir(parents=True)
    os.utime(old, ns=(0, 10**18 - 25 * 3600 * 10**9))
    os.utime(young, ns=(0, 10**18 - 23 * 3600 * 10**9))
    with cache.staging() as mine:
        cache.trim()
        assert [one.exists() for one in (left, old, young, mine)] == [False, False, True, True]


def test_one_process_fetches_while_the_others_wait(tmp_path: Path) -> None:
    cache, waited = cache_at(tmp_path / "cache"), []
    script = (
        "import sys; from pathlib import Path; from inferplane.dataplane.storage.cache import Cache\n"
        "with Cache(Path(sys.argv[1]), 0).fetching('m', print) as partial:\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "cache")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"

    def wait() -> None:
        waited.append("waited")
        other.communicate(timeout=60)  # the end of its input lets it go

    with cache.fetching("m", wait):
        assert other.returncode == 0
    assert waited == ["waited"]
