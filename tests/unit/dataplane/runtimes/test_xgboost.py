"""XGBoost models: answers are those of `Booster.predict`, made without a DMatrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

xgboost = pytest.importorskip("xgboost", reason="the extra xgboost is not installed")

from inferplane import InferInput, InferRequest, InferResponse, InvalidInput  # noqa: E402
from inferplane.dataplane.runtimes.options import RuntimeOptions  # noqa: E402
from inferplane.dataplane.runtimes.xgboost import XGBoostModel, saved_with  # noqa: E402
from inferplane.inference.errors import ModelLoadError  # noqa: E402
from inferplane.inference.tensors import Array, TensorMetadata  # noqa: E402
from inferplane.kernel.json import Json  # noqa: E402

NAMES = ["a", "b", "c"]
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(200, 3))
CLASSES = (ROWS[:, 0] + ROWS[:, 1] > 0).astype(int) + (ROWS[:, 2] > 1)


def trained(names: list[str] | None = None, **parameters: object) -> Any:
    given = {"objective": "multi:softprob", "num_class": 3, "nthread": 1, "verbosity": 0, "max_depth": 3, **parameters}
    if "multi" not in str(given["objective"]):
        del given["num_class"]
    labels = CLASSES if "multi" in str(given["objective"]) else (CLASSES > 0).astype(int)
    return xgboost.train(given, xgboost.DMatrix(ROWS, labels, feature_names=names), 8)


def served(tmp_path: Path, booster: Any, name: str = "model.ubj") -> XGBoostModel:
    booster.save_model(tmp_path / name)
    model = XGBoostModel("m", tmp_path)
    model.load()
    return model


def predictions(model: XGBoostModel, instances: "Json | Array") -> Array:
    result = model.predict({"instances": instances}, {})
    assert isinstance(result, dict)
    return np.asarray(result["predictions"])


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_each_kind_of_file_is_loaded(tmp_path: Path, name: str) -> None:
    booster = trained()
    assert np.array_equal(predictions(served(tmp_path, booster, name), ROWS), booster.predict(xgboost.DMatrix(ROWS)))


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_what_is_inside_a_bst_file_decides(tmp_path: Path, kind: str) -> None:
    booster = trained()
    (tmp_path / "model.bst").write_bytes(booster.save_raw(kind))
    model = XGBoostModel("m", tmp_path)
    model.load()
    assert np.array_equal(predictions(model, ROWS), booster.predict(xgboost.DMatrix(ROWS)))


KINDS: dict[str, dict[str, object]] = {
    "probabilities": {},
    "classes": {"objective": "multi:softmax"},
    "binary": {"objective": "binary:logistic"},
    "regression": {"objective": "reg:squarederror"},
    "margin": {"objective": "binary:logitraw"},
    "dart": {"booster": "dart", "rate_drop": 0.3, "seed": 1},
    "linear": {"booster": "gblinear"},
    "forest": {"num_parallel_tree": 4, "subsample": 0.7, "seed": 1},
}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[XGBoostModel, Any]:
    booster = trained(NAMES, **KINDS[str(request.param)])
    return served(tmp_path_factory.mktemp("model"), booster), booster


cells = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(-1e30, 1e30))
tables = st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(rows=tables)
def test_predictions_are_those_over_a_dmatrix_bit_for_bit(pair: tuple[XGBoostModel, Any], rows: list[Json]) -> None:
    model, booster = pair
    matrix = xgboost.DMatrix(np.array(rows, dtype=np.float64), feature_names=NAMES)
    expected = booster.predict(matrix)
    found = predictions(model, rows)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.array_equal(found, expected, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(rows=tables)
def test_rows_together_and_one_by_one_give_the_same_bits(pair: tuple[XGBoostModel, Any], rows: list[Json]) -> None:
    model, _ = pair
    assert model.joins_requests
    alone = np.concatenate([predictions(model, [row]) for row in rows])
    assert np.array_equal(predictions(model, rows), alone, equal_nan=True)


def test_v1_and_v2_give_the_same_numbers_as_fp32(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    response = model.predict(InferRequest("m", [InferInput("x", [2, 3], "FP64", ROWS[:2].copy())]), {})
    assert isinstance(response, InferResponse)
    (found,) = response.outputs
    assert (found.name, found.datatype, list(found.shape)) == ("output-0", "FP32", [2, 3])
    assert np.array_equal(found.as_numpy(), predictions(model, ROWS[:2]))


def test_columns_by_name_come_in_any_order(tmp_path: Path) -> None:
    model = served(tmp_path, trained(NAMES))
    expected = predictions(model, [[1, 2, 3], [4, 5, 6]])
    records: list[Json] = [{"c": 3, "a": 1, "b": 2}, {"c": 6, "a": 4, "b": 5}]
    assert np.array_equal(predictions(model, records), expected)
    columns = [InferInput(n, [2], "INT64", v) for n, v in (("b", [2, 5]), ("c", [3, 6]), ("a", [1, 4]))]
    response = model.predict(InferRequest("m", columns), {})
    assert isinstance(response, InferResponse)
    assert np.array_equal(response.outputs[0].as_numpy(), expected)


def test_metadata_comes_from_the_model(tmp_path: Path) -> None:
    model = served(tmp_path, trained())
    assert model.get_input_types() == [TensorMetadata("input-0", "FP32", [-1, 3])]
    assert model.get_output_types() == [TensorMetadata("output-0", "FP32", [-1, 3])]


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1, 2]], r"^instances: the model takes rows of 3 numbers, \[rows, 3\], got \[1, 2\]$"),
        ([1, 2, 3], r"got \[3\]$"),
        ([[1, "x", 3]], r"^instances\[0\]\[1\]: expected a number, got 'x'$"),
        ([{"a": 1, "b": 2}], r"^columns are missing: c; the model has a, b, c$"),
        ([{"a": 1, "b": 2, "c": 3, "d": 4}], r"^columns are unknown: d; the model has a, b, c$"),
        ([{"a": 1, "b": "x", "c": 3}], r"^column b\[0\]: expected a number, got 'x'$"),
        ([[1, 1e39, 1]], r"^row 0, column b: infinite, or too large for a 32-bit float$"),
        ([], r"got \[0\]$"),
    ],
)
def test_rows_that_do_not_fit_are_the_clients_mistake(tmp_path: Path, instances: list[Json], message: str) -> None:
    model = served(tmp_path, trained(NAMES))
    with pytest.raises(InvalidInput, match=message):
        predictions(model, instances)


@pytest.mark.parametrize("kind", ["json", "ubj"])
def test_the_version_that_saved_a_file_is_read_from_it(tmp_path: Path, kind: str) -> None:
    trained().save_model(tmp_path / f"model.{kind}")
    assert saved_with(tmp_path / f"model.{kind}") == xgboost.__version__


def test_a_file_of_another_major_version_loads_with_a_note_that_has_both(tmp_path: Path) -> None:
    raw = bytes(trained().save_raw("json"))
    here = xgboost.__version__
    changed = raw.replace(b'"version":[' + here.replace(".", ",").encode() + b"]", b'"version":[1,7,6]')
    assert changed != raw
    (tmp_path / "model.json").write_bytes(changed)
    model = XGBoostModel("m", tmp_path, RuntimeOptions())
    model.load()
    assert model.notes == [f"model.json was saved with xgboost 1.7.6, this is {here}"]


@pytest.mark.parametrize("size", [0, 1, 500])
@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_a_file_that_was_cut_off_does_not_end_the_process(tmp_path: Path, name: str, size: int) -> None:
    raw = bytes(trained().save_raw(name.rpartition(".")[2]))[:size]
    for suffix in (name, "model.bst"):
        directory = tmp_path / suffix
        directory.mkdir()
        (directory / suffix).write_bytes(raw)
        with pytest.raises(ModelLoadError, match=rf"this is XGBoost {xgboost.__version__}\)$"):
            XGBoostModel("m", directory).load()


def test_the_old_binary_format_is_told_apart_from_garbage(tmp_path: Path) -> None:
    (tmp_path / "model.bst").write_bytes(b"binf" + bytes(200))
    with pytest.raises(ModelLoadError, match=r"old binary format, which 3.1 no longer reads, and this is \d"):
        XGBoostModel("m", tmp_path).load()
