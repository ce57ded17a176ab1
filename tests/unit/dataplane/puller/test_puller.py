import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.clock import FakeClock

from inferplane.dataplane.puller.config import ModelSpec
from inferplane.dataplane.puller.files import ModelFiles
from inferplane.dataplane.puller.plan import Step
from inferplane.dataplane.puller.puller import CannotLoad, Phase, Pull, Puller
from inferplane.kernel.errors import InferplaneError


def spec(path: str) -> ModelSpec:
    return ModelSpec(storage_uri=f"s3://b/{path}", framework="sklearn")


class Server:
    """Writes down what it is told. `refuses` has the URIs that it cannot load, `held` is awaited by each load."""

    def __init__(self, *, in_place: bool) -> None:
        self.in_place = in_place
        self.told: list[str] = []
        self.failures: dict[str, str] = {}
        self.refuses: set[str] = set()
        self.held: asyncio.Event | None = None

    def expect(self, name: str) -> None:
        self.told.append(f"expect {name}")

    async def load(self, name: str, spec: ModelSpec, directory: Path) -> None:
        if self.held is not None:
            await self.held.wait()
        self.told.append(f"load {name} {(directory / 'model').read_text()}")
        if spec.storage_uri in self.refuses:
            raise CannotLoad(f"{name}: no")

    async def unload(self, name: str) -> None:
        self.told.append(f"unload {name}")

    def forget(self, name: str) -> None:
        self.failures.pop(name, None)

    def failed(self, name: str, reason: str) -> None:
        self.failures[name] = reason


class Pulling:
    def __init__(self, root: Path, executor: ThreadPoolExecutor, *, in_place: bool) -> None:
        self.clock = FakeClock()
        self.server = Server(in_place=in_place)
        self.fetched: list[str] = []
        self.missing: set[str] = set()
        self.files = ModelFiles(root, self._fetch)
        self.puller = Puller(self.files, self.server, executor, self.clock)
        self._versions: asyncio.Queue[dict[str, ModelSpec]] = asyncio.Queue()

    def _fetch(self, uri: str, directory: Path) -> None:
        self.fetched.append(uri)
        if uri in self.missing:
            raise InferplaneError(f"{uri}: nothing there")
        (directory / "model").write_text(uri.rpartition("/")[2])

    async def versions(self) -> AsyncIterator[dict[str, ModelSpec]]:
        while True:
            yield await self._versions.get()

    def lists(self, **models: str) -> None:
        self._versions.put_nowait({name: spec(path) for name, path in models.items()})

    async def settles(self) -> None:
        """All is done, or waits for the clock."""
        await until(self._versions.empty)
        await until(lambda: all(one.task is None or _waits(one) for one in self.puller.pulls.values()))
        for _ in range(5):
            await asyncio.sleep(0)

    async def later(self, seconds: float) -> None:
        await until(lambda: bool(self.clock.sleepers))
        self.clock.advance(seconds)
        for _ in range(5):
            await asyncio.sleep(0)
        await self.settles()


def _waits(pull: Pull) -> bool:
    return pull.phase is Phase.FAILED and not pull.changed.is_set()


