"""Each format behind the HTTP lane: what goes over the wire, and what a client's mistakes are answered with."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from tests.contract.model_server.serving import Serving, get, post, serving
from tests.contract.runtimes.made import MAKERS, ROWS

from inferplane import Model
from inferplane.dataplane.runtimes.registry import models
from inferplane.dataplane.runtimes.single_file import SingleFileModel

V1, V2 = "/v1/models/iris:predict", "/v2/models/iris/infer"


@pytest.fixture(scope="module", params=MAKERS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    directory = tmp_path_factory.mktemp("model")
    MAKERS[request.param](directory)
    (model,) = models(request.param, "iris", directory)
    model.load()
    return model


async def answered(server: Serving, path: str, body: object) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = await server.exchange(post(path, data, "Content-Type: application/json"))
    return answer.status, orjson.loads(answer.body)


def classes(values: object, shape: list[int]) -> list[int]:
    """A class a row, out of classes or probabilities."""
    found = np.array(values, dtype=np.float64).reshape(shape)
    return [int(row) if row.ndim == 0 else int(row.argmax()) for row in found]


def tensor(rows: list[list[float]], datatype: str = "FP32", **more: object) -> dict[str, object]:
    flat = [cell for row in rows for cell in row]
    one = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": datatype, "data": [*flat]}
    return {"inputs": [one], **more}


async def test_v1_and_v2_give_the_same_classes(served: Model) -> None:
    async with serving(served) as server:
        status, first = await answered(server, V1, {"instances": ROWS})
        again, second = await answered(server, V2, tensor(ROWS))
    assert (status, again) == (200, 200)
    output = second["outputs"][0]
    predictions = np.array(first["predictions"])
    assert classes(first["predictions"], [*predictions.shape]) == [1, 1]
    assert classes(output["data"], output["shape"]) == [1, 1]


async def test_metadata_tells_the_widths_and_types_of_what_is_answered(served: Model) -> None:
    async with serving(served) as server:
        metadata = orjson.loads((await server.exchange(get("/v2/models/iris"))).body)
        _, answer = await answered(server, V2, tensor(ROWS))
    (given,) = metadata["inputs"]
    (output,) = answer["outputs"]
    (told,) = metadata["outputs"]
    assert given["shape"] == [-1, 4]
    assert (told["name"], told["datatype"]) == (output["name"], output["datatype"])
    assert told["shape"][1:] == output["shape"][1:]


async def test_the_owner_of_a_model_reads_in_its_metadata_what_its_log_says(served: Model) -> None:
    assert isinstance(served, SingleFileModel)
    before, served.notes = served.notes, ["saved with 1, this is 2"]
    try:
        async with serving(served) as server:
            metadata = orjson.loads((await server.exchange(get("/v2/models/iris"))).body)
    finally:
        served.notes = before
    assert metadata["parameters"] == {"warning": "saved with 1, this is 2"}


MISTAKES: list[tuple[str, object]] = [
    (V1, {"instances": [[1.0, 2.0]]}),
    (V1, {"instances": [[1.0, 2.0, 3.0, "x"]]}),
    (V1, {"instances": [[1.0, 2.0, 3.0, 4.0], [1.0]]}),
    (V1, {"instances": [[[1.0, 2.0, 3.0, 4.0]]] * 2}),
    (V1, {"instances": [1.0, 2.0, 3.0, 4.0]}),
    (V1, {"instances": [{"zz": 1.0, "x": 2.0}]}),
    (V1, {"instances": ["x"]}),
    (V1, {"instances": [None]}),
    (V1, {"instances": [[{}]]}),
    (V1, {"instances": []}),
    (V1, {"instances": {}}),
    (V1, {"inputs": {"zz": [1.0]}}),
    (V1, {}),
    (V1, b'{"instances":[[1,2,3,1e999]]}'),
    (V2, tensor([[1.0, 2.0]])),
    (V2, {"inputs": []}),
    (V2, {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "BYTES", "data": ["a", "b", "c", "d"]}]}),
    (V2, {"inputs": [{"name": "x", "shape": [4], "datatype": "FP32", "data": [1, 2, 3, 4]}]}),
    (V2, {"inputs": [{"name": n, "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]} for n in ("x", "zz")]}),
    (V2, tensor([[1.0, 2.0, 3.0, 4.0]], outputs=[{"name": "zz"}])),
]


@pytest.mark.parametrize(("path", "body"), MISTAKES, ids=repr)
async def test_a_clients_mistake_is_never_the_servers(served: Model, path: str, body: object) -> None:
    async with serving(served) as server:
        status, answer = await answered(server, path, body)
        after, _ = await answered(server, V1, {"instances": ROWS})
    assert 400 <= status < 500, answer
    assert answer["error"]
    assert after == 200


async def test_a_directory_of_models_is_served_under_their_names(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        MAKERS["sklearn"](tmp_path / name)
    found = models("sklearn", "unused", tmp_path)
    for model in found:
        model.load()
    async with serving(*found) as server:
        for name in ("one", "two"):
            assert await answered(server, f"/v1/models/{name}:predict", {"instances": ROWS}) == (
                200,
                {"predictions": [1, 1]},
            )
