"""Models answer their own example before they are ready."""

import json
from pathlib import Path

import joblib
import pytest
from sklearn.svm import SVC

from inferplane.assembly.examples import warmed_up
from inferplane.dataplane.model.repository import ModelRepository
from inferplane.dataplane.runtimes.sklearn import SKLearnModel
from inferplane.dataplane.server.http.endpoints import Body
from inferplane.dataplane.server.http.openapi import document
from inferplane.inference.errors import ModelLoadError
from inferplane.kernel.json import Json, object_at


async def loaded(directory: Path, example: Json) -> ModelRepository:
    joblib.dump(SVC().fit([[0.0, 0.0], [1.0, 1.0]], [0, 1]), directory / "model.joblib")
    if example is not None:
        (directory / "example.json").write_text(json.dumps(example))
    repository = ModelRepository()
    repository.update(SKLearnModel("m", directory))
    await repository.load("m")
    return repository


@pytest.mark.parametrize(
    "example",
    [
        {"instances": [[1.0, 1.0]]},
        {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [1, 2]}]},
    ],
)
async def test_an_example_that_is_answered_stays_with_the_model(tmp_path: Path, example: Json) -> None:
    repository = await loaded(tmp_path, example)
    await warmed_up(repository, "m")
    kept = repository.models["m"].example
    assert kept is not None
    assert kept.request == example


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"instances": [[1.0, 2.0, 3.0]]}, "X has 3 features, but SVC is expecting 2 features"),
        ({"instances": [["a", "b"]]}, "could not convert string to float"),
    ],
)
async def test_a_model_that_does_not_answer_its_example_is_not_loaded(tmp_path: Path, example: Json, said: str) -> None:
    repository = await loaded(tmp_path, example)
    with pytest.raises(ModelLoadError) as caught:
        await warmed_up(repository, "m")
    assert f"{tmp_path / 'example.json'}: the model does not answer its own example: " in str(caught.value)
    assert said in str(caught.value)


async def test_a_model_need_not_answer_what_was_written_for_mlflow(tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text('{"data": [[1.0, 2.0, 3.0]]}')
    repository = await loaded(tmp_path, None)
    await warmed_up(repository, "m")
    assert repository.models["m"].example is None


async def test_a_model_without_an_example_is_ready_as_it_is(tmp_path: Path) -> None:
    repository = await loaded(tmp_path, None)
    await warmed_up(repository, "m")
    assert repository.models["m"].example is None


def test_examples_are_in_the_description_of_the_server() -> None:
    told = document("1", {Body.V1: {"m": {"instances": [[1]]}}})
    body = object_at(told, "paths", "/v1/models/{model}:predict", "post", "requestBody", "content", "application/json")
    assert body["examples"] == {"m": {"value": {"instances": [[1]]}}}
