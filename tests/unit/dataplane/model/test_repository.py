from pathlib import Path

import pytest

from inferplane import Model, ModelNotFound, ModelNotReady, ModelRepository
from inferplane.dataplane.model.lifecycle import State
from inferplane.dataplane.model.repository import ModelRepositoryExtension
from inferplane.kernel.errors import InferplaneError


class Broken(Model):
    def load(self) -> bool:
        raise OSError("disk on fire")


class Refusing(Model):
    def load(self) -> bool:
        return False


class Slow(Model):
    async def load(self) -> bool:
        self.ready = True
        return True

    async def healthy(self) -> bool:
        return False


def repository(*models: Model) -> ModelRepository:
    made = ModelRepository()
    for model in models:
        made.update(model)
    return made


def test_models_are_listed_in_the_order_of_registration() -> None:
    assert list(repository(Model("b"), Model("a")).get_models()) == ["b", "a"]


async def test_loading_makes_a_model_ready_and_unloading_forgets_it() -> None:
    models = repository(Model("m"))
    with pytest.raises(ModelNotReady, match=r"^Model with name m is not ready.$"):
        models.ready_model("m")
    await models.load("m")
    assert models.ready_model("m").ready
    assert (models.state("m"), await models.is_model_ready("m")) == (State.READY, True)
    models.unload("m")
    with pytest.raises(ModelNotFound, match=r"^Model with name m does not exist.$"):
        models.ready_model("m")


async def test_a_load_that_raises_or_says_no_leaves_the_model_failed() -> None:
    models = repository(Broken("broken"), Refusing("refusing"))
    with pytest.raises(OSError, match="disk on fire"):
        await models.load("broken")
    with pytest.raises(ModelNotReady):
        await models.load("refusing")
    assert [models.state(name) for name in ("broken", "refusing")] == [State.FAILED, State.FAILED]


async def test_load_and_healthy_may_be_async() -> None:
    models = repository(Slow("slow"))
    await models.load("slow")
    assert models.state("slow") is State.READY
    assert not await models.is_model_ready("slow")


async def test_an_unknown_model_is_not_ready_and_cannot_be_loaded() -> None:
    assert not await repository().is_model_ready("x")
    with pytest.raises(ModelNotFound):
        await repository().load("x")


def test_a_model_without_a_name_is_refused() -> None:
    with pytest.raises(InferplaneError, match=r"^Failed to register model, model.name must be provided.$"):
        repository(Model(""))


def test_an_alias_is_a_name_of_its_own() -> None:
    models = ModelRepository()
    models.update(Model("m"), "alias")
    assert list(models.get_models()) == ["alias"]


class Made(ModelRepository):
    """Makes a model of a name, as authors of multi-model servers do."""

    def load(self, name: str) -> bool:
        if name == "broken":
            raise OSError("disk on fire")
        if name == "refusing":
            return False
        model = Model(name)
        model.load()
        self.update(model)
        return model.ready

    def load_model(self, name: str) -> bool:
        return self.load(name)


async def test_an_authors_load_makes_models_that_were_not_there() -> None:
    models = Made()
    extension = ModelRepositoryExtension(models)
    await extension.load("new")
    assert await extension.index() == [{"name": "new", "state": "Ready", "reason": ""}]
    await extension.unload("new")
    assert list(models.get_models()) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken", "Model with name broken is not ready. Error type: <class 'OSError'> error msg: disk on fire"),
        ("refusing", "Model with name refusing is not ready."),
    ],
)
async def test_a_load_that_fails_says_why(name: str, why: str) -> None:
    with pytest.raises(ModelNotReady) as failure:
        await ModelRepositoryExtension(Made()).load(name)
    assert str(failure.value) == why


async def test_unloading_an_unknown_model_is_also_a_key_error() -> None:
    with pytest.raises(KeyError):
        ModelRepository().unload("x")
    with pytest.raises(ModelNotFound):
        await ModelRepositoryExtension(ModelRepository()).unload("x")


async def test_the_index_can_leave_out_what_is_not_ready() -> None:
    models = repository(Model("a"), Model("b"))
    models.models["b"].ready = True
    extension = ModelRepositoryExtension(models)
    assert [one["state"] for one in await extension.index()] == ["NotReady", "Ready"]
    assert [one["name"] for one in await extension.index(filter_ready=True)] == ["b"]


def test_every_directory_becomes_a_model(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    models = Made(str(tmp_path))
    models.load_models()
    assert list(models.get_models()) == ["a", "b"]


def test_unload_stops_the_engine_too() -> None:
    stopped: list[str] = []

    class Engine(Model):
        def stop_engine(self) -> None:
            stopped.append(self.name)

    model = Engine("e")
    model.engine = True
    models = repository(model)
    models.unload("e")
    assert stopped == ["e"]
