"""Many models in one repository: made-up models with a size, in a made-up memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from inferplane.dataplane.model.lifecycle import OutOfTurn, State
from inferplane.dataplane.model.model import Model
from inferplane.dataplane.residency.models import UNLOADED, ManyModels
from inferplane.dataplane.server.administration import index
from inferplane.inference.errors import ModelLoadError, ModelNotFound, ModelNotReady
from inferplane.kernel.errors import InferplaneError

BASE = 100


class Heap:
    def __init__(self) -> None:
        self.taken = 0

    def used(self) -> int:
        return BASE + self.taken

    def release(self) -> None:
        pass


class Sized(Model):
    """Takes as many bytes as its directory's name says."""

    def __init__(self, name: str, directory: Path, heap: Heap, gate: threading.Event) -> None:
        super().__init__(name)
        self.size = int(directory.name)
        self.heap = heap
        self.gate = gate
        self.loads = 0

    def load(self) -> bool:
        assert self.gate.wait(30)
        if self.size == 13:
            raise OSError("disk on fire")
        self.heap.taken += self.size
        self.loads += 1
        self.ready = True
        return True

    def stop(self) -> None:
        if self.ready:
            self.heap.taken -= self.size
        super().stop()


class Attendant:
    """`busy` have requests; `used` says when the last one came."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.used: dict[str, float] = {}
        self.retired: list[Model] = []

    def is_idle(self, model: Model) -> bool:
        return model.name not in self.busy

    def last_used(self, model: Model) -> float:
        return self.used.get(model.name, 0.0)

    def retire(self, model: Model) -> None:
        self.retired.append(model)
        model.stop()

    @contextmanager
    def computing(self) -> Iterator[None]:
        yield


class Server:
    def __init__(self, root: Path, limit: int | None, executor: ThreadPoolExecutor) -> None:
        self.root = root
        self.heap = Heap()
        self.gate = threading.Event()
        self.gate.set()
        self.attendant = Attendant()
        self.models = ManyModels(self._make, executor, self.heap, limit)
        self.models.attended(self.attendant)

    def _make(self, name: str, framework: str, directory: Path) -> Model:
        if framework != "sized":
            raise InferplaneError(f"no {framework} here")
        return Sized(name, directory, self.heap, self.gate)

    async def serves(self, **sizes: int) -> None:
        for name, size in sizes.items():
            directory = self.root / str(size)
            directory.mkdir(exist_ok=True)
            await self.models.serve(name, "sized", directory)

    async def asked(self, name: str) -> None:
        """As a request would: loaded if need be."""
        model = self.models.models.get(name)
        if model is None or not model.ready:
            arrival = self.models.arrival(name)
            assert arrival is not None
            await arrival()
        self.attendant.used[name] = asyncio.get_running_loop().time() + len(self.attendant.used) + 1000

    @property
    def loaded(self) -> set[str]:
        return {name for name, model in self.models.models.items() if model.ready}


@asynccontextmanager
async def server(root: Path, limit: int | None = None) -> AsyncIterator[Server]:
    with ThreadPoolExecutor(2) as executor:
        yield Server(root, limit, executor)


async def test_models_are_loaded_while_there_is_room_and_known_past_that(tmp_path: Path) -> None:
    async with server(tmp_path, 1000) as made:
        await made.serves(a=500, b=450, c=100)
        assert made.loaded == {"c", "b"} or made.loaded == {"a", "b"}
        assert list(made.models.get_models()) == ["a", "b", "c"]
        assert made.heap.used() <= 1000


async def test_a_request_loads_the_model_and_the_least_recently_used_goes(tmp_path: Path) -> None:
    async with server(tmp_path, 1000) as made:
        await made.serves(a=300, b=300)
        for name in ("b", "a"):
            await made.asked(name)
        await made.serves(c=350)
        await made.asked("c")
        assert made.loaded == {"a", "c"}
        await made.asked("b")
        assert made.loaded == {"b", "c"}
        assert (made.heap.used(), made.models.counts.unloads) == (750, 2)


async def test_where_only_one_fits_each_is_asked_before_it_goes(tmp_path: Path) -> None:
    async with server(tmp_path, 150) as made:
        await made.serves(a=40, b=41)

        async def asks(name: str) -> int:
            answered = 0
            for _ in range(20):
                await made.asked(name)
                # As the server does: whoever has waited asks at once.
                answered += made.models.models[name].ready
                await asyncio.sleep(0)
            return answered

        first, second = await asyncio.gather(asks("a"), asks("b"))
        assert (first, second) == (20, 20)


async def test_requests_for_one_model_wait_for_one_load(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        await made.serves(a=10)
        made.models.unload("a")
        made.gate.clear()
        asking = [asyncio.ensure_future(made.asked("a")) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert not any(one.done() for one in asking)
        made.gate.set()
        await asyncio.gather(*asking)
        model = made.models.models["a"]
        assert isinstance(model, Sized)
        assert model.loads == 2


async def test_a_request_for_a_model_on_its_way_waits_for_it(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        made.models.expect("a")
        asking = asyncio.ensure_future(made.asked("a"))
        await asyncio.sleep(0)
        assert not asking.done()
        await made.serves(a=10)
        await asking
        assert made.loaded == {"a"}


async def test_a_model_that_cannot_be_had_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        await made.serves(good=10)
        made.models.expect("bad")
        made.models.cannot("bad", "s3://b/bad: nothing there")
        with pytest.raises(ModelNotReady, match="s3://b/bad: nothing there"):
            await made.asked("bad")
        await made.asked("good")
        made.models.open()
        assert await made.models.is_ready()
        assert not await made.models.is_model_ready("bad")


async def test_a_model_that_breaks_as_it_loads_leaves_what_was_served_before(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        await made.serves(a=10)
        with pytest.raises(ModelLoadError, match="model a failed to load: OSError: disk on fire"):
            await made.serves(a=13)
        made.models.cannot("a", "disk on fire")
        assert made.loaded == {"a"}
        assert made.models.reason("a") == "the version of before is served: disk on fire"


async def test_a_model_larger_than_the_memory_is_refused_in_words(tmp_path: Path) -> None:
    async with server(tmp_path, 1000) as made:
        await made.serves(a=500)
        with pytest.raises(
            ModelLoadError, match=r"^model huge takes 0\.0 MiB in memory; this server may take 0\.0 MiB, "
        ):
            await made.serves(huge=901)
        assert made.heap.used() <= 1000
        await made.asked("a")


async def test_files_larger_than_the_memory_are_not_even_loaded(tmp_path: Path) -> None:
    async with server(tmp_path, 1000) as made:
        (tmp_path / "5").mkdir()
        (tmp_path / "5" / "model").write_bytes(bytes(2000))
        with pytest.raises(ModelLoadError, match=r"model a takes 0\.0 MiB on disk"):
            await made.serves(a=5)
        assert made.models.counts.loads == 0


async def test_one_that_answers_requests_is_not_unloaded(tmp_path: Path) -> None:
    async with server(tmp_path, 1000) as made:
        await made.serves(a=400, b=400)
        made.attendant.busy = {"a", "b"}
        await made.serves(c=300)
        await made.asked("c")
        assert {"a", "b"} <= made.loaded
        with pytest.raises(OutOfTurn, match="answers requests now"):
            made.models.unload("a")


async def test_a_new_version_takes_the_place_of_the_old_one_and_a_gone_model_is_unknown(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        await made.serves(a=10)
        old = made.models.models["a"]
        await made.serves(a=20)
        assert (made.attendant.retired, made.heap.taken) == ([old], 20)
        made.models.withdraw("a")
        assert (made.heap.taken, made.models.arrival("a")) == (0, None)
        with pytest.raises(ModelNotFound):
            made.models.existing("a")


async def test_a_model_that_goes_while_somebody_waits_for_it_is_unknown_to_them(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        made.models.expect("a")
        asking = asyncio.ensure_future(made.asked("a"))
        await asyncio.sleep(0)
        made.models.withdraw("a")
        with pytest.raises(ModelNotFound):
            await asking


async def test_the_index_has_every_model_and_its_reason(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        await made.serves(here=10, out=10)
        made.models.unload("out")
        made.models.expect("coming")
        made.models.cannot("bad", "no such bucket")
        found = await index(made.models, ready_only=False)
        assert [(one["name"], one["state"], one["reason"]) for one in found if isinstance(one, dict)] == [
            ("here", "READY", ""),
            ("out", "READY", UNLOADED),
            ("coming", "LOADING", "being fetched"),
            ("bad", "UNAVAILABLE", "no such bucket"),
        ]
        assert made.models.states() == {"loaded": 1, "unloaded": 1, "loading": 1, "failed": 1}
        assert made.models.state("out") is State.UNLOADED


async def test_a_framework_that_is_not_here_is_named(tmp_path: Path) -> None:
    async with server(tmp_path) as made:
        with pytest.raises(InferplaneError, match="no strange here"):
            await made.models.serve("a", "strange", tmp_path)
