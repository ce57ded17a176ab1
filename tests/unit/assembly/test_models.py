"""How processes fetch models: the cache's place and size, and what is said meanwhile."""

from pathlib import Path

import pytest
from tests.unit.dataplane.storage.stores import MemoryStore
from tests.unit.dataplane.storage.test_cache import tree

from inferplane.assembly import models, storage_initializer
from inferplane.assembly.home import Home
from inferplane.assembly.models import cache_size, cache_variables, fetch, progress, size
from inferplane.dataplane.storage import stores
from inferplane.dataplane.storage.errors import StorageError
from inferplane.dataplane.storage.transfer import Meter


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    found = MemoryStore({"model.joblib": b"weights"})
    monkeypatch.setattr(stores, "opened", lambda uri, environ: found)
    return found


def test_the_node_tells_where_the_cache_is_and_how_large(tmp_path: Path) -> None:
    assert cache_variables(Home(tmp_path), {"INFERPLANE_CACHE_SIZE": "5Gi"}) == {
        "INFERPLANE_MODEL_CACHE": str(tmp_path / "cache" / "models"),
        "INFERPLANE_CACHE_SIZE": "5Gi",
    }
    assert cache_variables(Home(tmp_path), {})["INFERPLANE_CACHE_SIZE"] == "20Gi"


@pytest.mark.parametrize("text", ["much", "-1", "5GB"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(StorageError, match=f"INFERPLANE_CACHE_SIZE: expected a size such as 20Gi, got '{text}'"):
        cache_size(text)


def test_sizes_are_quantities() -> None:
    assert [cache_size(text) for text in ("0", "1k", "2Gi")] == [0, 1000, 2 << 30]


def test_a_fetch_says_what_it_did(tmp_path: Path, store: MemoryStore) -> None:
    environ = {"INFERPLANE_MODEL_CACHE": str(tmp_path / "cache")}
    first, second = (fetch("s3://b/m", tmp_path / pod, environ, print) for pod in ("a", "b"))
    assert first.startswith(f"s3://b/m is at {tmp_path}/a: 7 B fetched in ")
    assert second == f"s3://b/m is at {tmp_path}/b: out of the cache"
    assert tree(tmp_path / "a") == tree(tmp_path / "b") == store.objects


def test_without_a_cache_nothing_but_the_model_is_left(tmp_path: Path, store: MemoryStore) -> None:
    fetch("s3://b/m", tmp_path / "models", {}, print)
    assert [one.name for one in (tmp_path / "models").iterdir()] == ["model.joblib"]
    assert store.reads == 7


def test_progress_is_told_in_shares_where_the_size_is_known() -> None:
    known, unknown = Meter(total=4 << 30, done=1 << 30), Meter(done=3 << 20)
    assert progress("s3://b/m", known, 210 << 20) == "fetching s3://b/m: 25 % of 4.0 GiB, 210.0 MiB/s"
    assert progress("https://h/m?sig=hidden", unknown, 512) == "fetching https://h/m?…: 3.0 MiB, 512 B/s"


def test_sizes_are_written_for_people() -> None:
    assert [size(count) for count in (0, 1023, 1536, 5 << 40, 9 << 60)] == [
        "0 B", "1023 B", "1.5 KiB", "5.0 TiB", "9437184.0 TiB",
    ]  # fmt: skip


def test_the_initializer_leaves_its_last_words_for_the_pods_status(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "said"
    monkeypatch.setenv("INFERPLANE_TERMINATION_LOG", str(said))
    monkeypatch.setenv("INFERPLANE_MODEL_CACHE", str(tmp_path / "cache"))
    assert storage_initializer.main(["s3://b/m", str(tmp_path / "a"), "s3://b/m", str(tmp_path / "b")]) == 0
    assert said.read_text().splitlines()[1] == f"s3://b/m is at {tmp_path}/b: out of the cache"
    store.broken.add("model.joblib")
    store.objects["model.joblib"] = b"another"
    monkeypatch.setattr(models, "Effort", lambda connections: _Once())
    assert storage_initializer.main(["s3://b/m", str(tmp_path / "c")]) == 1
    assert "the connection was reset (file model.joblib: 0 of 7 bytes fetched" in said.read_text()
    assert capsys.readouterr().err == f"storage-initializer: {said.read_text()}\n"


class _Once:
    connections, tries = 1, 1


def test_arguments_that_are_no_pairs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert storage_initializer.main(["s3://b/m"]) == 1
    assert "usage: inferplane storage-initializer SOURCE DESTINATION" in capsys.readouterr().err