async def until(claim: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not claim():  # noqa: ASYNC110  # of what the puller has no event for
            await asyncio.sleep(0.001)


@asynccontextmanager
async def pulling(root: Path, *, in_place: bool = True) -> AsyncIterator[Pulling]:
    with ThreadPoolExecutor(2) as executor:
        made = Pulling(root, executor, in_place=in_place)
        running = asyncio.create_task(made.puller.run(made.versions()))
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_what_is_listed_is_fetched_and_loaded_and_what_is_no_longer_listed_goes(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.lists(a="1", b="2")
        await made.settles()
        assert sorted(made.server.told) == ["expect a", "expect b", "load a 1", "load b 2"]
        made.lists(b="2")
        await made.settles()
        assert made.server.told[4:] == ["unload a"]
        assert sorted(path.name for path in tmp_path.iterdir()) == [".models", "b"]


async def test_a_change_replaces_the_model_where_the_server_can_do_that(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.lists(a="1")
        await made.settles()
        made.lists(a="2")
        await made.settles()
        assert made.server.told == ["expect a", "load a 1", "load a 2"]
        assert made.files.present() == {"a": spec("2")}


async def test_a_server_beside_us_unloads_the_old_version_once_the_new_one_is_here(tmp_path: Path) -> None:
    async with pulling(tmp_path, in_place=False) as made:
        made.lists(a="1")
        await made.settles()
        made.lists(a="2")
        await made.settles()
        assert made.server.told == ["expect a", "load a 1", "unload a", "load a 2"]


async def test_the_same_list_again_does_nothing(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        for _ in range(3):
            made.lists(a="2")
            await made.settles()
        assert (made.server.told, made.fetched) == (["expect a", "load a 2"], ["s3://b/2"])


async def test_only_the_newest_of_several_changes_happens(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.server.held = asyncio.Event()
        made.lists(a="1")
        await until(lambda: "a" in made.puller.pulls and made.puller.pulls["a"].phase is Phase.LOADING)
        for path in ("2", "3", "4"):
            made.lists(a=path)
        await until(lambda: made.puller.pulls["a"].wants == spec("4"))
        made.server.held.set()
        await made.settles()
        assert [one for one in made.server.told if "load" in one] == ["load a 1", "load a 4"]
        assert made.fetched == ["s3://b/1", "s3://b/4"]


async def test_what_fails_is_tried_again_later_and_later_and_says_why(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.missing = {"s3://b/1"}
        made.lists(a="1", b="2")
        await made.settles()
        assert made.server.failures == {"a": "s3://b/1: nothing there"}
        assert "load b 2" in made.server.told
        await made.later(1.0)
        assert made.server.failures == {"a": "s3://b/1: nothing there; tried 2 times"}
        made.missing = set()
        await made.later(1.0)
        assert made.fetched.count("s3://b/1") == 2
        await made.later(1.0)
        assert made.server.told[-1] == "load a 1"
        assert made.puller.counts.ended[Step.FETCH, False] == 2


async def test_a_model_that_never_came_is_forgotten_when_it_is_listed_no_more(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.missing = {"s3://b/1"}
        made.lists(a="1", b="2")
        await made.settles()
        made.lists(b="2")
        await made.settles()
        assert (made.server.failures, list(made.puller.pulls)) == ({}, ["b"])
        assert [path.name for path in (tmp_path / ".models").iterdir()] == ["b"]


async def test_a_newer_spec_does_not_wait_for_the_next_attempt(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.missing = {"s3://b/1"}
        made.lists(a="1")
        await made.settles()
        made.lists(a="2")
        await made.settles()
        assert made.server.told[-1] == "load a 2"


async def test_a_new_version_that_cannot_be_loaded_leaves_the_old_one_where_it_is(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.lists(a="1")
        await made.settles()
        made.server.refuses = {"s3://b/2"}
        made.lists(a="2")
        await made.settles()
        assert made.server.failures == {"a": "a: no"}
        assert made.files.present() == {"a": spec("1")}


async def test_a_puller_that_starts_again_fetches_nothing_twice_and_removes_what_is_gone(tmp_path: Path) -> None:
    async with pulling(tmp_path) as made:
        made.lists(a="1", b="2")
        await made.settles()
    async with pulling(tmp_path) as again:
        again.lists(a="1")
        await again.settles()
        assert again.fetched == []
        assert sorted(again.server.told) == ["expect a", "load a 1", "unload b"]
        assert again.files.present() == {"a": spec("1")}


async def test_after_a_restart_a_server_beside_us_lets_go_of_another_version(tmp_path: Path) -> None:
    async with pulling(tmp_path, in_place=False) as made:
        made.lists(a="1")
        await made.settles()
    async with pulling(tmp_path, in_place=False) as again:
        again.lists(a="2")
        await again.settles()
        assert again.server.told == ["unload a", "load a 2"]


@pytest.mark.parametrize("missing", [set[str](), {"s3://b/2"}])
async def test_all_is_brought_once_each_model_is_on_disk_or_has_failed_to_be(tmp_path: Path, missing: set[str]) -> None:
    async with pulling(tmp_path) as made:
        made.server.held = asyncio.Event()
        made.missing = missing
        brought = asyncio.ensure_future(made.puller.brought())
        await asyncio.sleep(0)
        assert not brought.done()
        made.lists(a="1", b="2")
        async with asyncio.timeout(30):
            await brought
        assert [one for one in made.server.told if one.startswith("load")] == []
